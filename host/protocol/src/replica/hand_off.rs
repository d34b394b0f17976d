//! Handing a partition to another member without a moment in which it cannot be written.
//!
//! ```text
//!  admit no more ─► propose the successor ─► what is under way commits ─► the row names it ─► own promise to the successor
//! ```
//!
//! Operations wait where they entered the group, and go to the successor. It collects promises as every candidate does, but
//! one of them, with the newest log, is on its way before it asks. If the system group decides nothing, the reign goes on.
//! Source: host/docs/protocol.md, "Hand-off, stop, volatile lane".

use steward_model::Moment;

use super::{Effect, Member, Replica, Role, is_listed};

impl Replica {
    pub(super) fn hand_off_asked(&mut self, now: Moment, to: Member, effects: &mut Vec<Effect>) {
        let until = now.plus(self.settings.hand_off_patience);
        let committed = self.committed;
        let (Role::Primary(reign), Some(row)) = (&mut self.role, &self.row) else { return };
        // One that lacks committed records would have to fetch them first, and one that is not listed cannot be named.
        let is_close = reign.progress.proven(to) >= committed;
        // Asked again while it is under way, it would be under way for ever.
        if reign.hand_off.is_some() {
            return;
        }
        if to.node == self.own.node || !is_listed(row, self.partition.lane, to) || !is_close {
            return;
        }
        reign.hand_off = Some((to, until));
        effects.push(Effect::AdmissionChanged);
        effects.push(Effect::MovePrimary { epoch: reign.epoch, to });
    }

    /// Admits again if the system group does not decide.
    pub(super) fn tick_hand_off(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Role::Primary(reign) = &mut self.role else { return };
        if reign.hand_off.is_some_and(|(_, until)| until <= now) {
            reign.hand_off = None;
            effects.push(Effect::AdmissionChanged);
        }
    }
}
