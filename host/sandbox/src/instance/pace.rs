//! How long the calls of a module take, and so whether they may hold up the thread of an asynchronous runtime.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// From this average on a module counts as slow. Short against the time that a runtime needs to find another thread,
/// it would cost each call; long, and requests that wait behind it would feel it.
const SLOW: Duration = Duration::from_micros(500);

/// A single call counts for no more than this. On a busy machine any call may be set aside by the system for longer than all its
/// own work, and to hold that against the module would cost its next calls dearly.
const COUNTED: Duration = Duration::from_millis(2);

/// What a new module is taken for: slow, until a handful of calls have shown otherwise.
const UNKNOWN: Duration = Duration::from_millis(1);

/// An exponential moving average over the last eight calls or so; three long calls in a row make a module slow.
pub(super) struct Pace(AtomicU64);

impl Pace {
    pub(super) fn unknown() -> Pace {
        Pace(AtomicU64::new(nanos(UNKNOWN)))
    }

    pub(super) fn is_slow(&self) -> bool {
        self.0.load(Ordering::Relaxed) > nanos(SLOW)
    }

    /// Takes the time of one call into account. Calls that end at the same moment may overwrite each other, which an
    /// estimate can bear.
    pub(super) fn observe(&self, took: Duration) {
        let average = self.0.load(Ordering::Relaxed);
        self.0.store(average - average / 8 + nanos(took.min(COUNTED)) / 8, Ordering::Relaxed);
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_slow_until_it_has_shown_otherwise() {
        let pace = Pace::unknown();
        assert!(pace.is_slow());
        (0..8).for_each(|_| pace.observe(Duration::from_micros(2)));
        assert!(!pace.is_slow());
    }

    #[test]
    fn one_long_call_is_forgiven_and_three_in_a_row_are_not() {
        let pace = Pace::unknown();
        (0..50).for_each(|_| pace.observe(Duration::from_micros(2)));
        pace.observe(Duration::from_secs(1));
        assert!(!pace.is_slow());
        (0..50).for_each(|_| pace.observe(Duration::from_micros(2)));
        (0..3).for_each(|_| pace.observe(Duration::from_millis(5)));
        assert!(pace.is_slow());
        (0..8).for_each(|_| pace.observe(Duration::from_micros(2)));
        assert!(!pace.is_slow());
    }
}
