//! The clocks of the machine. No other file of the host reads them.
//!
//! There are three, for three purposes:
//!
//! - [`Clock::now`] is monotonic, and also counts the time for which the machine sleeps. It is for deadlines and
//!   intervals.
//! - [`Clock::timestamp`] is the time of day, for metadata. Within a process it never runs backwards, and it is always
//!   later than every timestamp that it was shown: a hybrid logical clock with a resolution of a microsecond. The same
//!   time without that promise is [`Clock::wall_time`]: it is compared with the expiry of documents.
//! - [`Clock::steady_time`] is the time of day at the start of the process, plus what has passed since by the monotonic
//!   clock. Setting the clock of the machine does not move it. It is for spans that begin or end in metadata, such as
//!   delays.
//!
//! A clock that may be moved, of a host on which somebody tries a service out, runs as all do and jumps ahead when it is told to. Every time of day jumps
//! with it, and [`Clock::lived`], by which maintenance comes. What waits for other machines does not: for a connection an hour is an hour.
//!
//! If the clock of the machine cannot be right, the node does not start. A timestamp that lies far ahead would be kept
//! with a document, and every later timestamp would have to be later still.
//!
//! Source: Kulkarni et al., "Logical Physical Clocks", 2014.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use steward_model::{Moment, Timestamp};

/// The end of the year 9999, the last that dates are written for, in microseconds since the Unix epoch.
const LATEST_MICROS: i64 = 253_402_300_799_999_999;

/// Why the clock of the machine cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// It tells a time before the Unix epoch.
    #[error("the system clock stands {seconds} s before 1970: set it, then start again")]
    BeforeEpoch {
        /// How long before.
        seconds: u64,
    },
    /// It tells a time that no date can be written for.
    #[error("the system clock stands after the year 9999: set it, then start again")]
    AfterDates,
}

/// Why a clock is not moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MoveError {
    /// It is the clock of the machine.
    #[error("the clock of this host is that of its machine: start it with --ephemeral --clock virtual to move it")]
    Fixed,
    /// No dates are written for the time after that.
    #[error("the clock would stand after the year 9999: move it by less")]
    AfterDates,
}

/// Reads the clocks of this machine.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Duration,
    /// The time of day at `origin`.
    began: Timestamp,
    latest: AtomicI64,
    /// By how many microseconds it was moved; none: it is not to be moved.
    moved: Option<AtomicI64>,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { origin: boot_time(), began: Timestamp(wall()), latest: AtomicI64::new(0), moved: None }
    }
}

fn boot_time() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Returns how much time of processors this process has used, on all its threads.
pub(crate) fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Says whether a time of day can be used for metadata.
fn plausible(now: SystemTime) -> Result<(), Error> {
    let since = now.duration_since(UNIX_EPOCH);
    let since = since.map_err(|before| Error::BeforeEpoch { seconds: before.duration().as_secs().max(1) })?;
    match i64::try_from(since.as_micros()) {
        Ok(micros) if micros <= LATEST_MICROS => Ok(()),
        Ok(_) | Err(_) => Err(Error::AfterDates),
    }
}

impl Clock {
    /// Returns the clocks of this machine if they can be right; ones that may be moved if the host `is_virtual` in its time.
    ///
    /// # Errors
    /// [`Error`] if the time of day is one that no machine with a set clock has.
    pub(crate) fn checked(is_virtual: bool) -> Result<Clock, Error> {
        plausible(SystemTime::now())?;
        Ok(Clock { moved: is_virtual.then(AtomicI64::default), ..Clock::default() })
    }

    /// Returns true if the clock may be moved.
    pub(crate) fn is_virtual(&self) -> bool {
        self.moved.is_some()
    }

    /// Moves the clock ahead, and returns the time of day after that.
    ///
    /// # Errors
    /// [`MoveError`]: it stands where it stood.
    pub(crate) fn advance(&self, by: Duration) -> Result<Timestamp, MoveError> {
        let moved = self.moved.as_ref().ok_or(MoveError::Fixed)?;
        let now = wall();
        let by = i64::try_from(by.as_micros()).map_err(|_| MoveError::AfterDates)?;
        let ahead = |moved: i64| {
            moved.checked_add(by).filter(|moved| now.checked_add(*moved).is_some_and(|at| at <= LATEST_MICROS))
        };
        moved.fetch_update(Ordering::AcqRel, Ordering::Acquire, ahead).map_err(|_| MoveError::AfterDates)?;
        Ok(self.wall_time())
    }

    fn moved(&self) -> Duration {
        let moved = self.moved.as_ref().map_or(0, |moved| moved.load(Ordering::Acquire));
        Duration::from_micros(moved.unsigned_abs())
    }

    /// Returns the monotonic time since this clock was made, and by how much it was moved. For what recurs with the time of day.
    pub(crate) fn lived(&self) -> Moment {
        self.now().plus(self.moved())
    }

    /// Returns the monotonic time since this clock was made.
    pub(crate) fn now(&self) -> Moment {
        Moment(0).plus(boot_time().saturating_sub(self.origin))
    }

    /// Returns the time of day: later than every time returned or observed before.
    pub(crate) fn timestamp(&self) -> Timestamp {
        let wall = self.wall_time().0;
        let step = |latest: i64| Some(wall.max(latest + 1));
        let before = self.latest.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        Timestamp(before.map_or(wall, |latest| wall.max(latest + 1)))
    }

    /// Returns the time of day as the machine tells it, without moving the hybrid clock.
    pub(crate) fn wall_time(&self) -> Timestamp {
        Timestamp(wall()).plus(self.moved())
    }

    /// Returns the time of day at which this clock was made.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    /// Returns the time of day when this clock was made plus what has passed since: setting the machine's clock does not move
    /// it. For ages and delays, which must not end early or never because somebody corrected the time.
    pub(crate) fn steady_time(&self) -> Timestamp {
        self.began.plus(self.lived().since(Moment(0)))
    }

    /// Makes every later [`Clock::timestamp`] later than `seen`, a time that was found on disk or came from a peer.
    pub(crate) fn observe(&self, seen: Timestamp) {
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

    #[test]
    fn steady_time_goes_with_the_monotonic_clock_from_the_time_of_the_start() {
        let started = Timestamp(7_000_000);
        let origin = boot_time().saturating_sub(Duration::from_secs(10));
        let clock = Clock { origin, began: started, ..Clock::default() };
        let passed = Duration::from_micros(clock.steady_time().0.abs_diff(started.0));
        assert!((Duration::from_secs(10)..Duration::from_secs(3600)).contains(&passed), "{passed:?}");
        assert_eq!(clock.began(), started);
    }

    #[test]
    fn times_that_no_set_clock_tells_are_refused() {
        let second = Duration::from_secs(1);
        let far = UNIX_EPOCH + Duration::from_micros(LATEST_MICROS.unsigned_abs());
        assert_eq!(plausible(UNIX_EPOCH - 5 * second), Err(Error::BeforeEpoch { seconds: 5 }));
        assert_eq!(plausible(UNIX_EPOCH), Ok(()));
        assert_eq!(plausible(far), Ok(()));
        assert_eq!(plausible(far + second), Err(Error::AfterDates));
    }

    #[test]
    fn times_of_day_are_moved_and_spans_of_waiting_are_not() {
        let hour = Duration::from_secs(3600);
        assert_eq!(Clock::default().advance(hour), Err(MoveError::Fixed));
        let clock = Clock::checked(true).expect("a machine with a set clock");
        let (before, steady, lived, now) = (clock.timestamp(), clock.steady_time(), clock.lived(), clock.now());
        let after = clock.advance(hour).expect("it may be moved");
        assert!(after >= before.plus(hour) && clock.timestamp() > before.plus(hour));
        assert!(clock.steady_time() >= steady.plus(hour) && clock.lived() >= lived.plus(hour));
        assert!(clock.now().since(now) < hour);
        assert_eq!(clock.advance(Duration::MAX), Err(MoveError::AfterDates));
        assert_eq!(clock.advance(Duration::from_secs(400_000 * 24 * 3600 * 10)), Err(MoveError::AfterDates));
        assert!(clock.wall_time() < before.plus(2 * hour), "a refused move moves nothing");
    }
}
