//! Becoming primary: from the row that names this replica to the marker of its reign.

use std::collections::BTreeMap;

use steward_model::mutation::{self, Mutation};
use steward_model::{Epoch, Moment, Position};

use super::role::Candidate;
use super::{Effect, Member, Replica, Role, Row, is_listed};

impl Replica {
    pub(super) fn table_changed(&mut self, now: Moment, row: Row, effects: &mut Vec<Effect>) {
        // Rows come late and twice. Neither number falls (I20), so a lower pair is old, and must not bring a reign
        // back.
        let is_news = match &self.row {
            None => true,
            Some(known) => (row.epoch, row.version) > (known.epoch, known.version),
        };
        if !is_news {
            return;
        }
        assert!(
            row.write_quorum >= 1 && row.recovery_quorum >= 1,
            "quorums of {} are at least one, not those of {row}",
            self.partition
        );
        let is_new_reign = self.row.as_ref().is_none_or(|known| row.epoch > known.epoch);
        // First, so that nothing below counts promises or acknowledgements for a reign that is over (I3).
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
            // The members or quorums of the current reign have changed: what was short of a quorum may suffice now. The
            // replica itself cannot have left the set: within its epoch the named member is always in it.
            Role::Candidate(_) => self.adopt(now, effects),
            Role::Activating(_) | Role::Primary(_) => self.advance(now, effects),
        }
        // Named is this very boot, or nobody here (I3): what an earlier one had promised to do went with it. Who is not
        // listed promises nothing that counts (I14). Below a promise of its own another candidate has overtaken this
        // one already; equal to it the role would be resumed, which `stand` takes for the fault of the system group
        // that it is.
        if is_new_reign && is_named && is_member && epoch >= self.promising {
            self.stand(now, epoch, effects);
        }
    }

    /// Leaves every role that the reign of an earlier epoch gave.
    fn step_down(&mut self, now: Moment, row: &Row, effects: &mut Vec<Effect>) {
        match &self.role {
            Role::Tailing | Role::InSync => {}
            // They served nobody, so nobody is told. The marker stays in the log: the next reign commits it with its
            // own, or cuts it. Whether the replica is still listed, the new row decides.
            Role::Candidate(_) | Role::Activating(_) => self.enter(now, Role::InSync),
            Role::Primary(reign) => {
                effects.push(Effect::StopServing { epoch: reign.epoch, successor: row.primary });
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
        // At once, not when it is durable: a row that comes in between must find the promise given.
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
        // All of the own log counts, although the end was perhaps not reported durable yet: it was appended before the
        // promise, to the same log, which is written in its order.
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
            // Of another epoch, or too late: the reign has its `r` promises, or is over. It fences its sender all the
            // same.
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
        // Without its own promise on disk it may not append in this epoch, however many others promised (I7).
        if !candidate.promises.contains_key(&self.own.node) {
            return;
        }
        // In the volatile lane a promise of an earlier boot speaks of a memory that is gone (I14).
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
        // I4: among any `r` members is one that holds all that is committed, and the greatest log holds that too. An
        // equal end is as good: the same position means the same log (I8). With a lesser log the candidate waits, as
        // nobody can be asked for the rest; leading with it would order other updates in the place of committed ones
        // (I2).
        if promises >= needed && is_greatest {
            let epoch = candidate.epoch;
            self.activate(now, epoch, effects);
        }
    }
}
