//! Proposals: updates on their way into the log.

use std::sync::Arc;

use futures_channel::oneshot;
use steward_model::mutation::{self, Mutation};
use steward_model::operation::EffectKey;
use steward_model::update::{Change, Entry, Origin, RequestId, Update};
use steward_model::{Document, Epoch, Lane, Link, Moment, PartitionId, Position, Timestamp};
use steward_protocol::replica::{Event, NotAdmitted};
use steward_storage::documents::Horizons;
use steward_storage::log::{Reservation, append};

use super::{Partition, State, Waiter};
use crate::observer::Fact;

/// Why an update was not taken into the log. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// This node is not the primary, or not yet.
    #[error("partition {partition} takes no updates here: {reason}")]
    NotAdmitted {
        /// The partition of the document.
        partition: PartitionId,
        /// Whom to ask instead, or what this copy waits for.
        reason: NotAdmitted,
    },
    /// The disk is too full for another update.
    #[error("the disk of this node is full: {0}")]
    NoSpace(String),
    /// The state store is so far behind the log that memory would run out. It passes by itself.
    #[error(
        "the state store of this node is {bytes} bytes behind its log, at most {most} are allowed; try again later"
    )]
    Behind {
        /// Bytes committed and not applied, of all partitions.
        bytes: u64,
        /// Bytes that may be.
        most: u64,
    },
    /// The record would not fit into a frame of the log.
    #[error("the update takes about {bytes} bytes with its effects and its remembered answer, the log takes {most}")]
    TooLarge {
        /// Bytes of the record, about.
        bytes: u64,
        /// Bytes that the log takes in one record.
        most: u64,
    },
    /// The node is stopping, or has failed: nobody takes proposals any more.
    #[error("the node is stopping")]
    Stopping,
}

/// The reign ended before the update was committed: whether it happened is unknown here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outcome of an update of partition {0} is unknown: its primary lost the reign")]
pub struct Lost(pub PartitionId);

/// An update that somebody wants in the log, and whom to tell.
#[derive(Debug)]
pub struct Proposal {
    /// The update, without its place. A turn holds its document meanwhile.
    update: Update,
    /// The state that the operation found.
    before: Option<Arc<Document>>,
    /// The reign in which the update was decided; another reign takes nothing that this one decided.
    epoch: Epoch,
    /// Space in the log, taken before the record exists; none where records stay in memory.
    space: Option<Reservation>,
    taken: oneshot::Sender<Result<Placed, ProposeError>>,
    committed: oneshot::Sender<()>,
}

/// Where an update stands.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The position of its record.
    pub position: Position,
    /// The document after it, as it will be read.
    pub document: Arc<Document>,
}

/// The other end of a [`Proposal`].
#[derive(Debug)]
pub struct Proposed {
    partition: PartitionId,
    taken: oneshot::Receiver<Result<Placed, ProposeError>>,
    committed: oneshot::Receiver<()>,
}

/// Waits for the commit of an update that was taken.
#[derive(Debug)]
pub struct Taken {
    partition: PartitionId,
    /// The position of its record, and the document after it.
    pub placed: Placed,
    committed: oneshot::Receiver<()>,
}

impl Proposal {
    /// Returns which document it is about.
    pub fn link(&self) -> &Link {
        &self.update.document.link
    }
}

impl std::fmt::Display for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "update of {} in epoch {}", self.link(), self.epoch)
    }
}

impl Proposed {
    /// Returns where the update stands once it is in the log.
    ///
    /// # Errors
    /// [`ProposeError`]: nothing has happened.
    pub async fn taken(self) -> Result<Taken, ProposeError> {
        let Proposed { partition, taken, committed } = self;
        let placed = taken.await.unwrap_or(Err(ProposeError::Stopping))?;
        Ok(Taken { partition, placed, committed })
    }

    /// Returns what [`Proposed::taken`] would, if it is known, else the proposal again.
    ///
    /// # Errors
    /// As [`Proposed::taken`].
    pub fn try_taken(mut self) -> Result<Result<Taken, ProposeError>, Proposed> {
        let known = match self.taken.try_recv() {
            Ok(Some(known)) => known,
            Ok(None) => return Err(self),
            Err(oneshot::Canceled) => Err(ProposeError::Stopping),
        };
        let Proposed { partition, committed, .. } = self;
        Ok(known.map(|placed| Taken { partition, placed, committed }))
    }
}

impl Taken {
    /// Returns once the update is committed.
    ///
    /// # Errors
    /// [`Lost`] if the reign ended first. The caller tells its client that the outcome is unknown.
    pub async fn committed(self) -> Result<Placed, Lost> {
        match self.committed.await {
            Ok(()) => Ok(self.placed),
            Err(oneshot::Canceled) => Err(Lost(self.partition)),
        }
    }

    /// Returns what [`Taken::committed`] would, if it is known.
    pub fn try_committed(&mut self) -> Option<Result<(), Lost>> {
        match self.committed.try_recv() {
            Ok(Some(())) => Some(Ok(())),
            Ok(None) => None,
            Err(oneshot::Canceled) => Some(Err(Lost(self.partition))),
        }
    }
}

impl Partition {
    /// Leaves an update that was decided in the reign of `epoch` on the state `before`; the caller holds the turn of its
    /// document until it is taken. The next step takes it.
    pub fn propose(
        &self,
        epoch: Epoch,
        before: Option<Arc<Document>>,
        update: Update,
        space: Option<Reservation>,
    ) -> Proposed {
        let (take, taken) = oneshot::channel();
        let (commit, committed) = oneshot::channel();
        let proposal = Proposal { update, before, epoch, space, taken: take, committed: commit };
        self.post(super::Message::Propose(Box::new(proposal)));
        Proposed { partition: self.id, taken, committed }
    }

    /// Leaves the note that effects of one document were carried out. The next step takes it, if this copy serves then; else
    /// the effects stay pending and the next primary sends them again under their keys.
    pub fn settle(&self, keys: Vec<EffectKey>, at: Timestamp) {
        self.post(super::Message::Settle { keys, at });
    }

    pub(super) fn propose_now(&self, state: &mut State, now: Moment, proposal: Proposal) {
        let Proposal { update, before, epoch, space, taken, committed } = proposal;
        if let Err(refused) = self.check(state, Some(epoch), update.bytes() as u64) {
            // The client may be gone; nothing has happened.
            let _ = taken.send(Err(refused));
            return;
        }
        // Everything that a commit needs is set up before the core is told: in the volatile lane it commits within the
        // call, and a client that began to wait afterwards would wait for ever.
        let position = state.replica.next_position();
        let update = update.placed(position);
        let document = state.recent.append(position, &update, before.as_ref());
        if mutation::is(Mutation::AcknowledgedBeforeCommit) {
            let _ = committed.send(());
        } else {
            state.waiters.push_back(Waiter { position, committed });
        }
        self.shared.observer.observed(self.id, &Fact::Proposed(position));
        // The client may be gone; the update is in the log all the same.
        let _ = taken.send(Ok(Placed { position, document }));
        state.outgoing.reserve(space);
        self.tell(state, now, Event::Proposed(Entry::Update(Box::new(update))));
    }

    /// Returns once there is space in the log for `update`; none is needed where records stay in memory. Dropping the space
    /// gives it back; used, it is free again when the log's writer has taken the record, also if the client still waits.
    ///
    /// # Errors
    /// [`ProposeError`]: nothing has happened.
    pub async fn space_for(&self, update: &Update) -> Result<Option<Reservation>, ProposeError> {
        let bytes = update.bytes() as u64;
        let most = self.shared.record_bytes_max();
        if bytes > most {
            return Err(ProposeError::TooLarge { bytes, most });
        }
        match self.id.lane {
            Lane::Volatile => Ok(None),
            Lane::Persisted => {
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                self.shared.log.reserve_or_wait(bytes).await.map(Some).map_err(refused)
            }
        }
    }

    /// Refuses an update for which there is no reign or no room, before anything of it exists.
    fn check(&self, state: &State, decided: Option<Epoch>, bytes: u64) -> Result<(), ProposeError> {
        let not_admitted = |reason| ProposeError::NotAdmitted { partition: self.id, reason };
        let epoch = state.replica.admits().map_err(not_admitted)?;
        let is_other = decided.is_some_and(|decided| decided != epoch);
        if is_other && !mutation::is(Mutation::DecidedInAnotherReign) {
            // The handler ran in a reign that is over: what it saw may have been displaced.
            return Err(not_admitted(NotAdmitted::Recovering));
        }
        let most = self.shared.record_bytes_max();
        if bytes > most {
            return Err(ProposeError::TooLarge { bytes, most });
        }
        if self.id.lane == Lane::Persisted {
            self.shared.space.check().map_err(ProposeError::NoSpace)?;
        }
        self.shared.applying.check()
    }

    pub(super) fn settle_now(&self, state: &mut State, now: Moment, keys: Vec<EffectKey>, at: Timestamp) {
        let settled: Vec<EffectKey> = keys.into_iter().filter(|key| state.outbox.is_pending(key)).collect();
        let Some(link) = settled.first().map(|key| key.link.clone()) else { return };
        // A note is small and makes room: it is taken although the disk is nearly full. Without a reign there is nobody to take
        // it; the next primary sends the effects again, and their targets recognise them.
        match state.replica.admits() {
            Ok(_) | Err(NotAdmitted::TooFewInSync { .. }) => {}
            Err(NotAdmitted::Recovering | NotAdmitted::NotPrimary { .. }) => return,
        }
        let update = Update {
            change: Change::None,
            request: RequestId::default(),
            origin: Origin::default(),
            // Only its link says anything: the update makes no version.
            document: Document::bare(link, at),
            keep_versions: None,
            effects: Vec::new(),
            settled,
            remembered: None,
        };
        self.tell(state, now, Event::Proposed(Entry::Update(Box::new(update))));
    }

    pub(super) fn forget_now(&self, state: &mut State, now: Moment, horizons: Horizons) {
        if self.check(state, None, 0).is_ok() {
            let Horizons { tombstones_below, answers_below } = horizons;
            self.tell(state, now, Event::Proposed(Entry::Forget { tombstones_below, answers_below }));
        }
    }
}

/// Returns what it means for an update that the log has no space for it.
fn refused(error: append::Error) -> ProposeError {
    match error {
        append::Error::Full { .. } | append::Error::Busy { .. } => ProposeError::NoSpace(error.to_string()),
        append::Error::TooLarge { bytes, most } => ProposeError::TooLarge { bytes, most },
        append::Error::Closed | append::Error::Failed => ProposeError::Stopping,
    }
}
