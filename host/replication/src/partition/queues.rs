//! Who waits for which document. `protocol::queue` decides the order; the wakers are here.

use std::collections::HashMap;
use std::sync::Mutex;

use futures_channel::oneshot;
use steward_model::Link;
use steward_protocol::queue::{self, Entered, Ticket};

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
    queues: queue::Queues,
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
        let waiting = Waiting { queues: queue::Queues::new(limit), grants: HashMap::new(), next: 0 };
        Queues { waiting: Mutex::new(waiting), limit }
    }

    pub(super) fn enter(&self, link: &Link) -> Result<(Ticket, Option<oneshot::Receiver<()>>), TurnError> {
        let mut waiting = unpoisoned(self.waiting.lock());
        let ticket = Ticket(waiting.next);
        waiting.next += 1;
        match waiting.queues.enter(link, ticket) {
            Entered::Granted => Ok((ticket, None)),
            Entered::Queued { .. } => {
                let (granted, grant) = oneshot::channel();
                waiting.grants.insert(ticket, granted);
                Ok((ticket, Some(grant)))
            }
            Entered::Full => Err(TurnError::QueueFull { limit: self.limit }),
        }
    }

    pub(super) fn cancel(&self, link: &Link, ticket: Ticket) {
        let mut waiting = unpoisoned(self.waiting.lock());
        waiting.grants.remove(&ticket);
        if let Some(next) = waiting.queues.cancel(link, ticket)
            && let Some(granted) = waiting.grants.remove(&next)
        {
            // If the operation has just given up, its own cancelling passes the turn on.
            let _ = granted.send(());
        }
    }
}
