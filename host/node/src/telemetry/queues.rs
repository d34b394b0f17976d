//! How many operations wait for their turn, by what they wait for.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What an operation waits for before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// That those before it on the same document end.
    Document,
    /// That enough nodes are available.
    Quorum,
}

static FOR_DOCUMENTS: AtomicUsize = AtomicUsize::new(0);
static FOR_QUORUMS: AtomicUsize = AtomicUsize::new(0);

/// An operation in a queue, until it is dropped.
pub(crate) struct Queued(Queue);

impl Queue {
    /// Counts an operation that begins to wait.
    pub(crate) fn enter(self) -> Queued {
        self.place().fetch_add(1, Ordering::Relaxed);
        Queued(self)
    }

    /// Returns how many operations wait.
    pub(crate) fn waiting(self) -> usize {
        self.place().load(Ordering::Relaxed)
    }

    fn place(self) -> &'static AtomicUsize {
        match self {
            Queue::Document => &FOR_DOCUMENTS,
            Queue::Quorum => &FOR_QUORUMS,
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.place().fetch_sub(1, Ordering::Relaxed);
    }
}
