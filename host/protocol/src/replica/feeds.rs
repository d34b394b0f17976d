//! All copies that a reign feeds: who they are, what they say, and what each is sent of it.
//!
//! What is on its way to one copy is the matter of [`Feed`](super::feed::Feed).

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_model::update::Record;
use steward_model::{Moment, NodeId, Offset};

use super::effect::LogRead;
use super::feed::{Feed, Log};
use super::message::{LogOutline, Said};
use super::role::Reign;
use super::tail::Tail;
use super::{Effect, Member, Replica, Role, is_listed};

impl Replica {
    /// Returns what feeds need to know, and the reign if there is one.
    fn reign_and_log(&mut self) -> Option<(&mut Reign, Log<'_>)> {
        let (Role::Activating(reign) | Role::Primary(reign)) = &mut self.role else { return None };
        let log = Log {
            epoch: reign.epoch,
            lineage: &self.lineage,
            start: self.start,
            end: self.end,
            committed: self.committed,
            low: self.low,
            settings: self.settings,
        };
        Some((reign, log))
    }

    /// Has a feed for each copy that belongs somewhere: members, targets, and those who were proposed.
    pub(super) fn sync_feeds(&mut self, now: Moment, next: Offset) {
        let Some(row) = &self.row else { return };
        let listed = row.in_sync.iter().chain(&self.targets);
        let mut wanted: BTreeMap<NodeId, Member> = BTreeMap::new();
        for member in listed.filter(|member| member.node != self.own.node) {
            // The row and the targets may know different boots; the later one is there.
            let known = wanted.entry(member.node).or_insert(*member);
            *known = (*known).max(*member);
        }
        let Some((reign, log)) = self.reign_and_log() else { return };
        let proposed = reign.undecided.iter().flat_map(|undecided| &undecided.in_sync);
        reign.feeds.retain(|node, _| wanted.contains_key(node) || proposed.clone().any(|member| member.node == *node));
        for (node, member) in wanted {
            match reign.feeds.get_mut(&node) {
                Some(feed) if feed.member == member => {}
                // Another boot has received nothing of what is under way.
                Some(_) | None => {
                    reign.feeds.insert(node, Feed::new(now, member, next, log.last()));
                }
            }
        }
        if reign.feeds.is_empty() {
            reign.tail = Tail::default();
        }
    }

    /// Sends every copy what may be under way.
    pub(super) fn feed(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Some((reign, log)) = self.reign_and_log() else { return };
        for feed in reign.feeds.values_mut() {
            feed.pump(now, &log, &reign.tail, effects);
        }
    }

    /// Keeps a record for the copies, and notes since when they lack it.
    pub(super) fn keep_for_copies(&mut self, now: Moment, record: &Arc<Record>) {
        let (before, bytes_max, lag) = (self.end, self.settings.tail_bytes_max, self.settings.in_sync_lag);
        let Some((reign, _)) = self.reign_and_log() else { return };
        if reign.feeds.is_empty() {
            return;
        }
        reign.tail.push(Arc::clone(record), bytes_max);
        reign.review.get_or_insert(now.plus(lag));
        for feed in reign.feeds.values_mut() {
            let proven = reign.progress.proven(feed.member);
            if proven >= before.map(|before| before.offset) {
                feed.set_mark(now, proven, Some(record.position.offset));
            }
        }
    }

    /// Takes note of what a copy holds, as it said itself.
    pub(super) fn copy_acknowledged(&mut self, now: Moment, from: Member, through: Option<Offset>, said: Said) {
        let Some((reign, log)) = self.reign_and_log() else { return };
        let Some(feed) = reign.feeds.get_mut(&from.node) else { return };
        feed.knows = feed.knows.max(said.committed);
        feed.knows_low = feed.knows_low.max(said.low);
        feed.start = Some(said.start);
        let proven = reign.progress.proven(feed.member).max(through);
        feed.acknowledged(now, proven, &log);
        feed.set_mark(now, proven, log.last());
        feed.note_news(now, &log);
        let proven = reign.feeds.values().map(|feed| reign.progress.proven(feed.member));
        reign.tail.release(proven.min().flatten());
    }

    /// Finds where a copy's log parts from this one, and goes on from there.
    pub(super) fn copy_refused(
        &mut self,
        now: Moment,
        from: Member,
        outline: &LogOutline,
        committed: Option<Offset>,
        effects: &mut Vec<Effect>,
    ) {
        let Some((reign, log)) = self.reign_and_log() else { return };
        let Some(feed) = reign.feeds.get_mut(&from.node) else { return };
        let common = log.lineage.common(log.end, &outline.lineage, outline.last).map(|common| common.offset);
        // All logs agree about what is committed, also where nobody remembers its epoch; and what was proven in this reign
        // stays, whatever an old refusal says.
        let agreed = committed.filter(|committed| Some(*committed) <= log.last());
        feed.start = Some(outline.start);
        feed.refused(now, common.max(agreed).max(reign.progress.proven(feed.member)), &log);
        feed.pump(now, &log, &reign.tail, effects);
    }

    /// Sends records that were read from the log.
    pub(super) fn read_for_copy(
        &mut self,
        now: Moment,
        read: LogRead,
        records: Vec<Arc<Record>>,
        effects: &mut Vec<Effect>,
    ) {
        let Some((reign, log)) = self.reign_and_log() else { return };
        let Some(feed) = reign.feeds.get_mut(&read.to.node).filter(|feed| feed.member == read.to) else { return };
        feed.reading = false;
        // A reading that was overtaken by an answer of the copy is not what it lacks any more. One that took longer than the
        // patience is: dropped, a log that is slow to read would never feed anybody.
        let is_next = read.epoch == log.epoch && log.before(feed.next).is_ok_and(|before| before == read.after);
        match records.is_empty() {
            true if is_next => feed.lose(now, &log, effects),
            false if is_next && feed.may_send(&log) => feed.send(now, &log, records, effects),
            true | false => {}
        }
        feed.pump(now, &log, &reign.tail, effects);
    }

    /// Has copies told soon of what was committed, and of what all members hold: one that does not hear of that keeps its log for
    /// them.
    pub(super) fn note_news(&mut self, now: Moment) {
        let Some((reign, log)) = self.reign_and_log() else { return };
        for feed in reign.feeds.values_mut() {
            feed.note_news(now, &log);
        }
    }

    /// Asks the copies that may be taken into the in-sync set whether they are there. One that has everything hears of nothing
    /// while nobody writes, and so would seem to be away.
    pub(super) fn ask_joining(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Some(row) = &self.row else { return };
        let lane = self.partition.lane;
        let joining: Vec<Member> =
            self.targets.iter().filter(|member| !is_listed(row, lane, **member)).copied().collect();
        let Some((reign, log)) = self.reign_and_log() else { return };
        for feed in reign.feeds.values_mut().filter(|feed| joining.contains(&feed.member)) {
            feed.ask(now, &log, effects);
        }
    }

    /// Asks copies again that have not answered.
    pub(super) fn tick_feeds(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let Some((reign, log)) = self.reign_and_log() else { return };
        for feed in reign.feeds.values_mut() {
            feed.tick(now, reign.progress.proven(feed.member), &log, effects);
            feed.pump(now, &log, &reign.tail, effects);
        }
    }
}
