//! A bounded number of places, with a bounded queue in front of them: they keep one service from taking everything.
//!
//! All guests of a node share two things: instances, which a call holds from beginning to end, and workers, which it
//! holds while it computes, but not while it waits for other documents. Each module has a share of both. A call that
//! finds no place waits in a queue, behind earlier calls of its own module. It is refused if the queue is full or its
//! wait too long, so that the client comes back later.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::CallError;

/// A number of places that calls take, with a share for each module.
pub(crate) struct Places {
    free: Semaphore,
    /// How many there are.
    count: usize,
    /// What they are, for people.
    what: &'static str,
    waiting: AtomicUsize,
    /// Who waits for places of whatever kind.
    all: Arc<AtomicUsize>,
    queue_max: usize,
    patience: Duration,
}

/// A caller in the queue, until it is dropped.
struct Waiting<'a>(&'a Places);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.all.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    /// Makes `count` places, at least one. Those who wait for them are counted in `all`, too.
    pub(crate) fn new(
        what: &'static str,
        count: usize,
        queue_max: usize,
        patience: Duration,
        all: &Arc<AtomicUsize>,
    ) -> Places {
        let (count, all) = (count.max(1), Arc::clone(all));
        Places { free: Semaphore::new(count), count, what, waiting: AtomicUsize::new(0), all, queue_max, patience }
    }

    /// Returns a place, at once or when it is this caller's turn.
    ///
    /// # Errors
    /// [`CallError::Overloaded`] if too many wait already, or none has become free in time.
    ///
    /// # Panics
    /// If it has to wait and is polled outside of a tokio runtime with a timer.
    pub(crate) async fn take(&self) -> Result<SemaphorePermit<'_>, CallError> {
        match self.free.try_acquire() {
            Ok(place) => Ok(place),
            // Boxed, because nearly nobody has to wait.
            Err(_) => Box::pin(self.wait()).await,
        }
    }

    async fn wait(&self) -> Result<SemaphorePermit<'_>, CallError> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        self.all.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(self);
        let (count, what) = (self.count, self.what);
        if before >= self.queue_max {
            let reason = format!("{before} calls wait already for the {count} {what}");
            return Err(CallError::Overloaded { reason });
        }
        let place = tokio::time::timeout(self.patience, self.free.acquire()).await;
        drop(waiting);
        match place {
            Ok(Ok(place)) => Ok(place),
            // Places are never closed, so it is the time that has passed.
            Ok(Err(_)) | Err(_) => {
                let reason = format!("none of the {count} {what} became free within {} ms", self.patience.as_millis());
                Err(CallError::Overloaded { reason })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_finds_no_place_waits_and_is_refused_in_the_end() {
        let all = Arc::default();
        let places = Places::new("instances", 1, 1, Duration::from_millis(20), &all);
        let held = places.take().await.expect("a place");
        let late = places.take().await.expect_err("nobody leaves");
        assert!(late.to_string().contains("20 ms"), "{late}");
        let (first, second) = tokio::join!(places.take(), places.take());
        assert!(first.is_err() && second.expect_err("the queue is full").to_string().contains("1 calls wait"));
        assert_eq!(all.load(Ordering::Relaxed), 0, "those that gave up do not count");
        drop(held);
        drop(places.take().await.expect("the place that became free"));
    }
}
