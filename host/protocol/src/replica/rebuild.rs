//! What the driver says about the own log as a whole: its beginning was trimmed, or all of it was replaced by another copy's.

use steward_model::Offset;

use super::message::{LogOutline, shown};
use super::{Effect, Replica, Role};

impl Replica {
    /// Takes note that the log no longer has what is below `start`.
    pub(super) fn trimmed(&mut self, start: Offset) {
        self.start = self.start.max(start);
        self.lineage.prune_below(self.start);
    }

    /// Begins anew with a log that was taken from another copy, all of it committed.
    ///
    /// # Panics
    /// If the replica counts for something, or the new log ends below the one that it had: a primary may have heard that it
    /// holds all of that, and count on it as soon as it is listed. Taken from a reign that has committed its marker, a log
    /// ends above every other one.
    pub(super) fn rebuilt(&mut self, log: LogOutline, effects: &mut Vec<Effect>) {
        assert!(
            self.role == Role::Tailing,
            "{} is made anew as {}: only a copy that counts for nothing may be",
            self.partition,
            self.role()
        );
        let LogOutline { lineage, last, start } = log;
        let through = last.map(|last| last.offset);
        assert!(
            last >= self.end && through >= self.committed && lineage.last_epoch() == last.map(|last| last.epoch),
            "{} is made anew through {}, but its log ends with {}, and {} is committed",
            self.partition,
            shown(&last),
            shown(&self.end),
            shown(&self.committed)
        );
        (self.lineage, self.end, self.durable, self.start) = (lineage, last, through, start);
        (self.committed, self.was_cut, self.following) = (through, true, None);
        // A log with records of a reign promises it, here as at a start: an append of an earlier reign must not cut them.
        self.promising = self.promising.max(self.last_epoch());
        self.promised = self.promised.max(self.last_epoch());
        if let Some(through) = through {
            effects.push(Effect::Commit { through });
        }
    }
}
