//! What is known of one other node.

use std::time::Duration;

use steward_model::{Member, Moment, NodeId};

use super::jitter::Jitter;
use super::message::Beat;
use super::timing::{BEAT, PATIENCE_MAX};

/// Whether a node is believed to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opinion {
    Trusted,
    Suspected,
}

/// What is known of one other node, for people and for those who choose between nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The process start.
    pub member: Member,
    /// For how long it has sent no beat.
    pub silence: Duration,
    /// How long it may be silent.
    pub patience: Duration,
    /// True if its beats arrive.
    pub heard: bool,
    /// True if it says that ours arrive.
    pub hears_us: bool,
    /// True if it is believed to be gone.
    pub suspected: bool,
}

#[derive(Debug)]
pub(super) struct Peer {
    member: Member,
    /// When its last beat came, or from when on it is expected to beat.
    heard: Moment,
    /// When there was the last sign of it, be it through others.
    sign: Moment,
    /// When others were asked about it last.
    asked: Moment,
    newest: Option<Beat>,
    jitter: Jitter,
    opinion: Opinion,
}

impl Peer {
    /// Returns a node that has just been registered: it is expected to beat, and may take its time with the first one.
    pub(super) fn new(now: Moment, member: Member) -> Peer {
        let (jitter, opinion) = (Jitter::default(), Opinion::Trusted);
        Peer { member, heard: now, sign: now, asked: now, newest: None, jitter, opinion }
    }

    pub(super) fn member(&self) -> Member {
        self.member
    }

    pub(super) fn heard(&self) -> Moment {
        self.heard
    }

    /// Takes a beat in; returns true if a suspicion ends with it.
    pub(super) fn beaten(&mut self, now: Moment, beat: Beat) -> bool {
        // Beats may overtake each other when a connection is made anew; the newest one speaks.
        if self.newest.as_ref().is_some_and(|newest| newest.number >= beat.number) {
            return false;
        }
        // The time until the first beat is that of a start.
        if self.newest.is_some() {
            self.jitter.observe(now.since(self.heard));
        }
        self.newest = Some(beat);
        self.heard = self.heard.max(now);
        self.vouched(now)
    }

    /// Takes a sign of life in; returns true if a suspicion ends with it.
    pub(super) fn vouched(&mut self, now: Moment) -> bool {
        self.sign = self.sign.max(now);
        std::mem::replace(&mut self.opinion, Opinion::Trusted) == Opinion::Suspected
    }

    /// Counts a span that this node has slept through as if it had not been.
    pub(super) fn forgive(&mut self, slept: Duration, now: Moment) {
        self.heard = self.heard.plus(slept).min(now);
        self.sign = self.sign.plus(slept).min(now);
        self.asked = self.asked.plus(slept).min(now);
    }

    /// Returns how long it may be silent.
    pub(super) fn patience(&self) -> Duration {
        if self.newest.is_none() { PATIENCE_MAX } else { self.jitter.patience() }
    }

    /// Returns for how long there has been no sign of it.
    pub(super) fn silence(&self, now: Moment) -> Duration {
        now.since(self.sign)
    }

    /// Returns true if its own beats arrive.
    pub(super) fn is_heard(&self, now: Moment) -> bool {
        self.newest.is_some() && now.since(self.heard) < self.patience()
    }

    /// Returns true if it says that beats of `node` arrive there.
    pub(super) fn hears(&self, node: NodeId) -> bool {
        self.newest.as_ref().is_some_and(|beat| beat.hears.contains(&node))
    }

    /// Returns true if it says that it suspects `member`.
    pub(super) fn suspects(&self, member: Member) -> bool {
        self.newest.as_ref().is_some_and(|beat| beat.suspects.contains(&member))
    }

    pub(super) fn is_suspected(&self) -> bool {
        self.opinion == Opinion::Suspected
    }

    /// Returns true if others are to be asked about it now.
    pub(super) fn asks(&mut self, now: Moment) -> bool {
        let silent = now.since(self.heard) >= self.patience() * 2 / 3;
        let asks = silent && now.since(self.asked) >= BEAT;
        if asks {
            self.asked = now;
        }
        asks
    }

    /// Returns true if the patience with it ends now.
    pub(super) fn gives_up(&mut self, now: Moment) -> bool {
        let over = self.opinion == Opinion::Trusted && self.silence(now) >= self.patience();
        if over {
            self.opinion = Opinion::Suspected;
        }
        over
    }

    pub(super) fn view(&self, now: Moment, own: NodeId) -> View {
        View {
            member: self.member,
            silence: now.since(self.heard),
            patience: self.patience(),
            heard: self.is_heard(now),
            hears_us: self.hears(own),
            suspected: self.is_suspected(),
        }
    }
}
