//! Long checks of states against their schemas: a few at a time, whoever asks for them.
//!
//! Problem: nothing interrupts a check, and one of a large state against a large schema takes a second of a processor. Each
//! takes a thread of its own meanwhile, and some dozens of them leave the threads that serve everybody else next to nothing.
//!
//! Promise: they have half of the processors, and wait for one another. The threads that wait cost nothing.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;

/// The processors that are free for long checks; none: nobody has asked yet.
static FREE: Mutex<Option<usize>> = Mutex::new(None);
static FREED: Condvar = Condvar::new();

/// Gives its processor back when it is dropped, also where a check panics.
struct Place;

impl Drop for Place {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.map(|free| free + 1);
        FREED.notify_one();
    }
}

/// Returns what `check` returns, once it is its turn. Blocks the calling thread.
pub(super) fn in_turn<T>(check: impl FnOnce() -> T) -> T {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let processors = || available_parallelism().map_or(1, |all| (all.get() / 2).max(1));
    while *free.get_or_insert_with(processors) == 0 {
        free = FREED.wait(free).unwrap_or_else(PoisonError::into_inner);
    }
    *free = free.map(|free| free - 1);
    drop(free);
    let _place = Place;
    check()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn half_of_the_processors_check_and_one_that_breaks_off_leaves_its_place() {
        let most = available_parallelism().map_or(1, |all| (all.get() / 2).max(1));
        let (busy, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let check = |number: usize| {
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
