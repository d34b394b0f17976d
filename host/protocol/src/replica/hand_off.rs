//! Giving a partition away without a moment in which it cannot be written.
//!
//! ```text
//!  admit no more ─► what is under way commits ─► propose the successor ─► the row names it ─► own promise to the successor
//! ```
//!
//! The order matters: a record that is not committed when the row changes is at the mercy of the successor, which may hear
//! `r` promises of members that do not have it, and cut it. Its client would be told that the outcome is unknown.
//!
//! Operations wait where they entered the group, and go to the successor. It collects promises as every candidate does, but
//! one of them, with the newest log, is on its way before it asks. If the system group decides nothing, the reign goes on.
//! A node that stops gives all its partitions away at once: the system group chooses who follows, by one entry. Until that
//! entry it may be named for more, or be about to begin a reign: such a reign begins as one that is given away.
//! Source: host/docs/protocol.md, "Hand-off, stop, volatile lane".

use steward_model::Moment;

use super::role::HandOff;
use super::{Effect, Member, Replica, Role, is_listed};

impl Replica {
    pub(super) fn hand_off_asked(&mut self, now: Moment, to: Member, effects: &mut Vec<Effect>) {
        let committed = self.committed;
        let (Role::Primary(reign), Some(row)) = (&self.role, &self.row) else { return };
        // One that lacks committed records would have to fetch them first, and one that is not listed cannot be named.
        let is_close = reign.progress.proven(to) >= committed;
        if to.node == self.own.node || !is_listed(row, self.partition.lane, to) || !is_close {
            return;
        }
        self.admit_no_more(now, Some(to), effects);
    }

    /// The node stops. A partition that nobody else could order goes on until the end.
    pub(super) fn leave_asked(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        // Kept whatever the role is now: what a reign admits that begins before the system group has decided would be appended
        // when the next one is named, and its clients would never learn what became of it.
        self.leaves_until = Some(now.plus(self.settings.hand_off_patience));
        if self.has_others() {
            self.admit_no_more(now, None, effects);
        }
    }

    /// Returns the hand-off with which a reign begins on a node that stops; none on one that goes on.
    pub(super) fn begun_leaving(&self, now: Moment) -> Option<HandOff> {
        let until = self.leaves_until.filter(|until| *until > now && self.has_others())?;
        Some(HandOff { to: None, until, is_proposed: false })
    }

    fn has_others(&self) -> bool {
        self.row.as_ref().is_some_and(|row| row.in_sync.iter().any(|member| member.node != self.own.node))
    }

    fn admit_no_more(&mut self, now: Moment, to: Option<Member>, effects: &mut Vec<Effect>) {
        let until = now.plus(self.settings.hand_off_patience);
        let (Role::Activating(reign) | Role::Primary(reign)) = &mut self.role else { return };
        match &mut reign.hand_off {
            // Whoever stops asks until somebody follows. To one member it is given once: asked again while it is under way, it
            // would be under way for ever.
            Some(hand_off) if to.is_none() => hand_off.until = until,
            Some(_) => {}
            None => {
                reign.hand_off = Some(HandOff { to, until, is_proposed: false });
                effects.push(Effect::AdmissionChanged);
                self.propose_successor(effects);
            }
        }
    }

    /// Proposes the successor, once everything in the log is committed. Nothing is appended behind it: nothing is admitted.
    pub(super) fn propose_successor(&mut self, effects: &mut Vec<Effect>) {
        if self.has_uncommitted() {
            return;
        }
        let Role::Primary(reign) = &mut self.role else { return };
        let epoch = reign.epoch;
        let Some(hand_off) = reign.hand_off.as_mut().filter(|hand_off| !hand_off.is_proposed) else { return };
        let Some(to) = hand_off.to else { return };
        hand_off.is_proposed = true;
        effects.push(Effect::MovePrimary { epoch, to });
    }

    /// Admits again if the system group does not decide.
    pub(super) fn tick_hand_off(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let (Role::Activating(reign) | Role::Primary(reign)) = &mut self.role else { return };
        if reign.hand_off.is_some_and(|hand_off| hand_off.until <= now) {
            reign.hand_off = None;
            effects.push(Effect::AdmissionChanged);
        }
    }

    /// Returns true if this replica orders updates and has appended some that are not committed yet.
    pub fn has_uncommitted(&self) -> bool {
        matches!(self.role, Role::Primary(_)) && self.end.map(|end| end.offset) > self.committed
    }
}
