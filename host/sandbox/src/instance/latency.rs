//! Whether the calls of a module are quick enough to run on the thread of the caller.
//!
//! Problem: if a call holds a thread of an asynchronous runtime for milliseconds, everybody whose task waits for that
//! thread is late. But moving each call to another thread would cost more than a quick call does.
//!
//! Promise: a module has to prove that it is quick. After a long call it owes new proof: as many quick calls as could
//! have run in that time. So a module that mixes two long calls with a handful of quick ones counts as slow, in
//! whatever order they come.
//!
//! What is measured is time on the clock, and on a busy machine the system sets any call aside for longer than all its own work. To hold
//! that against the module would move its calls to other threads, of which there are then more than processors, so that
//! still more calls are set aside: an update took three times its processor time that way. So quick calls beyond what is owed
//! are saved up, and pay for a few long ones. A guest that turns slow holds the threads of the runtime for no longer than
//! was saved. (The processor time of a thread would tell the two apart, but asking the system for it costs more than a call.)
//!
//! Quick calls of a module that has saved enough write nothing here, so threads do not contend for the counter.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// A call that takes this long is no quick one. Shorter, it would cost little more than finding another thread does.
const LONG: Duration = Duration::from_millis(1);

/// Quick calls that a new module owes.
const UNKNOWN: i32 = 8;

/// Quick calls that are owed for each millisecond of a long one.
const PER_MILLISECOND: i32 = 16;

/// Most quick calls that are owed.
const OWED_MAX: i32 = 256;

/// Most quick calls that are saved up: four calls may be set aside for a time slice of 4 ms each.
const SAVED_MAX: i32 = 4 * 4 * PER_MILLISECOND;

/// How many quick calls a module has saved up; negative: how many it owes before it is taken for quick.
pub(super) struct LatencyEstimate(AtomicI32);

impl LatencyEstimate {
    pub(super) fn unknown() -> LatencyEstimate {
        LatencyEstimate(AtomicI32::new(-UNKNOWN))
    }

    pub(super) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= 0
    }

    /// Takes into account what a call needed of a thread. Calls that end at the same moment may overwrite each other, which
    /// an estimate can bear.
    pub(super) fn observe(&self, took: Duration) {
        let saved = self.0.load(Ordering::Relaxed);
        if took >= LONG {
            let millis = i32::try_from(took.as_millis()).unwrap_or(i32::MAX);
            let left = saved.saturating_sub(millis.saturating_mul(PER_MILLISECOND));
            self.0.store(left.max(-OWED_MAX), Ordering::Relaxed);
        } else if saved < SAVED_MAX {
            self.0.store(saved + 1, Ordering::Relaxed);
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
    fn calls_that_are_set_aside_now_and_then_change_nothing() {
        let latency = proven();
        for _ in 0..100 {
            (0..300).for_each(|_| latency.observe(QUICK));
            latency.observe(Duration::from_millis(4));
            assert!(latency.is_quick());
        }
        (0..5).for_each(|_| latency.observe(Duration::from_millis(4)));
        assert!(!latency.is_quick(), "five in a row are more than was saved");
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
