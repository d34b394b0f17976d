//! Whether the calls of a module are quick enough to run on the thread of the caller.
//!
//! Problem: if a call holds a thread of an asynchronous runtime for milliseconds, everybody whose task waits for that
//! thread is late. But moving each call to another thread would cost more than a quick call does.
//!
//! Promise: a module has to prove that it is quick. After a long call it owes new proof: as many quick calls as could
//! have run in that time. So a module that mixes two long calls with a handful of quick ones counts as slow, in
//! whatever order they come.
//!
//! Quick calls of a module that owes nothing write nothing here, so threads do not contend for the counter.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A call that takes this long is no quick one. Shorter, it would cost little more than finding another thread does.
const LONG: Duration = Duration::from_millis(1);

/// Quick calls that a new module owes.
const UNKNOWN: u32 = 8;

/// Quick calls that are owed for each millisecond of a long one.
const PER_MILLISECOND: u32 = 16;

/// Most quick calls that are owed.
const OWED_MAX: u32 = 256;

/// How many quick calls a module owes before it is taken for quick.
pub(super) struct LatencyEstimate(AtomicU32);

impl LatencyEstimate {
    pub(super) fn unknown() -> LatencyEstimate {
        LatencyEstimate(AtomicU32::new(UNKNOWN))
    }

    pub(super) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Takes into account what a call needed of a thread. Calls that end at the same moment may overwrite each other, which
    /// an estimate can bear.
    pub(super) fn observe(&self, took: Duration) {
        let owed = self.0.load(Ordering::Relaxed);
        if took >= LONG {
            let millis = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
            self.0.store(owed.saturating_add(millis.saturating_mul(PER_MILLISECOND)).min(OWED_MAX), Ordering::Relaxed);
        } else if owed > 0 {
            self.0.store(owed - 1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(2);

    fn proven() -> LatencyEstimate {
        let latency = LatencyEstimate::unknown();
        (0..UNKNOWN).for_each(|_| latency.observe(QUICK));
        latency
    }

    #[test]
    fn a_module_is_slow_until_it_has_shown_otherwise() {
        assert!(!LatencyEstimate::unknown().is_quick());
        assert!(proven().is_quick());
    }

    #[test]
    fn two_long_calls_between_five_quick_ones_count_as_slow() {
        let latency = proven();
        for _ in 0..100 {
            (0..5).for_each(|_| latency.observe(QUICK));
            (0..2).for_each(|_| latency.observe(Duration::from_secs(1)));
            assert!(!latency.is_quick());
        }
    }

    #[test]
    fn a_long_call_is_paid_for_by_quick_ones() {
        let latency = proven();
        latency.observe(Duration::from_millis(3));
        (0..47).for_each(|_| latency.observe(QUICK));
        assert!(!latency.is_quick());
        latency.observe(QUICK);
        assert!(latency.is_quick());
        latency.observe(Duration::from_secs(3600));
        (0..OWED_MAX).for_each(|_| latency.observe(QUICK));
        assert!(latency.is_quick());
    }
}
