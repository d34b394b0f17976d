//! Places: how many operations of one duty may be under way at once.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Operations that one duty has under way on this node at one time.
const UNDER_WAY_MAX: usize = 64;

/// The places of one duty. Its partitions share them.
pub(super) type Places = Arc<Semaphore>;

pub(super) fn places() -> Places {
    Arc::new(Semaphore::new(UNDER_WAY_MAX))
}

/// Works on each of `items`, side by side as far as there are places, and as long as it `goes_on`. Returns true if all of them were
/// worked on, and each with success.
pub(super) async fn each<T, W>(
    places: &Places,
    items: Vec<T>,
    goes_on: impl Fn() -> bool,
    work: impl Fn(T) -> W,
) -> bool
where
    W: Future<Output = bool> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    for item in items {
        let Ok(place) = Arc::clone(places).acquire_owned().await else { return false };
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
        let (places, gate) = (places(), Arc::new(Semaphore::new(0)));
        let under_way = Arc::new(AtomicUsize::new(0));
        let mut partitions = JoinSet::new();
        for _ in 0..PARTITIONS {
            let (places, gate, under_way) = (Arc::clone(&places), Arc::clone(&gate), Arc::clone(&under_way));
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
                each(&places, vec![(); DOCUMENTS], || true, work).await
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
        let places = places();
        assert!(each(&places, vec![1, 2], || true, |_| async { true }).await);
        assert!(!each(&places, vec![1, 2], || true, |number| async move { number == 1 }).await);
        assert!(!each(&places, vec![1], || false, |_| async { true }).await);
        assert_eq!(places.available_permits(), UNDER_WAY_MAX);
    }
}
