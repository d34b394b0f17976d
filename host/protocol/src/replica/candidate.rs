//! Becoming primary: from the row that names this replica to the marker of its reign.

use std::collections::BTreeMap;

use steward_model::mutation::{self, Mutation};
use steward_model::{Epoch, Moment};

use super::message::LogOutline;
use super::role::Candidate;
use super::{Effect, Member, Message, Replica, Role, Row, is_listed};

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
            Role::Candidate(_) => {
                self.ask_for_promises(now, effects);
                self.adopt(now, effects);
            }
            Role::Activating(_) | Role::Primary(_) => self.row_altered(now, effects),
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
        let is_handed_on = matches!(self.role, Role::Primary(_)) && row.primary.node != self.own.node;
        self.leave_reign(now, Some(row.primary), effects);
        // Whoever reigned has the newest log: its successor is spared the question.
        if is_handed_on && row.epoch > self.promising {
            self.promise(now, row.epoch, Some(row.primary), effects);
            self.asker = Some((row.epoch, row.primary));
        }
    }

    /// Becomes a member like others: a higher epoch was heard of.
    pub(super) fn leave_reign(&mut self, now: Moment, successor: Option<Member>, effects: &mut Vec<Effect>) {
        match &self.role {
            Role::Tailing | Role::InSync => return,
            // They served nobody, so nobody is told. The marker stays in the log: the next reign commits it with its
            // own, or cuts it. Whether the replica is still listed, the next row decides.
            Role::Candidate(_) | Role::Activating(_) => {}
            Role::Primary(reign) => {
                effects.extend(reign.reads.waiting().map(|through| Effect::ReadsRefused { through }));
                effects.push(Effect::StopServing { epoch: reign.epoch, successor });
            }
        }
        self.enter(now, Role::InSync);
    }

    /// Becomes candidate for `epoch`. The members are asked at once: their promises count once the own one is durable.
    fn stand(&mut self, now: Moment, epoch: Epoch, effects: &mut Vec<Effect>) {
        assert!(
            epoch > self.promising,
            "{} on {} is named for epoch {epoch}, which it promised before: a boot never resumes a role",
            self.partition,
            self.own
        );
        // At once, not when it is durable: a row that comes in between must find the promise given.
        self.promise(now, epoch, None, effects);
        let ask_again = now.plus(self.settings.resend);
        self.enter(now, Role::Candidate(Candidate { epoch, promises: BTreeMap::new(), source: None, ask_again }));
        self.ask_for_promises(now, effects);
    }

    /// Asks the members that have not promised.
    fn ask_for_promises(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let (Role::Candidate(candidate), Some(row)) = (&mut self.role, &self.row) else { return };
        candidate.ask_again = now.plus(self.settings.resend);
        let (own, epoch) = (self.own, candidate.epoch);
        let others = row.in_sync.iter().filter(|member| member.node != own.node);
        for to in others.filter(|member| !candidate.promises.contains_key(&member.node)) {
            effects.push(Effect::Send { to: *to, message: Message::PromiseRequest { epoch } });
        }
    }

    pub(super) fn promise_persisted(&mut self, now: Moment, epoch: Epoch, effects: &mut Vec<Effect>) {
        assert!(
            epoch <= self.promising,
            "{} is told that the promise of epoch {epoch} is persisted, but {} was the last one asked for",
            self.partition,
            self.promising
        );
        self.promised = self.promised.max(epoch);
        self.answer_asker(effects);
        self.acknowledge(effects);
        // All of the own log counts, although the end was perhaps not reported durable yet: it was appended before the
        // promise, to the same log, which is written in its order.
        let (own, log) = (self.own, LogOutline { lineage: Default::default(), last: self.end, start: self.start });
        self.promise_heard(now, own, epoch, log, effects);
    }

    /// Takes a promise of another member. Any may come late, twice, or from a member that has left.
    pub(super) fn promise_received(
        &mut self,
        now: Moment,
        from: Member,
        epoch: Epoch,
        log: LogOutline,
        effects: &mut Vec<Effect>,
    ) {
        if from.node != self.own.node {
            self.promise_heard(now, from, epoch, log, effects);
        }
    }

    fn promise_heard(&mut self, now: Moment, from: Member, epoch: Epoch, log: LogOutline, effects: &mut Vec<Effect>) {
        match &mut self.role {
            Role::Candidate(candidate) if candidate.epoch == epoch => {
                candidate.promises.insert(from.node, (from.boot, log));
                self.adopt(now, effects);
            }
            // Of another epoch, or too late: the reign has its `r` promises, or is over. It fences its sender all the
            // same.
            Role::Candidate(_) | Role::Tailing | Role::InSync | Role::Activating(_) | Role::Primary(_) => {}
        }
    }

    /// Begins the reign if `r` members have promised it, this one among them, and none has a greater log; adopts the
    /// greatest if that is another's.
    ///
    /// The greatest log is chosen by (last epoch, offset): by length alone, updates would be lost after three epochs.
    pub(super) fn adopt(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let (Role::Candidate(candidate), Some(row)) = (&self.role, &self.row) else {
            return;
        };
        // Without its own promise on disk it may not append in this epoch, however many others promised (I7).
        if !candidate.promises.contains_key(&self.own.node) {
            return;
        }
        // In the volatile lane a promise of an earlier boot speaks of a memory that is gone (I14).
        let counted = candidate.promises.iter().filter_map(|(node, (boot, log))| {
            let member = Member { node: *node, boot: *boot };
            is_listed(row, self.partition.lane, member).then_some((member, log))
        });
        let counted: Vec<_> = counted.collect();
        let needed = row.recovery_quorum as usize - usize::from(mutation::is(Mutation::OnePromiseLess));
        let needed = if mutation::is(Mutation::RecoveryListensToItself) { 1 } else { needed };
        // I4: among any `r` members is one that holds all that is committed, and the greatest log holds that too.
        if counted.len() < needed {
            return;
        }
        let others = || counted.iter().filter(|(member, _)| member.node != self.own.node).copied();
        let greatest = match mutation::is(Mutation::LogChosenByLength) {
            true => others().max_by_key(|(_, log)| log.last.map(|last| last.offset)),
            false => others().max_by_key(|(_, log)| log.last),
        };
        let epoch = candidate.epoch;
        match greatest {
            Some((member, log)) if self.is_greater(log) => {
                // The one that is asked already goes on, if its log is as great.
                let source = candidate.source.map(|source| source.member);
                let same = others().find(|(other, it)| Some(*other) == source && it.last == log.last);
                let (member, log) = same.unwrap_or((member, log));
                let log = log.clone();
                self.take_from(now, member, &log, effects);
            }
            // An equal end is as good: the same position means the same log (I8).
            Some(_) | None => self.activate(now, epoch, effects),
        }
    }

    /// Returns true if another log is greater than the own one. Leading with a lesser one would order other updates in the
    /// place of committed ones (I2).
    fn is_greater(&self, log: &LogOutline) -> bool {
        match mutation::is(Mutation::LogChosenByLength) {
            true => log.last.map(|last| last.offset) > self.end.map(|end| end.offset),
            false => log.last > self.end,
        }
    }

    /// Asks again those who are silent.
    pub(super) fn tick_candidate(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Role::Candidate(candidate) = &self.role else { return };
        if candidate.ask_again <= now {
            self.ask_for_promises(now, effects);
        }
        self.tick_adoption(now, effects);
    }
}
