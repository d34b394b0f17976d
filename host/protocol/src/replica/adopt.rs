//! Adopting a greater log: a candidate takes what another member has before its reign begins.
//!
//! What the candidate has behind the common point is cut: the greatest of `r` logs does not have it, so no `W` members do,
//! and none ever will, since `r` of them support nothing below this epoch any more. What it lacks is fetched. Between the
//! two, and wherever a crash ends them, its log is the beginning of one that a primary has written; it is elected again, or
//! not, by what it has then.
//!
//! The member with the greatest log may fall silent. Then its promise is forgotten, and the rest may be enough without it;
//! if it speaks again it promises again.

use std::sync::Arc;

use steward_model::update::Record;
use steward_model::{Epoch, Moment, Offset, Position};

use super::message::LogOutline;
use super::role::Source;
use super::{Effect, Member, Message, Replica, Role};

impl Replica {
    /// Cuts what another log does not have, and asks for what it has.
    pub(super) fn take_from(&mut self, now: Moment, member: Member, log: &LogOutline, effects: &mut Vec<Effect>) {
        let common = self.lineage.common(self.end, &log.lineage, log.last).map(|common| common.offset);
        // All logs agree about what is committed, also where one of them has forgotten its epochs.
        let keep = common.max(self.committed);
        if self.end.map(|end| end.offset) > keep {
            self.cut(keep.and_then(|offset| self.position_at(offset)), effects);
        }
        let Role::Candidate(candidate) = &mut self.role else { return };
        let is_asked = candidate.source.is_some_and(|source| source.member == member && source.ask_again > now);
        if !is_asked {
            self.fetch(now, member, effects);
        }
    }

    fn fetch(&mut self, now: Moment, member: Member, effects: &mut Vec<Effect>) {
        let after = self.end;
        let ask_again = now.plus(self.settings.resend);
        let Role::Candidate(candidate) = &mut self.role else { return };
        let known = candidate.source.filter(|source| source.member == member);
        let give_up = known.map_or(now.plus(self.settings.fetch_patience), |source| source.give_up);
        candidate.source = Some(Source { member, ask_again, give_up });
        let epoch = candidate.epoch;
        effects.push(Effect::Send { to: member, message: Message::Fetch { epoch, after } });
    }

    pub(super) fn records_received(
        &mut self,
        now: Moment,
        (from, epoch): (Member, Epoch),
        after: Option<Position>,
        records: Vec<Arc<Record>>,
        effects: &mut Vec<Effect>,
    ) {
        let end = self.end;
        let patience = self.settings.fetch_patience;
        let Role::Candidate(candidate) = &mut self.role else { return };
        // Repeated, late, or of another member that was asked before: the own log has gone on.
        if candidate.epoch != epoch || after != end || records.is_empty() {
            return;
        }
        let Some(source) = candidate.source.as_mut().filter(|source| source.member.node == from.node) else { return };
        (source.ask_again, source.give_up) = (now, now.plus(patience));
        let mut expected = end;
        for record in records {
            let offset = expected.map_or(Offset(0), |position| position.offset.next());
            let before = expected.map_or(Epoch::ZERO, |position| position.epoch);
            let position = record.position;
            let is_next = position.offset == offset && record.previous == before && position.epoch >= before;
            if !is_next || position.epoch >= epoch {
                break;
            }
            self.copy_record(record, effects);
            expected = Some(position);
        }
        self.adopt(now, effects);
    }

    pub(super) fn tick_adoption(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Role::Candidate(candidate) = &mut self.role else { return };
        let Some(source) = candidate.source.filter(|source| source.ask_again <= now) else { return };
        if source.give_up <= now {
            candidate.source = None;
            candidate.promises.remove(&source.member.node);
            return self.adopt(now, effects);
        }
        self.fetch(now, source.member, effects);
    }
}
