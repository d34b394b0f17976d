//! Turns: the right to be the operation that changes a document. The order is decided by `protocol::lane`; here are the
//! wakers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_channel::oneshot;
use steward_model::Link;
use steward_protocol::lane::{self, Entered, Ticket};

use super::Partition;
use crate::observer::unpoisoned;

/// Why an operation does not get the turn of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// Too many operations wait for the document.
    #[error("{limit} operations wait for the document already")]
    QueueFull {
        /// How many may wait.
        limit: usize,
    },
}

struct Waiting {
    lanes: lane::Lanes,
    grants: HashMap<Ticket, oneshot::Sender<()>>,
    next: u64,
}

/// Who waits for which document of one partition.
pub(super) struct Queues {
    waiting: Mutex<Waiting>,
    limit: usize,
}

impl Queues {
    /// Returns queues in which at most `limit` operations wait for one document.
    pub(super) fn new(limit: usize) -> Queues {
        let waiting = Waiting { lanes: lane::Lanes::new(limit), grants: HashMap::new(), next: 0 };
        Queues { waiting: Mutex::new(waiting), limit }
    }

    fn enter(&self, link: &Link) -> Result<(Ticket, Option<oneshot::Receiver<()>>), TurnError> {
        let mut waiting = unpoisoned(self.waiting.lock());
        let ticket = Ticket(waiting.next);
        waiting.next += 1;
        match waiting.lanes.enter(link, ticket) {
            Entered::Granted => Ok((ticket, None)),
            Entered::Queued { .. } => {
                let (granted, grant) = oneshot::channel();
                waiting.grants.insert(ticket, granted);
                Ok((ticket, Some(grant)))
            }
            Entered::Full => Err(TurnError::QueueFull { limit: self.limit }),
        }
    }

    fn cancel(&self, link: &Link, ticket: Ticket) {
        let mut waiting = unpoisoned(self.waiting.lock());
        waiting.grants.remove(&ticket);
        if let Some(next) = waiting.lanes.cancel(link, ticket)
            && let Some(granted) = waiting.grants.remove(&next)
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
