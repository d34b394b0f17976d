//! Feeding the copies: what is on its way to whom, and what is asked again.
//!
//! Problem: a copy may be a record behind or a million, on another branch, slow, or away, and every message may be lost,
//! repeated or overtaken. Promise: each copy comes to hold the log of the reign if it answers now and then; none of them can
//! hold up another, nor fill the memory.
//!
//! ```text
//!                 proven        next                end
//!  log  ───────────┼─────────────┼──────────────────┼
//!                  └ under way ──┘ └── not sent ────┘
//!
//!  unmatched ── one message at a time, until an answer says what the copy has ──► matched ── as much as the window lets
//!      ▲                                                                             │
//!      └──────────────── silence, although something is under way ◄──────────────────┘
//! ```
//!
//! The first message of a reign is sent on the guess that the copy has everything before it, which is nearly always so. A
//! refusal brings the lineage of the copy, and that the place where the logs part: one exchange. After silence only the
//! question is repeated, without records.
//!
//! Source: the progress tracker of etcd's raft (probe, replicate); host/docs/protocol.md, "Messages".

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use steward_model::mutation::{self, Mutation};
use steward_model::update::Record;
use steward_model::{Epoch, Moment, NodeId, Offset, Position};

use super::effect::{LogRead, Purpose};
use super::lineage::Lineage;
use super::message::Append;
use super::settings::Settings;
use super::tail::Tail;
use super::{Effect, Member, Message};

/// The pause between two questions grows to so many times the first one.
const PAUSE_FACTOR_MAX: u32 = 4;

/// What is on its way to one copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Feed {
    pub(super) member: Member,
    /// The first record that was not sent.
    pub(super) next: Offset,
    /// The last records of messages that are not answered, and the bytes of those messages.
    sent: VecDeque<(Offset, usize)>,
    sent_bytes: usize,
    flow: Flow,
    /// Records are being read from the log.
    pub(super) reading: bool,
    /// The log begins above what the copy lacks.
    pub(super) is_lost: bool,
    /// The oldest offset of the copy's log, as far as it was told.
    pub(super) start: Option<Offset>,
    /// The last record that the copy knows to be committed.
    pub(super) knows: Option<Offset>,
    /// The last one that it knows every member to hold.
    pub(super) knows_low: Option<Offset>,
    /// When the copy answered last.
    pub(super) heard: Moment,
    /// When something is asked again, if it is not answered before.
    retry: Option<Moment>,
    /// How often in a row nothing was answered.
    silences: u32,
    /// The end of the log at a moment up to which the copy had everything.
    mark: (Option<Offset>, Moment),
}

/// What is known about where the copy's log parts from this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Flow {
    /// Nothing; true: it was asked.
    Unmatched { asked: bool },
    /// It has everything below the first record that was sent.
    Matched,
}

/// What a feed needs to know of the replica.
pub(super) struct Log<'a> {
    pub(super) epoch: Epoch,
    pub(super) lineage: &'a Lineage,
    pub(super) start: Offset,
    pub(super) end: Option<Position>,
    pub(super) committed: Option<Offset>,
    pub(super) low: Option<Offset>,
    pub(super) settings: Settings,
}

impl Log<'_> {
    /// Returns the record before `offset`: nothing before the first one, an error if nobody remembers its epoch.
    pub(super) fn before(&self, offset: Offset) -> Result<Option<Position>, Forgotten> {
        let Some(before) = offset.0.checked_sub(1).map(Offset) else { return Ok(None) };
        let epoch = self.lineage.epoch_at(before).ok_or(Forgotten)?;
        Ok(Some(Position { epoch, offset: before }))
    }

    pub(super) fn last(&self) -> Option<Offset> {
        self.end.map(|end| end.offset)
    }
}

/// The lineage no longer has the epoch of a record.
pub(super) struct Forgotten;

impl Feed {
    /// Returns the feed of a copy that is believed to hold everything below `next`.
    pub(super) fn new(now: Moment, member: Member, next: Offset, end: Option<Offset>) -> Feed {
        Feed {
            member,
            next,
            sent: VecDeque::new(),
            sent_bytes: 0,
            flow: Flow::Unmatched { asked: false },
            reading: false,
            is_lost: false,
            start: None,
            knows: None,
            knows_low: None,
            heard: now,
            retry: None,
            silences: 0,
            mark: (end, now),
        }
    }

    /// Sends as much as may be under way.
    pub(super) fn pump(&mut self, now: Moment, log: &Log<'_>, tail: &Tail, effects: &mut Vec<Effect>) {
        while self.may_send(log) {
            if self.next < log.start {
                return self.lose(now, log, effects);
            }
            let Settings { message_records_max, message_bytes_max, .. } = log.settings;
            match tail.run(self.next, message_records_max, message_bytes_max) {
                Some(records) => self.send(now, log, records, effects),
                None => return self.read(now, log, effects),
            }
        }
        // Nothing to send, and nothing known: an empty append asks.
        if self.flow == (Flow::Unmatched { asked: false }) && !self.reading && !self.is_lost {
            self.send(now, log, Vec::new(), effects);
        }
    }

    pub(super) fn may_send(&self, log: &Log<'_>) -> bool {
        let has_room = match self.flow {
            Flow::Unmatched { asked } => !asked,
            Flow::Matched => {
                self.sent.len() < log.settings.window_messages && self.sent_bytes < log.settings.window_bytes
            }
        };
        has_room && !self.reading && !self.is_lost && Some(self.next) <= log.last()
    }

    pub(super) fn send(&mut self, now: Moment, log: &Log<'_>, records: Vec<Arc<Record>>, effects: &mut Vec<Effect>) {
        let Ok(previous) = log.before(self.next) else { return self.lose(now, log, effects) };
        if let Some(last) = records.last() {
            let bytes = records.iter().map(|record| record.bytes()).sum();
            self.next = last.position.offset.next();
            self.sent.push_back((last.position.offset, bytes));
            self.sent_bytes += bytes;
        }
        if let Flow::Unmatched { asked } = &mut self.flow {
            *asked = true;
        }
        self.retry = Some(now.plus(self.pause(log)));
        let Log { epoch, committed, low, .. } = *log;
        let append = Append { epoch, previous, records, committed, low };
        effects.push(Effect::Send { to: self.member, message: Message::Append(append) });
    }

    fn read(&mut self, now: Moment, log: &Log<'_>, effects: &mut Vec<Effect>) {
        let Ok(after) = log.before(self.next) else { return self.lose(now, log, effects) };
        self.reading = true;
        self.retry = Some(now.plus(self.pause(log)));
        effects.push(Effect::ReadLog(LogRead {
            to: self.member,
            epoch: log.epoch,
            purpose: Purpose::Feed,
            after,
            records_max: log.settings.message_records_max,
            bytes_max: log.settings.message_bytes_max,
        }));
    }

    /// Gives the copy up for a while: what it lacks is no longer in the log, so it has to be made anew from elsewhere.
    pub(super) fn lose(&mut self, now: Moment, log: &Log<'_>, effects: &mut Vec<Effect>) {
        self.is_lost = true;
        self.retry = Some(now.plus(log.settings.resend * PAUSE_FACTOR_MAX));
        effects.push(Effect::Rebuild { member: self.member });
    }

    fn pause(&self, log: &Log<'_>) -> Duration {
        log.settings.resend * (1 + self.silences).min(PAUSE_FACTOR_MAX)
    }

    /// Takes note that the copy holds everything through `through`.
    pub(super) fn acknowledged(&mut self, now: Moment, through: Option<Offset>, log: &Log<'_>) {
        let behind = through.map_or(Offset(0), Offset::next);
        while self.sent.front().is_some_and(|(last, _)| Some(*last) <= through) {
            self.sent_bytes -= self.sent.pop_front().map_or(0, |(_, bytes)| bytes);
        }
        self.next = match self.flow {
            // What was sent before the silence may be lost: the copy says from where on.
            Flow::Unmatched { .. } if self.sent.is_empty() => behind,
            Flow::Unmatched { .. } | Flow::Matched => self.next.max(behind),
        };
        self.flow = Flow::Matched;
        self.is_lost = false;
        self.listen(now, log);
    }

    /// Goes on from the last record that both logs have.
    pub(super) fn refused(&mut self, now: Moment, common: Option<Offset>, log: &Log<'_>) {
        self.next = common.map_or(Offset(0), Offset::next);
        // It says what it has now: whether that is too little is found out anew. Left as lost, without anything under way that it
        // could answer, it would never be asked again.
        self.is_lost = false;
        self.sent.clear();
        self.sent_bytes = 0;
        self.flow = Flow::Matched;
        self.listen(now, log);
    }

    fn listen(&mut self, now: Moment, log: &Log<'_>) {
        self.heard = now;
        self.silences = 0;
        self.retry = (!self.sent.is_empty() || self.reading).then(|| now.plus(self.pause(log)));
    }

    /// Returns true if there is something new to tell besides records.
    fn has_news(&self, log: &Log<'_>) -> bool {
        self.knows < log.committed || self.knows_low < log.low && !mutation::is(Mutation::LowNotTold)
    }

    /// Has the copy told of what is new, if nothing that is sent before tells it.
    pub(super) fn note_news(&mut self, now: Moment, log: &Log<'_>) {
        if self.has_news(log) && self.sent.is_empty() && !self.is_lost {
            let soon = now.plus(log.settings.commit_delay);
            self.retry = Some(self.retry.map_or(soon, |retry| retry.min(soon)));
        }
    }

    /// Asks again what was not answered.
    pub(super) fn tick(&mut self, now: Moment, proven: Option<Offset>, log: &Log<'_>, effects: &mut Vec<Effect>) {
        if self.retry.is_none_or(|retry| retry > now) {
            return;
        }
        self.retry = None;
        self.reading = false;
        // It may have been made anew meanwhile: what it has then, it says when it is asked.
        let was_lost = std::mem::replace(&mut self.is_lost, false);
        if was_lost {
            self.next = log.end.map_or(Offset(0), |end| end.offset.next());
        }
        let is_silent = was_lost || !self.sent.is_empty() || self.flow != Flow::Matched;
        if is_silent {
            self.silences += 1;
            // What is proven stays so for the whole reign; what was sent beyond may not have come.
            if let Some(proven) = proven.filter(|_| !was_lost) {
                self.next = proven.next();
            } else if let Some((first, _)) = self.sent.front() {
                self.next = self.next.min(*first);
            }
            self.sent.clear();
            self.sent_bytes = 0;
            self.flow = Flow::Unmatched { asked: true };
        }
        if is_silent || self.has_news(log) {
            self.send(now, log, Vec::new(), effects);
        }
    }

    /// Asks the copy whether it is there, if nothing else is under way that it answers.
    pub(super) fn ask(&mut self, now: Moment, log: &Log<'_>, effects: &mut Vec<Effect>) {
        if self.retry.is_none() && !self.is_lost {
            self.send(now, log, Vec::new(), effects);
        }
    }

    /// Returns true if the copy lacks something that is so old.
    pub(super) fn lags(&self, now: Moment, proven: Option<Offset>, lag: Duration) -> bool {
        let (mark, at) = self.mark;
        proven < mark && now.since(at) >= lag
    }

    pub(super) fn set_mark(&mut self, now: Moment, proven: Option<Offset>, end: Option<Offset>) {
        if proven >= self.mark.0 {
            self.mark = (end, now);
        }
    }
}

/// Returns when the next copy has to be asked again.
pub(super) fn deadline(feeds: &BTreeMap<NodeId, Feed>) -> Option<Moment> {
    feeds.values().filter_map(|feed| feed.retry).min()
}
