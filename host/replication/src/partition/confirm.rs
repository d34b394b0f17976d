//! Reads that wait for the confirmation that this copy is still the one that orders updates.

use futures_channel::oneshot;
use steward_model::{Moment, PartitionId};
use steward_protocol::replica::Event;

use super::message::Message;
use super::{Partition, State};

/// Nobody confirms the read: another member may have been named meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("partition {0} is no longer served here, or not yet")]
pub struct NotConfirmed(pub PartitionId);

/// Waits for a confirmation.
#[derive(Debug)]
pub struct Confirmation {
    partition: PartitionId,
    /// None: it was confirmed when it was asked for.
    confirmed: Option<oneshot::Receiver<()>>,
}

impl Confirmation {
    /// Returns once what was committed here when it was asked for is known to be the newest committed state of all.
    ///
    /// # Errors
    /// [`NotConfirmed`]: what was read must not be shown; the next owner answers.
    pub async fn confirmed(self) -> Result<(), NotConfirmed> {
        match self.confirmed {
            Some(confirmed) => confirmed.await.map_err(|_| NotConfirmed(self.partition)),
            None => Ok(()),
        }
    }

    /// Returns what [`Confirmation::confirmed`] would, if it is known.
    pub fn try_confirmed(&mut self) -> Option<Result<(), NotConfirmed>> {
        let Some(confirmed) = &mut self.confirmed else { return Some(Ok(())) };
        match confirmed.try_recv() {
            Ok(Some(())) => Some(Ok(())),
            Ok(None) => None,
            Err(oneshot::Canceled) => Some(Err(NotConfirmed(self.partition))),
        }
    }
}

impl Partition {
    /// Leaves the question whether this copy is still the one that orders updates; the next step asks it, unless nobody has to be
    /// asked. The caller reads *after* this call, and answers only when the question is answered.
    pub fn confirm(&self) -> Confirmation {
        if self.confirms_alone() {
            return Confirmation { partition: self.id, confirmed: None };
        }
        let (confirm, confirmed) = oneshot::channel();
        self.post(Message::Confirm(confirm));
        Confirmation { partition: self.id, confirmed: Some(confirmed) }
    }

    /// As [`Partition::confirm`], with the step that asks the question; without one if nobody has to be asked.
    pub fn ask(&self, now: impl FnOnce() -> Moment) -> Confirmation {
        let asked = self.confirm();
        if asked.confirmed.is_some() {
            self.step(now());
        }
        asked
    }

    /// What waits in the mailbox does not matter: a row in there names a reign that needs the promise of this copy first.
    fn confirms_alone(&self) -> bool {
        let state = self.lock();
        !state.is_held && !self.shared.has_failed() && state.replica.confirms_alone()
    }

    pub(super) fn confirm_now(&self, state: &mut State, now: Moment, confirmed: oneshot::Sender<()>) {
        let through = state.readers.enter(confirmed);
        self.tell(state, now, Event::ReadsAsked { through });
    }
}
