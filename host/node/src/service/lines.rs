//! How many lines the guests of one service write into the log.
//!
//! Problem: a guest that logs in a loop fills a disk in minutes, and nobody finds the lines of others.
//!
//! Promise: in each second a service writes no more lines than it may. The rest is counted, and the first line of a later second is
//! preceded by the number that is missing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use steward_model::Moment;

/// What is counted together.
const WINDOW: Duration = Duration::from_secs(1);

/// What to do with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Write it, and say before how many are missing; usually none.
    Write { missing: u64 },
    /// Drop it; it is counted.
    Drop,
}

/// The lines of one service.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    window: Mutex<Option<Window>>,
}

#[derive(Debug)]
struct Window {
    began: Moment,
    written: u32,
    dropped: u64,
}

impl Lines {
    /// Counts a line at `now`, of which a second may have `max`.
    pub(crate) fn take(&self, now: Moment, max: u32) -> Line {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = match &mut *window {
            Some(open) if now.since(open.began) < WINDOW => {
                if open.written >= max {
                    open.dropped += 1;
                    return Line::Drop;
                }
                open.written += 1;
                return Line::Write { missing: 0 };
            }
            Some(passed) => passed.dropped,
            None => 0,
        };
        *window = Some(Window { began: now, written: 1, dropped: 0 });
        Line::Write { missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_lines_and_tells_what_the_one_before_lacked() {
        let lines = Lines::default();
        let at = |millis: u64| Moment::default().plus(Duration::from_millis(millis));
        assert_eq!(lines.take(at(0), 2), Line::Write { missing: 0 });
        assert_eq!(lines.take(at(1), 2), Line::Write { missing: 0 });
        assert_eq!((lines.take(at(2), 2), lines.take(at(999), 2)), (Line::Drop, Line::Drop));
        assert_eq!(lines.take(at(1000), 2), Line::Write { missing: 2 });
        assert_eq!(lines.take(at(5000), 2), Line::Write { missing: 0 });
    }
}
