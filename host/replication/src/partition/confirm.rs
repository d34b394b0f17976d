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
    confirmed: oneshot::Receiver<()>,
}

impl Confirmation {
    /// Returns once what was committed here when it was asked for is known to be the newest committed state of all.
    ///
    /// # Errors
    /// [`NotConfirmed`]: what was read must not be shown; the next owner answers.
    pub async fn confirmed(self) -> Result<(), NotConfirmed> {
        self.confirmed.await.map_err(|_| NotConfirmed(self.partition))
    }

    /// Returns what [`Confirmation::confirmed`] would, if it is known.
    pub fn try_confirmed(&mut self) -> Option<Result<(), NotConfirmed>> {
        match self.confirmed.try_recv() {
            Ok(Some(())) => Some(Ok(())),
            Ok(None) => None,
            Err(oneshot::Canceled) => Some(Err(NotConfirmed(self.partition))),
        }
    }
}

impl Partition {
    /// Leaves the question whether this copy is still the one that orders updates; the next step asks it. The caller reads
    /// *after* this call, and answers only when the question is answered.
    pub fn confirm(&self) -> Confirmation {
        let (confirm, confirmed) = oneshot::channel();
        self.post(Message::Confirm(confirm));
        Confirmation { partition: self.id, confirmed }
    }

    pub(super) fn confirm_now(&self, state: &mut State, now: Moment, confirmed: oneshot::Sender<()>) {
        let through = state.readers.enter(confirmed);
        self.tell(state, now, Event::ReadsAsked { through });
    }
}
