//! Places: how many operations of one duty may be under way on this node at once.
//!
//! They belong to the operations of the node, and only this storey can make any. A duty finds them where it finds everything else that
//! it needs, so its partitions share them, however many there are.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Operations that one duty has under way on this node at one time.
const UNDER_WAY_MAX: usize = 64;

/// What the host does with documents by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// `handle-start` in a new reign.
    Start,
    /// Periodic maintenance.
    Maintain,
    /// Removing what has expired.
    Expire,
}

/// The places of all duties of this node.
pub(super) struct Duties {
    start: Places,
    maintain: Places,
    expire: Places,
}

impl Duties {
    /// Returns the places of a node on which no duty has begun.
    pub(super) fn new() -> Duties {
        Duties { start: Places::new(), maintain: Places::new(), expire: Places::new() }
    }

    pub(super) fn of(&self, duty: Duty) -> &Places {
        match duty {
            Duty::Start => &self.start,
            Duty::Maintain => &self.maintain,
            Duty::Expire => &self.expire,
        }
    }
}

/// The places of one duty.
pub(crate) struct Places(Arc<Semaphore>);

impl Places {
    fn new() -> Places {
        Places(Arc::new(Semaphore::new(UNDER_WAY_MAX)))
    }

    /// Returns how many places nobody has.
    pub(crate) fn free(&self) -> usize {
        self.0.available_permits()
    }

    /// Waits for a place, in the order in which it is asked for.
    pub(crate) async fn place(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.0).acquire_owned().await.expect("the places are never closed")
    }

    /// Works on each of `items`, side by side as far as there are places, and as long as it `goes_on`. Returns true if all of them were
    /// worked on, and each with success.
    pub(crate) async fn each<T, W>(&self, items: Vec<T>, goes_on: impl Fn() -> bool, work: impl Fn(T) -> W) -> bool
    where
        W: Future<Output = bool> + Send + 'static,
    {
        let mut under_way = JoinSet::new();
        for item in items {
            let place = self.place().await;
            if !goes_on() {
                return false;
            }
            let work = work(item);
            under_way.spawn(async move {
                let is_done = work.await;
                drop(place);
                is_done
            });
        }
        let mut complete = true;
        while let Some(ended) = under_way.join_next().await {
            complete &= ended.unwrap_or(false);
        }
        complete
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const PARTITIONS: usize = 16;
    const DOCUMENTS: usize = 40;

    /// As many pass the gate at a time.
    const RELEASED: usize = 20;

    #[tokio::test]
    async fn partitions_share_the_places_of_a_duty() {
        let (duties, gate) = (Arc::new(Duties::new()), Arc::new(Semaphore::new(0)));
        let under_way = Arc::new(AtomicUsize::new(0));
        let mut partitions = JoinSet::new();
        for _ in 0..PARTITIONS {
            let (duties, gate, under_way) = (Arc::clone(&duties), Arc::clone(&gate), Arc::clone(&under_way));
            partitions.spawn(async move {
                let work = |_| {
                    let (gate, under_way) = (Arc::clone(&gate), Arc::clone(&under_way));
                    async move {
                        under_way.fetch_add(1, Ordering::Relaxed);
                        gate.acquire().await.expect("it stays").forget();
                        under_way.fetch_sub(1, Ordering::Relaxed);
                        true
                    }
                };
                duties.of(Duty::Start).each(vec![(); DOCUMENTS], || true, work).await
            });
        }
        for left in (0..=PARTITIONS * DOCUMENTS).rev().step_by(RELEASED) {
            // One thread: after so many turns everybody who has a place is at the gate.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            assert_eq!(under_way.load(Ordering::Relaxed), left.min(UNDER_WAY_MAX), "{left} are left");
            gate.add_permits(RELEASED);
        }
        assert!(partitions.join_all().await.into_iter().all(|is_complete| is_complete));
    }

    #[tokio::test]
    async fn what_fails_and_what_is_not_worked_on_is_told() {
        let places = Places::new();
        assert!(places.each(vec![1, 2], || true, |_| async { true }).await);
        assert!(!places.each(vec![1, 2], || true, |number| async move { number == 1 }).await);
        assert!(!places.each(vec![1], || false, |_| async { true }).await);
        assert_eq!(places.free(), UNDER_WAY_MAX);
    }
}
