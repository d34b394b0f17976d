//! One copy of one partition on this node: the replica core, its log, what is in memory and what is in the state store.
//!
//! Problem: the decisions of a replica (when is an update committed, who may order updates) are made by a core that
//! touches nothing; the log is written by a thread of its own, the state store by another; clients wait meanwhile.
//!
//! Promise: [`Partition::propose`] answers only after the update is committed, [`Partition::read`] shows committed states
//! only, and the state store is always exactly the state at some offset, however late it comes.
//!
//! ```text
//! propose ─► replica core ─ Persist ─► commit log ─ persisted ─► replica core ─ Commit ─► recent ─► answer
//!                                                                                  └────► applier ─► state store
//! ```

mod applier;
#[cfg(test)]
pub(crate) mod by_hand;
mod checkpoint;
mod effects;
mod outbox;
mod read;
mod recent;
mod recovery;
mod space;
mod table;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steward_model::update::{Entry, Record, Update};
use steward_model::{Epoch, Lane, Lsn, Offset, PartitionId, Position};
use steward_protocol::replica::{self, Event, Member, NotAdmitted, Replica, Row};
use steward_storage::documents::PartitionStore;
use steward_storage::log::Log;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

pub use applier::{Applier, IndexSource};
pub use checkpoint::Checkpointer;
pub use outbox::Outbox;
pub use read::{Behind, Cache};
pub use recent::Presence;
pub use recovery::{Error as RecoveryError, Recovered, Recovery};
pub use space::Space;
pub use table::{LogEvents, Table};
pub use turn::{Turn, TurnError};

use crate::clock::Clock;
use crate::telemetry::metrics as telemetry;
use recent::Recent;
use turn::Lanes;

/// Committed updates of one partition that may wait for the state store.
const UNAPPLIED_MAX: usize = 100_000;

/// Bytes of updates that may be on their way into the log. The log has room for more, so nobody who holds a partition's
/// lock waits for its writer, which takes those locks itself.
pub const UNDER_WAY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why an update was not taken into the log. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// This node is not the primary, or not yet.
    #[error("partition {partition} takes no updates here: {reason}")]
    NotAdmitted {
        /// Which partition.
        partition: PartitionId,
        /// Why.
        reason: NotAdmitted,
    },
    /// The disk is too full for another update.
    #[error("the disk of this node is full: {0}")]
    NoSpace(String),
}

/// The reign ended before the update was committed: whether it happened is unknown here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the outcome of an update of partition {0} is unknown: its primary lost the reign")]
pub struct Lost(pub PartitionId);

/// What all partitions of a node share.
pub struct Shared {
    /// The clocks.
    pub clock: Arc<Clock>,
    /// The commit log of the persisted lane.
    pub log: Arc<Log>,
    /// How full the disk is.
    pub space: Arc<Space>,
    /// Permits for bytes of updates on their way into the log, see [`UNDER_WAY_BYTES_MAX`].
    pub under_way: Arc<tokio::sync::Semaphore>,
    /// Documents read or written lately.
    pub cache: Arc<Cache>,
    /// Brings state stores up to date.
    pub applier: Applier,
    /// What the log has made durable, and whom it concerns.
    pub events: Arc<LogEvents>,
    /// Told of partitions with new effects to carry out.
    pub outbox_changed: tokio::sync::Notify,
    /// This process start of this node.
    pub own: Member,
    /// How many operations may wait for one document.
    pub queue_limit: usize,
}

struct State {
    replica: Replica,
    effects: Vec<replica::Effect>,
    /// Appended, not committed; the front has the lowest offset.
    uncommitted: VecDeque<(Record, Lsn)>,
    /// Committed, not handed to the applier yet.
    unapplied: Vec<Record>,
    /// First record in the log that the state store does not hold, by LSN, for trimming.
    oldest_unapplied: VecDeque<(Offset, Lsn)>,
    waiters: VecDeque<(Offset, oneshot::Sender<()>)>,
    recent: Recent,
    outbox: Outbox,
    /// The outbox holds what the state store held when the reign began; before, nobody knows what is pending.
    outbox_loaded: bool,
    promised: Epoch,
}

/// See the head of this module.
pub struct Partition {
    id: PartitionId,
    shared: Arc<Shared>,
    store: PartitionStore,
    state: Mutex<State>,
    lanes: Lanes,
    /// The reign this node is primary in, if it is.
    serving: watch::Sender<Option<Epoch>>,
    applied: watch::Sender<Option<Offset>>,
}

/// An update that is in the log and will be committed or lost.
#[derive(Debug)]
pub struct Proposed {
    partition: PartitionId,
    /// Its place.
    pub position: Position,
    committed: oneshot::Receiver<()>,
}

impl Proposed {
    /// Returns once the update is committed.
    ///
    /// # Errors
    /// [`Lost`] if the reign ended first. The caller tells its client that the outcome is unknown.
    pub async fn committed(self) -> Result<Position, Lost> {
        match self.committed.await {
            Ok(()) => Ok(self.position),
            Err(_) => Err(Lost(self.partition)),
        }
    }
}

impl Partition {
    /// Returns the copy as recovery found it. It takes no updates until the system group names its primary.
    ///
    /// # Errors
    /// If log and state store contradict each other, or the state store cannot be read; the node must not start.
    pub fn open(
        id: PartitionId,
        shared: Arc<Shared>,
        store: PartitionStore,
        recovered: Recovered,
    ) -> Result<Partition, recovery::Error> {
        let queue_limit = shared.queue_limit;
        let applied = recovered.applied;
        let promised = recovered.promised;
        let core = replica::Recovered {
            promised,
            lineage: recovered.lineage,
            start: Offset(0),
            last: recovered.last,
            applied,
        };
        let replica = Replica::open(shared.own, id, core)?;
        let oldest_unapplied = recovered.tail.iter().map(|(record, lsn)| (record.position.offset, *lsn)).collect();
        let mut recent = Recent::default();
        for (record, _) in &recovered.tail {
            if let Entry::Update(update) = &record.entry {
                let before = store.document(&update.document.link)?.map(Arc::new);
                recent.append(record.position.offset, update, before.as_ref());
            }
        }
        let state = State {
            replica,
            effects: Vec::new(),
            uncommitted: recovered.tail.into(),
            unapplied: Vec::new(),
            oldest_unapplied,
            waiters: VecDeque::new(),
            recent,
            outbox: Outbox::default(),
            outbox_loaded: false,
            promised,
        };
        Ok(Partition {
            id,
            shared,
            store,
            state: Mutex::new(state),
            lanes: Lanes::new(queue_limit),
            serving: watch::Sender::new(None),
            applied: watch::Sender::new(applied.map(|position| position.offset)),
        })
    }

    /// Returns which partition this is.
    pub fn id(&self) -> PartitionId {
        self.id
    }

    /// Returns the typed face of its state store.
    pub fn store(&self) -> &PartitionStore {
        &self.store
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held is a broken invariant of ours; going on with half a decision would be worse
        // than the panic itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the replica what the system group says about the partition.
    pub fn table_changed(&self, row: &Row) {
        let mut state = self.lock();
        let state = &mut *state;
        let now = self.shared.clock.now();
        state.replica.handle(now, Event::TableChanged(row.clone()), &mut state.effects);
        self.carry_out(state);
    }

    /// Takes an update into the log. `make` gets the update's place and returns it; it runs under the partition's lock and
    /// must be quick. The document that the update changes is held by a turn meanwhile.
    ///
    /// # Errors
    /// [`ProposeError`]: nothing has happened.
    pub fn propose(
        &self,
        before: Option<&Arc<steward_model::Document>>,
        make: impl FnOnce(Position) -> Update,
    ) -> Result<Proposed, ProposeError> {
        if self.id.lane == Lane::Persisted {
            self.shared.space.check().map_err(ProposeError::NoSpace)?;
        }
        let mut state = self.lock();
        let state = &mut *state;
        if state.unapplied.len() > UNAPPLIED_MAX {
            let behind = "the state store of this node is behind its log; it may be out of space".to_owned();
            return Err(ProposeError::NoSpace(behind));
        }
        let now = self.shared.clock.now();
        if let Err(reason) = state.replica.admits() {
            return Err(ProposeError::NotAdmitted { partition: self.id, reason });
        }
        let position = state.replica.next_position();
        let update = make(position);
        state.recent.append(position.offset, &update, before);
        let (done, committed) = oneshot::channel();
        state.waiters.push_back((position.offset, done));
        state.replica.handle(now, Event::Proposed(Entry::Update(Box::new(update))), &mut state.effects);
        self.carry_out(state);
        telemetry::proposed(self.id.lane);
        Ok(Proposed { partition: self.id, position, committed })
    }

    /// Returns once so many bytes more may be on their way into the log; dropping what it returns gives them back.
    pub async fn room(&self, bytes: usize) -> OwnedSemaphorePermit {
        let permits = u32::try_from(bytes.min(UNDER_WAY_BYTES_MAX)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.shared.under_way).acquire_many_owned(permits).await;
        room.expect("the semaphore is never closed")
    }

    /// Tells the replica that the log is on disk through `end`.
    pub fn persisted(&self, end: Position) {
        let mut state = self.lock();
        let state = &mut *state;
        let now = self.shared.clock.now();
        state.replica.handle(now, Event::Persisted(end), &mut state.effects);
        self.carry_out(state);
    }

    /// Tells the replica that its promise is on disk.
    pub fn promise_persisted(&self, epoch: Epoch) {
        let mut state = self.lock();
        let state = &mut *state;
        let now = self.shared.clock.now();
        state.replica.handle(now, Event::PromisePersisted(epoch), &mut state.effects);
        self.carry_out(state);
    }

    /// Returns the reign that this node serves, or why it serves none.
    ///
    /// # Errors
    /// [`NotAdmitted`] names the reason; it usually passes by itself.
    pub fn admits(&self) -> Result<Epoch, NotAdmitted> {
        self.lock().replica.admits()
    }

    /// Watches which reign this node serves.
    pub fn watch_serving(&self) -> watch::Receiver<Option<Epoch>> {
        self.serving.subscribe()
    }

    /// Returns the turn on a document: until it is dropped, no other operation changes the document.
    ///
    /// # Errors
    /// [`TurnError`] if too many operations wait already.
    pub async fn turn(self: &Arc<Self>, link: &steward_model::Link) -> Result<Turn, TurnError> {
        Turn::take(Arc::clone(self), link).await
    }

    /// Lets `work` look at and change the pending effects.
    pub fn with_outbox<T>(&self, work: impl FnOnce(&mut Outbox) -> T) -> T {
        work(&mut self.lock().outbox)
    }

    /// Returns what `/core/partitions` shows of this copy.
    pub fn status(&self) -> Status {
        let state = self.lock();
        Status {
            partition: self.id,
            replica: state.replica.status(),
            applied: *self.applied.borrow(),
            pending_effects: state.outbox_loaded.then(|| state.outbox.pending()),
        }
    }
}

/// What is known about one copy of one partition.
#[derive(Debug, Clone)]
pub struct Status {
    /// Which partition.
    pub partition: PartitionId,
    /// What its replica core says.
    pub replica: replica::Status,
    /// The last offset in the state store.
    pub applied: Option<Offset>,
    /// Effects that wait to be carried out; none: not known yet, the reign has just begun.
    pub pending_effects: Option<usize>,
}
