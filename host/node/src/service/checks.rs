//! Long checks of states against their schemas: a few at a time for the whole node.
//!
//! Problem: nothing interrupts a check, and one of a large state against a large schema takes a second of a processor. Each
//! takes a thread of its own meanwhile, and some dozens of them leave the threads that serve everybody else next to nothing.
//!
//! Promise: they have half of the processors, and wait for one another. The threads that wait cost nothing.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// The processors that are free for long checks.
static FREE: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(processors()));

fn processors() -> usize {
    available_parallelism().map_or(1, |all| (all.get() / 2).max(1))
}

/// Returns what `check` returns, once it is its turn. Blocks the calling thread.
///
/// # Panics
/// Outside of a runtime, and on a thread of one that may not block.
pub(super) fn in_turn<T>(check: impl FnOnce() -> T) -> T {
    // It is never closed.
    let _place = Handle::current().block_on(FREE.acquire());
    check()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn half_of_the_processors_check_and_one_that_breaks_off_leaves_its_place() {
        let most = processors();
        let runtime = tokio::runtime::Builder::new_multi_thread().build().expect("a runtime");
        let (busy, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let check = |number: usize| {
            let _entered = runtime.enter();
            in_turn(|| {
                seen.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                busy.fetch_sub(1, Ordering::SeqCst);
                assert!(number.is_multiple_of(2), "told to");
            });
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4 * most + 4).map(|number| scope.spawn(move || check(number))).collect();
            let broken = threads.into_iter().map(|thread| thread.join()).filter(Result::is_err).count();
            assert_eq!(broken, 2 * most + 2);
        });
        assert!((1..=most).contains(&seen.into_inner()));
    }
}
