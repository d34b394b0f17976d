//! The pace of the applier: a run that nobody waits for is spread over the time until the next one.
//!
//! Problem: a run applies what was gathered for a fifth of a second, some tens of milliseconds of work. Done in one go it takes a processor
//! from those who answer for as long, and while clients ask for most of what the machine can do, their requests queue up behind it.
//!
//! Promise: where more processor time is left than the applier needs, it works for a moment and rests for longer. It does not where
//! somebody waits for it (a listing), where the host stops, or where so much has come in meanwhile that the next run is due: under full load
//! it takes what it needs, or the stores would fall behind without end.

use std::time::Duration;

use steward_model::Moment;
use steward_replication::applier::Backlog;

use super::hands::GATHERED_MAX;

/// For how long the applier works before it rests.
const PORTION: Duration = Duration::from_millis(1);

/// How many times as long it rests.
const RESTS: u32 = 2;

/// For how long it rests at the longest: a batch for which the disk was slow asks for no more.
const REST_MAX: Duration = Duration::from_millis(20);

/// How long the applier has worked without a rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    since: Moment,
}

impl Pace {
    /// Returns the pace of a run that begins now.
    pub(super) fn from(now: Moment) -> Pace {
        Pace { since: now }
    }

    /// Returns for how long to rest at `now`; none if the run goes on at once. `backlog` is what has come in since the run began.
    pub(super) fn rest(&self, now: Moment, backlog: &Backlog) -> Option<Duration> {
        let worked = now.since(self.since);
        let is_urgent = backlog.hurry || backlog.records >= GATHERED_MAX;
        (worked >= PORTION && !is_urgent).then_some((worked * RESTS).min(REST_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(worked: Duration, backlog: &Backlog) -> Option<Duration> {
        let began = Moment(5_000_000);
        Pace::from(began).rest(began.plus(worked), backlog)
    }

    #[test]
    fn a_run_for_which_nobody_waits_rests_for_longer_than_it_works() {
        let backlog = Backlog { records: GATHERED_MAX - 1, ..Backlog::default() };
        assert_eq!(after(PORTION / 2, &backlog), None);
        assert_eq!(after(PORTION * 3, &backlog), Some(PORTION * 3 * RESTS));
        assert_eq!(after(Duration::from_secs(1), &backlog), Some(REST_MAX));
    }

    #[test]
    fn a_run_for_which_somebody_waits_or_behind_which_the_next_is_due_does_not_rest() {
        assert_eq!(after(PORTION, &Backlog { hurry: true, ..Backlog::default() }), None);
        assert_eq!(after(PORTION, &Backlog { records: GATHERED_MAX, ..Backlog::default() }), None);
    }
}
