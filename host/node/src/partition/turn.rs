//! Turns: the right to be the operation that changes a document. The order is decided by `protocol::lane`; here are the
//! wakers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use steward_model::Link;
use steward_protocol::lane::{self, Entered, Ticket};
use tokio::sync::oneshot;

use super::Partition;

/// Why no turn can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// Too many operations wait for the document.
    #[error("{limit} operations wait for the document already")]
    QueueFull {
        /// How many may wait.
        limit: usize,
    },
}

struct Queues {
    lanes: lane::Lanes,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
    next: u64,
}

/// The lanes of one partition.
pub(super) struct Lanes {
    queues: Mutex<Queues>,
    limit: usize,
}

impl Lanes {
    /// Returns lanes in which at most `limit` operations wait for one document.
    pub(super) fn new(limit: usize) -> Lanes {
        let queues = Queues { lanes: lane::Lanes::new(limit), waiting: HashMap::new(), next: 0 };
        Lanes { queues: Mutex::new(queues), limit }
    }

    fn enter(&self, link: &Link) -> Result<(Ticket, Option<oneshot::Receiver<()>>), TurnError> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = Ticket(queues.next);
        queues.next += 1;
        match queues.lanes.enter(link, ticket) {
            Entered::Granted => Ok((ticket, None)),
            Entered::Queued { .. } => {
                let (granted, grant) = oneshot::channel();
                queues.waiting.insert(ticket, granted);
                Ok((ticket, Some(grant)))
            }
            Entered::Full => Err(TurnError::QueueFull { limit: self.limit }),
        }
    }

    fn cancel(&self, link: &Link, ticket: Ticket) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.waiting.remove(&ticket);
        if let Some(next) = queues.lanes.cancel(link, ticket)
            && let Some(granted) = queues.waiting.remove(&next)
        {
            // If the operation has just given up, its own cancelling passes the turn on.
            let _ = granted.send(());
        }
    }
}

/// The turn on one document, or the wish for it. Dropping it passes the turn on.
pub struct Turn {
    partition: Arc<Partition>,
    link: Link,
    ticket: Ticket,
}

impl Turn {
    /// Returns the turn once it is had.
    ///
    /// # Errors
    /// [`TurnError::QueueFull`] at once if too many operations wait.
    pub async fn take(partition: Arc<Partition>, link: &Link) -> Result<Turn, TurnError> {
        let (ticket, grant) = partition.lanes.enter(link)?;
        let turn = Turn { partition, link: link.clone(), ticket };
        if let Some(grant) = grant {
            // The sender is kept until the turn is granted; it cannot vanish before.
            let _ = grant.await;
        }
        Ok(turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.partition.lanes.cancel(&self.link, self.ticket);
    }
}
