//! How many long queries run at once.
//!
//! A query that reads much keeps a processor. More of them than there are processors finish no sooner, and each holds a view of
//! the stores open; so as many run as there are processors, the others wait for their turn, and of those not without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Fewest queries that run at once: a long one must not hold up all others.
const RUNNING_MIN: usize = 2;

/// Most queries that wait for a place.
const WAITING_MAX: usize = 1024;

/// Too many queries wait for a place already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} queries wait already; ask again later, or narrow queries by an indexed field")]
pub(crate) struct Crowded {
    pub(crate) waiting: usize,
}

pub(super) struct Places {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Default for Places {
    fn default() -> Places {
        let running = available_parallelism().map_or(RUNNING_MIN, |cores| cores.get().max(RUNNING_MIN));
        Places { running: Arc::new(Semaphore::new(running)), waiting: AtomicUsize::new(0) }
    }
}

/// One that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    /// Returns how many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns a place, once there is one; it is free again when what is returned is dropped.
    ///
    /// # Errors
    /// [`Crowded`]: nothing was read.
    pub(super) async fn take(&self) -> Result<OwnedSemaphorePermit, Crowded> {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if waiting >= WAITING_MAX {
            return Err(Crowded { waiting });
        }
        // The semaphore is never closed.
        Arc::clone(&self.running).acquire_owned().await.map_err(|_| Crowded { waiting })
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn no_more_run_than_there_are_places_and_no_more_wait_than_may() {
        let places = Places { running: Arc::new(Semaphore::new(1)), waiting: AtomicUsize::new(0) };
        let held = places.take().await.expect("it is free");
        let mut queue: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(places.take())).collect();
        for waits in &mut queue {
            assert!(waits.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(places.take().await.map(drop), Err(Crowded { waiting: WAITING_MAX }));
        queue.truncate(1);
        drop(held);
        let next = queue.remove(0).await.expect("it is its turn");
        assert_eq!(places.waiting.load(Ordering::Relaxed), 0, "those that gave up do not count");
        drop(next);
    }
}
