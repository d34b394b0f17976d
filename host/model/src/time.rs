//! Two kinds of time: moments of a monotonic clock, and times of day. Only `clock.rs` of the node reads clocks.

use serde::{Deserialize, Serialize};

/// A moment of the monotonic clock of this process, in microseconds from an origin of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// Returns the moment `span` later, or the last one that can be named.
    #[must_use]
    pub fn plus(self, span: std::time::Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Returns how long ago `earlier` was; zero if it lies ahead.
    pub fn since(self, earlier: Moment) -> std::time::Duration {
        std::time::Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A time of day: microseconds since the Unix epoch, UTC. Metadata only, never a basis of safety.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns the time `span` later.
    #[must_use]
    pub fn plus(self, span: std::time::Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Returns true if whatever expires at this time has expired by `now`; what expires at 0 never does.
    pub fn has_expired(self, now: Timestamp) -> bool {
        self.0 != 0 && self <= now
    }
}
