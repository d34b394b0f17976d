//! The one place of the host that reads clocks.
//!
//! Two clocks, never mixed: [`Clock::now`] is monotonic, counts suspended time too, and is for deadlines, leases and
//! intervals; [`Clock::timestamp`] is the time of day, for metadata only. The time of day never runs backwards within a
//! process and never falls behind a timestamp it has been shown: a hybrid logical clock with a resolution of a microsecond.
//! Source: Kulkarni et al., "Logical Physical Clocks", 2014.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use steward_model::{Moment, Timestamp};

/// Reads the clocks of this machine.
#[derive(Debug)]
pub struct Clock {
    origin: Duration,
    /// The time of day at `origin`.
    began: Timestamp,
    latest: AtomicI64,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { origin: boot_time(), began: Timestamp(Clock::wall()), latest: AtomicI64::new(0) }
    }
}

fn boot_time() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Clock {
    /// Returns the monotonic time since this clock was made.
    pub fn now(&self) -> Moment {
        Moment(0).plus(boot_time().saturating_sub(self.origin))
    }

    /// Returns the time of day: later than every time returned or observed before.
    pub fn timestamp(&self) -> Timestamp {
        let wall = Self::wall();
        let step = |latest: i64| Some(wall.max(latest + 1));
        let before = self.latest.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        Timestamp(before.map_or(wall, |latest| wall.max(latest + 1)))
    }

    /// Returns the time of day as the machine tells it, without moving the hybrid clock.
    pub fn wall_time(&self) -> Timestamp {
        Timestamp(Self::wall())
    }

    /// Returns the time of day when this clock was made plus what has passed since: setting the machine's clock does not move
    /// it. For ages and delays, which must not end early or never because somebody corrected the time.
    pub fn steady_time(&self) -> Timestamp {
        self.began.plus(self.now().since(Moment(0)))
    }

    fn wall() -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    }

    /// Makes every later [`Clock::timestamp`] later than `seen`, a time that was found on disk or came from a peer.
    pub fn observe(&self, seen: Timestamp) {
        self.latest.fetch_max(seen.0, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_rise_even_when_the_wall_clock_lags_behind() {
        let clock = Clock::default();
        let ahead = clock.timestamp().plus(Duration::from_secs(3600));
        clock.observe(ahead);
        let next = clock.timestamp();
        assert!(next > ahead);
        assert!(clock.timestamp() > next);
    }
}
