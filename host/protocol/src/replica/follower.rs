//! Following: promises, and the rules by which a copy takes what a primary sends.
//!
//! Promise: an acknowledgement covers what appends of one reign have proven, and that is on the own disk; a promise is on
//! disk before anything that depends on it; what is known to be committed is never cut (I7, I8, I9).
//!
//! | rule | |
//! |---|---|
//! | 1 | a message counts for the boots at both ends of its connection; the driver sees to it |
//! | 2 | an append of a lower epoch than the promised one is refused with that |
//! | 3 | of a higher epoch: accepting is promising. Promise and records go to the log in this order, so neither is answered before both are durable |
//! | 4 | the record before the first one must be there, else the outline of the log goes back |
//! | 5 | a record that is there already is passed over; another epoch at an offset cuts the log from there on. A shorter append never cuts |
//! | 6 | the acknowledgement covers what appends have proven, never the own end |
//! | 7 | known to be committed is the lesser of what the message says and what is proven |
//!
//! A copy that is in no in-sync set promises and follows, too: its own knowledge of the row may be old, and whether it
//! counts is judged by the candidate and by the primary.
//!
//! Source: host/docs/protocol.md, "Rules of a member for `Append`" and "A new reign"; Raft's AppendEntries.

use std::sync::Arc;

use steward_model::mutation::{self, Mutation};
use steward_model::update::Record;
use steward_model::{Epoch, Moment, Offset, Position};

use super::effect::{LogRead, Purpose};
use super::following::Following;
use super::message::{Append, LogOutline, Refused};
use super::{Effect, Member, Message, Replica, Role};

impl Replica {
    pub(super) fn refuse_as_promised(&self, to: Member, epoch: Epoch, effects: &mut Vec<Effect>) {
        let message = Message::Refusal { epoch, reason: Refused::Promised(self.promising) };
        effects.push(Effect::Send { to, message });
    }

    /// Takes the promise of `epoch` upon itself: leaves every role of an earlier one, and has the promise written down.
    pub(super) fn promise(&mut self, now: Moment, epoch: Epoch, of: Option<Member>, effects: &mut Vec<Effect>) {
        self.leave_reign(now, of, effects);
        self.following = None;
        self.promising = epoch;
        effects.push(Effect::PersistPromise(epoch));
    }

    pub(super) fn promise_wanted(&mut self, now: Moment, from: Member, epoch: Epoch, effects: &mut Vec<Effect>) {
        if epoch < self.promising {
            return self.refuse_as_promised(from, epoch, effects);
        }
        if epoch > self.promising {
            self.promise(now, epoch, Some(from), effects);
        }
        self.asker = Some((epoch, from));
        self.answer_asker(effects);
    }

    /// Gives the promise that somebody waits for, once it is durable.
    pub(super) fn answer_asker(&mut self, effects: &mut Vec<Effect>) {
        let Some((epoch, to)) = self.asker.filter(|(epoch, _)| *epoch <= self.promised) else { return };
        self.asker = None;
        // Another candidate has overtaken this one.
        if epoch < self.promising {
            return self.refuse_as_promised(to, epoch, effects);
        }
        // All of the own log: whatever stands in it was appended before the promise, to the same log, which is written in
        // its order. Only the reign of this epoch appends behind it, and that one asks no more.
        effects.push(Effect::Send { to, message: Message::Promise { epoch, log: self.outline() } });
    }

    pub(super) fn outline(&self) -> LogOutline {
        LogOutline { lineage: self.lineage.clone(), last: self.end, start: self.start }
    }

    pub(super) fn append_received(&mut self, now: Moment, from: Member, append: Append, effects: &mut Vec<Effect>) {
        let epoch = append.epoch;
        if epoch < self.promising && !mutation::is(Mutation::PromiseNotKept) {
            return self.refuse_as_promised(from, epoch, effects);
        }
        // Nobody else reigns in the epoch for which this replica was named.
        if self.own_epoch() == Some(epoch) {
            return;
        }
        if epoch > self.promising {
            self.promise(now, epoch, Some(from), effects);
        }
        if !self.has_previous(append.previous) && !mutation::is(Mutation::PreviousUnchecked) {
            let reason = Refused::Unmatched { log: self.outline(), committed: self.committed };
            effects.push(Effect::Send { to: from, message: Message::Refusal { epoch, reason } });
            return;
        }
        let proven = self.take_records(append.previous, append.records, effects);
        self.low = self.low.max(append.low);
        self.note_proven(epoch, from, proven);
        self.learn_committed(append.committed, effects);
        self.acknowledge(effects);
    }

    /// Returns true if the own log has the record at `previous`. What is committed every reign agrees about, also where the
    /// lineage no longer says in which epoch it was.
    fn has_previous(&self, previous: Option<Position>) -> bool {
        previous.is_none_or(|previous| self.holds(previous) || Some(previous.offset) <= self.committed)
    }

    /// Returns true if the record at `offset` is committed, and the lineage no longer says in which epoch it was: it is there,
    /// or was, as in every log.
    fn has_forgotten(&self, offset: Offset) -> bool {
        Some(offset) <= self.committed && self.lineage.epoch_at(offset).is_none()
    }

    /// Takes the records that fit, in their order, and returns the last one that is proven by then.
    fn take_records(
        &mut self,
        previous: Option<Position>,
        records: Vec<Arc<Record>>,
        effects: &mut Vec<Effect>,
    ) -> Option<Position> {
        let mut proven = previous;
        for record in records {
            let position = record.position;
            let expected = proven.map_or(Offset(0), |proven| proven.offset.next());
            // Messages of peers are not trusted to be whole: what does not follow is not there.
            let before = proven.map_or(Epoch::ZERO, |proven| proven.epoch);
            let is_next = position.offset == expected && record.previous == before && position.epoch >= before;
            if !is_next || position.epoch > self.promising {
                break;
            }
            if !self.holds(position) && !self.has_forgotten(position.offset) {
                if self.end.is_some_and(|end| end.offset >= position.offset) {
                    self.cut(proven, effects);
                }
                self.copy_record(record, effects);
            }
            proven = Some(position);
        }
        if mutation::is(Mutation::ShorterAppendCuts) && proven.map(|p| p.offset) < self.end.map(|end| end.offset) {
            self.cut(proven, effects);
        }
        proven
    }

    /// Appends a record that another member has ordered.
    pub(super) fn copy_record(&mut self, record: Arc<Record>, effects: &mut Vec<Effect>) {
        let position = record.position;
        if self.last_epoch() != position.epoch {
            self.lineage.begin(position.epoch, position.offset);
        }
        self.end = Some(position);
        effects.push(Effect::Persist(record));
    }

    fn note_proven(&mut self, epoch: Epoch, primary: Member, proven: Option<Position>) {
        match &mut self.following {
            Some(following) if following.epoch == epoch => {
                following.primary = primary;
                following.proven = following.proven.max(proven);
                following.owes = true;
            }
            Some(_) | None => {
                self.following = Some(Following { epoch, primary, proven, acknowledged: None, owes: true });
            }
        }
    }

    fn learn_committed(&mut self, said: Option<Offset>, effects: &mut Vec<Effect>) {
        let Some(following) = &self.following else { return };
        let proven = following.proven.map(|proven| proven.offset);
        let known = match mutation::is(Mutation::CommitBeyondProven) {
            true => said.min(self.end.map(|end| end.offset)),
            false => said.min(proven),
        };
        if let Some(through) = known.filter(|_| known > self.committed) {
            self.committed = Some(through);
            effects.push(Effect::Commit { through });
        }
    }

    /// Acknowledges what is proven and durable by now, if something is owed.
    pub(super) fn acknowledge(&mut self, effects: &mut Vec<Effect>) {
        let (promised, durable) = (self.promised, self.durable);
        let Some(following) = self.following.as_mut().filter(|following| following.owes) else { return };
        // I7: a restart must find the promise and the records.
        if promised < following.epoch {
            return;
        }
        let proven = following.proven;
        let held = match mutation::is(Mutation::AcknowledgedBeforeDurable) {
            true => proven.map(|proven| proven.offset),
            false => proven.map(|proven| proven.offset).min(durable),
        };
        let is_all = held >= proven.map(|proven| proven.offset);
        // What is on its way to the disk is acknowledged from there.
        if !is_all && held <= following.acknowledged {
            return;
        }
        following.owes = !is_all;
        following.acknowledged = following.acknowledged.max(held);
        let (to, epoch) = (following.primary, following.epoch);
        let through = held.and_then(|offset| Some(Position { epoch: self.lineage.epoch_at(offset)?, offset }));
        let (committed, low, start) = (self.committed, self.low, self.start);
        // The epoch of what is committed may be forgotten; the next append proves something newer.
        if through.is_some() || held.is_none() {
            let message = Message::Acknowledgement { epoch, through, committed, low, start };
            effects.push(Effect::Send { to, message });
        }
    }

    /// Has records read for a candidate that adopts this log.
    pub(super) fn fetch_asked(
        &mut self,
        from: Member,
        epoch: Epoch,
        after: Option<Position>,
        effects: &mut Vec<Effect>,
    ) {
        if epoch < self.promising {
            return self.refuse_as_promised(from, epoch, effects);
        }
        // Only who has promised is asked, and its log stays as it was then. What it has not promised it does not answer for.
        if epoch == self.promised && self.has_previous(after) {
            let (records_max, bytes_max) = (self.settings.message_records_max, self.settings.message_bytes_max);
            let purpose = Purpose::Adoption;
            effects.push(Effect::ReadLog(LogRead { to: from, epoch, purpose, after, records_max, bytes_max }));
        }
    }

    /// Takes what was read from the own log, and hands it on.
    pub(super) fn log_read(
        &mut self,
        now: Moment,
        read: LogRead,
        records: Vec<Arc<Record>>,
        effects: &mut Vec<Effect>,
    ) {
        // Between the question and the answer the log may have been cut, or trimmed.
        let mut expected = read.after.map_or(Offset(0), |after| after.offset.next());
        let fits = |record: &Arc<Record>| {
            let is_next = record.position.offset == expected && self.holds(record.position);
            expected = expected.next();
            is_next
        };
        let records: Vec<_> = records.into_iter().take_while(fits).collect();
        match read.purpose {
            Purpose::Feed => self.read_for_copy(now, read, records, effects),
            Purpose::Adoption if read.epoch == self.promising && !records.is_empty() => {
                let message = Message::Records { epoch: read.epoch, after: read.after, records };
                effects.push(Effect::Send { to: read.to, message });
            }
            Purpose::Adoption => {}
        }
    }

    /// Returns the epoch for which this replica was named and which it has not given up.
    pub(super) fn own_epoch(&self) -> Option<Epoch> {
        match &self.role {
            Role::Tailing | Role::InSync => None,
            Role::Candidate(candidate) => Some(candidate.epoch),
            Role::Activating(reign) | Role::Primary(reign) => Some(reign.epoch),
        }
    }
}
