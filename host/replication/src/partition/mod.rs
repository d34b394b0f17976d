//! One copy of one partition on this node: the replica core, and everything that its decisions reach.
//!
//! Problem: a core decides, a log writes, a state store follows, clients wait, and each of them takes its own time. Promise:
//! a [`Proposal`] is answered once as taken or refused, and a taken one once as committed or lost; readers see committed
//! states only; the state store is always exactly the state at some offset, however late it comes.
//!
//! A partition is a mailbox. Threads, timers and clients post a [`Message`] and go on; [`Partition::step`] takes all
//! messages in their order, tells the core and carries out what it asks for. Steps of one partition exclude one another,
//! and wait for nothing else: what the log cannot take now stands in a queue of its own until it can.
//!
//! ```text
//!  Propose ─┐
//!  Row ─────┤   step      ┌─► outgoing ─► log          recent: newest and committed states
//!  Persisted┼─► mailbox ──┤                            outbox: effects that wait
//!  Settle ──┤   core      ├─► commit: recent, outbox, clients, unapplied ─► Partitions::apply ─► state store
//!  Space ───┘             └─► serving or not
//! ```
//!
//! An update on its way through, and who knows of it when:
//!
//! | moment | what happens | who sees the update |
//! |---|---|---|
//! | proposed (`propose`) | the core gives it the next position; `recent` has it as newest | the next operation on the document |
//! | appended (`outgoing`) | its frame is in the log's queue, in the order of the core | the same |
//! | persisted (`mailbox`) | the log's writer says so, and the core counts this disk | the same |
//! | committed (`effects`) | the core says so: `recent` has it as committed, effects may go out, its client is told | readers |
//! | applied (`apply`) | the state store has it, in one batch with others; `recent` forgets it | readers, out of the store |
//! | in a checkpoint (`checkpoint`) | the store is durable that far, and the log below may go | a restart, out of the store |
//!
//! So a state has three ages. An operation must see the first, or two updates of one document would start from the same
//! state; readers may see only the second, or they would see what a fail-over takes back; the store shows the third, and
//! `recent` bridges the way to it. A cut (`truncate`) takes back the first age alone: what is committed stays.
//!
//! A reign may end in the middle of all this. A client that waits goes on waiting: its record is in the log, the next reign
//! commits it or cuts it, and this copy learns which when it follows. Claims of effects end with their reign; the next owner
//! sends those effects.
//!
//! Everything that names a record does so by its [`Position`]: offsets alone would let a record of a later reign pass for
//! the one that was meant.

mod ahead;
mod apply;
mod checkpoint;
mod confirm;
mod effects;
mod giving_up;
mod holders;
mod logged;
mod mailbox;
mod message;
mod outbox;
mod outgoing;
mod patient;
mod proposal;
mod propose;
mod queues;
mod read;
mod readers;
mod rebuild;
mod recent;
mod senders;
mod standing;
mod truncate;
mod turn;
mod uncommitted;
mod waiters;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use steward_model::update::{Entry, Record};
use steward_model::{Epoch, Lsn, Moment, Offset, PartitionId, Position, Timestamp};
use steward_protocol::replica::{self, NotAdmitted, Replica};
use steward_storage::documents::{self, PartitionStore};
use steward_storage::log::Pinned;

pub use confirm::{Confirmation, NotConfirmed};
pub use message::Message;
pub use outbox::{Claim, Outbox};
pub use patient::Wanted;
pub use proposal::{Lost, Placed, Proposal, ProposeError, Proposed, Taken};
pub use queues::TurnError;
pub use read::Newest;
pub use rebuild::{Error as RebuildError, Rebuild, Snapshot};
pub use senders::Senders;
pub use standing::{Behind, Standing};
pub use turn::Turn;

use crate::observer::unpoisoned;
use crate::recovery::{Error, Recovered};
use crate::shared::Shared;
use crate::watch::Watch;
use ahead::Ahead;
use outgoing::Outgoing;
use patient::Patient;
use queues::Queues;
use readers::Readers;
use recent::Recent;
use uncommitted::Uncommitted;
use waiters::Waiters;

/// Everything that only a step changes.
struct State {
    replica: Replica,
    /// What the core has asked for and is not carried out.
    effects: Vec<replica::Effect>,
    /// Empty; its memory is that of the effects that are carried out.
    carried: Vec<replica::Effect>,
    outgoing: Outgoing,
    uncommitted: Uncommitted,
    /// Committed, not in the state store; its bytes are counted in the shared queue.
    unapplied: Vec<Record>,
    unapplied_bytes: u64,
    /// Some of it was not applied because the own disk does not have it yet.
    is_held_back: bool,
    /// Where each record that the state store does not hold lies in the log, for trimming; the front has the lowest offset.
    in_log: VecDeque<(Offset, Lsn)>,
    /// The first record that was cut off the log and has frames there, as long as the store holds nothing in its place: a start
    /// finds the whole branch, or none of it.
    cut: Option<(Offset, Lsn)>,
    waiters: Waiters,
    recent: Recent,
    outbox: Outbox,
    readers: Readers,
    /// Readers of this copy that have seen more elsewhere.
    ahead: Ahead,
    /// Clients that want more members to hold what is committed.
    patient: Patient,
    /// Holds the part of the log that in-sync members may lack.
    pinned: Option<Pinned>,
    /// The copy is being made anew, beside what is here.
    is_rebuilt: bool,
    /// Nothing is taken from the mailbox: one copy takes the place of another.
    is_held: bool,
    /// When the core wants to be told next that time has passed.
    deadline: Option<Moment>,
    /// The latest time of a committed update.
    latest: Timestamp,
}

/// One copy of one partition: a mailbox, and the state that only its steps change.
pub struct Partition {
    id: PartitionId,
    shared: Arc<Shared>,
    store: PartitionStore,
    mailbox: Mutex<VecDeque<Message>>,
    state: Mutex<State>,
    queues: Queues,
    /// The reign in which this copy serves, if it does. Set again whenever what the core admits may have changed.
    serving: Watch<Option<Epoch>>,
    applied: Watch<Option<Offset>>,
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
    ) -> Result<Partition, Error> {
        let Recovered { core, tail, latest } = recovered;
        let applied = core.applied;
        let replica = Replica::open(shared.own, id, shared.options.replica, core)?;
        let in_log = tail.iter().map(|(record, lsn)| (record.position.offset, *lsn)).collect();
        let recent = remembered_tail(&store, &tail)?;
        let mut uncommitted = Uncommitted::new(Arc::clone(&shared.uncommitted));
        tail.into_iter().for_each(|(record, _)| uncommitted.push(record));
        let queues = Queues::new(shared.options.queue_limit);
        let state = State {
            replica,
            effects: Vec::new(),
            carried: Vec::new(),
            outgoing: Outgoing::default(),
            uncommitted,
            unapplied: Vec::new(),
            unapplied_bytes: 0,
            is_held_back: false,
            in_log,
            cut: None,
            waiters: Waiters::default(),
            recent,
            outbox: Outbox::new(Arc::clone(&shared.pending_effects)),
            readers: Readers::default(),
            ahead: Ahead::default(),
            patient: Patient::default(),
            pinned: None,
            is_rebuilt: false,
            is_held: false,
            deadline: None,
            latest,
        };
        Ok(Partition {
            id,
            shared,
            store,
            mailbox: Mutex::default(),
            state: Mutex::new(state),
            queues,
            serving: Watch::new(None),
            applied: Watch::new(applied.map(|position| position.offset)),
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
        unpoisoned(self.state.lock())
    }

    /// Returns the reign that this node serves, or why it serves none.
    ///
    /// # Errors
    /// [`NotAdmitted`] names the reason; it usually passes by itself.
    pub fn admits(&self) -> Result<Epoch, NotAdmitted> {
        self.lock().replica.admits()
    }

    /// Returns why nobody serves the partition, as far as this node can tell; none if it is served here or by another node.
    pub fn problem(&self) -> Option<String> {
        match self.admits() {
            Ok(_) | Err(NotAdmitted::NotPrimary { .. }) => None,
            Err(reason @ (NotAdmitted::Recovering | NotAdmitted::TooFewInSync { .. })) => Some(reason.to_string()),
        }
    }

    /// Watches which reign this node serves. What [`Partition::admits`] says may change whenever it is set, to the same value
    /// too.
    pub fn serving(&self) -> &Watch<Option<Epoch>> {
        &self.serving
    }

    /// Returns true if the record at `position` stands in the log of this copy and is durable there: what simulations hold an answer
    /// against.
    pub fn holds_durably(&self, position: Position) -> bool {
        let state = self.lock();
        state.replica.holds(position) && state.replica.durable() >= Some(position.offset)
    }

    /// Returns true if a record of the reign `epoch`, or of a later one, is known to be committed: it has collected all promises, and
    /// orders updates.
    pub fn has_committed_in(&self, epoch: Epoch) -> bool {
        let state = self.lock();
        let committed = state.replica.committed().and_then(|offset| state.replica.position_at(offset));
        committed.is_some_and(|position| position.epoch >= epoch)
    }

    /// Returns true if this copy orders updates and has appended some that are not committed yet.
    pub fn has_uncommitted(&self) -> bool {
        self.lock().replica.has_uncommitted()
    }

    /// Returns the oldest offset that the log of this copy still has: other members are fed from there on.
    pub fn log_start(&self) -> Offset {
        self.lock().replica.start()
    }

    /// Lets `work` look at the pending effects and claim them.
    pub fn with_outbox<T>(&self, work: impl FnOnce(&mut Outbox) -> T) -> T {
        work(&mut self.lock().outbox)
    }

    /// Returns what is known about this copy.
    pub fn status(&self) -> Status {
        let state = self.lock();
        Status {
            partition: self.id,
            replica: state.replica.status(),
            log_start: state.replica.start(),
            applied: self.applied.get(),
            pending_effects: state.outbox.is_loaded().then(|| state.outbox.pending()),
            refused_by_log: state.outgoing.len(),
            unapplied: state.unapplied.len(),
        }
    }
}

/// Returns what the records above the state store say about their documents: the next reign must see them as newest, and
/// must know the requests that they answered.
fn remembered_tail(store: &PartitionStore, tail: &[(Record, Lsn)]) -> Result<Recent, documents::Error> {
    let mut recent = Recent::default();
    for (record, _) in tail {
        if let Entry::Update(update) = &record.entry {
            let link = &update.document.link;
            // What the store holds counts only before the first record about the document.
            let before = if recent.last(link).is_none() { store.document(link)?.map(Arc::new) } else { None };
            recent.append(record.position, update, before.as_ref());
        }
    }
    Ok(recent)
}

/// What is known about one copy of one partition.
#[derive(Debug, Clone)]
pub struct Status {
    /// The partition that this is a copy of.
    pub partition: PartitionId,
    /// What its replica core says.
    pub replica: replica::Status,
    /// The oldest offset that the log still has, or the one behind its end.
    pub log_start: Offset,
    /// The last offset in the state store.
    pub applied: Option<Offset>,
    /// Effects that wait to be carried out; none: not known yet, the reign has just begun.
    pub pending_effects: Option<usize>,
    /// Frames that the log had no room for and that go into it as soon as it has.
    pub refused_by_log: usize,
    /// Committed records that the state store does not hold.
    pub unapplied: usize,
}
