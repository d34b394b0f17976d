//! Becoming primary: from the row that names this replica to the marker of its reign.

use std::collections::BTreeMap;

use steward_model::mutation::{self, Mutation};
use steward_model::{Epoch, Moment, Position};

use super::role::Candidate;
use super::{Effect, Member, Replica, Role, Row, is_listed};

impl Replica {
    pub(super) fn table_changed(&mut self, now: Moment, row: Row, effects: &mut Vec<Effect>) {
        let is_news = match &self.row {
            None => true,
            Some(known) => (row.epoch, row.version) > (known.epoch, known.version),
        };
        if !is_news {
            return;
        }
        assert!(
            row.write_quorum >= 1 && row.recovery_quorum >= 1,
            "quorums of {} are at least one: {row:?}",
            self.partition
        );
        let is_new_reign = self.row.as_ref().is_none_or(|known| row.epoch > known.epoch);
        if is_new_reign {
            self.step_down(now, &row, effects);
        }
        let is_member = is_listed(&row, self.partition.lane, self.own);
        let is_named = row.primary == self.own;
        let epoch = row.epoch;
        self.row = Some(row);
        match self.role {
            Role::Tailing if is_member => self.enter(now, Role::InSync),
            Role::InSync if !is_member => self.enter(now, Role::Tailing),
            Role::Tailing | Role::InSync => {}
            // The members or quorums of the current reign have changed: what was short of a quorum may suffice now.
            Role::Candidate(_) => self.adopt(now, effects),
            Role::Activating(_) | Role::Primary(_) => self.advance(now, effects),
        }
        // A promise of a higher epoch came before the row: another candidate has overtaken this one already.
        if is_new_reign && is_named && is_member && epoch >= self.promising {
            self.stand(now, epoch, effects);
        }
    }

    /// Leaves every role that the reign of an earlier epoch gave.
    fn step_down(&mut self, now: Moment, row: &Row, effects: &mut Vec<Effect>) {
        match &self.role {
            Role::Tailing | Role::InSync => {}
            Role::Candidate(_) | Role::Activating(_) => self.enter(now, Role::InSync),
            Role::Primary(reign) => {
                effects.push(Effect::SteppedDown { epoch: reign.epoch, successor: row.primary });
                self.enter(now, Role::InSync);
            }
        }
    }

    /// Becomes candidate for `epoch`: nobody is asked for anything before the own promise is durable.
    fn stand(&mut self, now: Moment, epoch: Epoch, effects: &mut Vec<Effect>) {
        assert!(
            epoch > self.promising,
            "{} on {} is named for epoch {epoch}, which it promised before: a boot never resumes a role",
            self.partition,
            self.own
        );
        self.promising = epoch;
        self.enter(now, Role::Candidate(Candidate { epoch, promises: BTreeMap::new() }));
        effects.push(Effect::PersistPromise(epoch));
    }

    pub(super) fn promise_persisted(&mut self, now: Moment, epoch: Epoch, effects: &mut Vec<Effect>) {
        assert!(
            epoch <= self.promising,
            "{} is told that the promise of epoch {epoch} is persisted, but {} was the last one asked for",
            self.partition,
            self.promising
        );
        self.promised = self.promised.max(epoch);
        let (own, last) = (self.own, self.end);
        self.promise_heard(now, own, epoch, last, effects);
    }

    /// Takes a promise of another member. Any may come late, twice, or from a member that has left.
    pub(super) fn promise_received(
        &mut self,
        now: Moment,
        from: Member,
        epoch: Epoch,
        last: Option<Position>,
        effects: &mut Vec<Effect>,
    ) {
        if from.node != self.own.node {
            self.promise_heard(now, from, epoch, last, effects);
        }
    }

    fn promise_heard(
        &mut self,
        now: Moment,
        from: Member,
        epoch: Epoch,
        last: Option<Position>,
        effects: &mut Vec<Effect>,
    ) {
        match &mut self.role {
            Role::Candidate(candidate) if candidate.epoch == epoch => {
                candidate.promises.insert(from.node, (from.boot, last));
                self.adopt(now, effects);
            }
            Role::Candidate(_) | Role::Tailing | Role::InSync | Role::Activating(_) | Role::Primary(_) => {}
        }
    }

    /// Begins the reign if `r` members have promised it, this one among them, and none has a greater log.
    ///
    /// The greatest log is chosen by (last epoch, offset): by length alone, updates would be lost after three epochs.
    fn adopt(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let (Role::Candidate(candidate), Some(row)) = (&self.role, &self.row) else {
            return;
        };
        if !candidate.promises.contains_key(&self.own.node) {
            return;
        }
        let counted = candidate
            .promises
            .iter()
            .filter(|(node, (boot, _))| is_listed(row, self.partition.lane, Member { node: **node, boot: *boot }));
        let (mut promises, mut greatest) = (0, None);
        for (_, (_, last)) in counted {
            promises += 1;
            greatest = greatest.max(*last);
        }
        let needed = row.recovery_quorum - u32::from(mutation::is(Mutation::OnePromiseLess));
        let is_greatest = match mutation::is(Mutation::LogChosenByLength) {
            true => greatest.map(|last| last.offset) <= self.end.map(|end| end.offset),
            false => greatest <= self.end,
        };
        if promises >= needed && is_greatest {
            let epoch = candidate.epoch;
            self.activate(now, epoch, effects);
        }
    }
}
