//! Proposals: updates on their way into the log.

use std::sync::Arc;

use futures_channel::oneshot;
use steward_model::mutation::{self, Mutation};
use steward_model::operation::EffectKey;
use steward_model::update::{Change, Entry, Origin, RequestId, Update};
use steward_model::{Document, Epoch, Lane, Moment, Timestamp};
use steward_protocol::replica::{Event, NotAdmitted};
use steward_storage::documents::Horizons;
use steward_storage::log::{Reservation, append};

use super::message::Message;
use super::proposal::{Placed, Proposal, ProposeError, Proposed};
use super::{Partition, State};
use crate::observer::Fact;

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
        self.post(Message::Propose(Box::new(proposal)));
        Proposed { partition: self.id, taken, committed }
    }

    /// Leaves the note that effects of one document were carried out. The next step takes it, if this copy serves then; else
    /// the effects stay pending and the next primary sends them again under their keys.
    pub fn settle(&self, keys: Vec<EffectKey>, at: Timestamp) {
        self.post(Message::Settle { keys, at });
    }

    pub(super) fn propose_now(&self, state: &mut State, now: Moment, proposal: Proposal) {
        let Proposal { update, before, epoch, space, taken, committed } = proposal;
        let checked = self.check(state, Some(epoch), update.bytes() as u64).and_then(|()| {
            let own = state.outbox.amount_of(&update.document.link);
            let settled = state.outbox.amount_settled(&update.settled);
            Ok(self.shared.pending_effects.check(&update, own, settled)?)
        });
        if let Err(refused) = checked {
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
            state.waiters.enter(position, committed);
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
        self.shared.uncommitted.check()?;
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
            let Horizons { tombstones_below, answers_below, .. } = horizons;
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
