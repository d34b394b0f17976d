//! Turns: the right to be the operation that changes a document.

use std::sync::Arc;

use steward_model::Link;
use steward_protocol::queue::Ticket;

use super::Partition;
use super::queues::TurnError;

/// The turn on one document, or the wish for it. Dropping it passes the turn on.
pub struct Turn {
    partition: Arc<Partition>,
    link: Link,
    ticket: Ticket,
}

impl Partition {
    /// Returns the turn on a document: until it is dropped, no other operation changes the document.
    ///
    /// # Errors
    /// [`TurnError::QueueFull`] at once if too many operations wait.
    pub async fn turn(self: &Arc<Self>, link: &Link) -> Result<Turn, TurnError> {
        let (ticket, grant) = self.queues.enter(link)?;
        let turn = Turn { partition: Arc::clone(self), link: link.clone(), ticket };
        if let Some(grant) = grant {
            // The sender is kept until the turn is granted; it cannot vanish before.
            let _ = grant.await;
        }
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.partition.queues.cancel(&self.link, self.ticket);
    }
}
