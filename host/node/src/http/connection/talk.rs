//! What is known of one connection: whether the host or the client is waiting, and since when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use steward_model::Moment;
use tokio::sync::Notify;

use crate::clock::Clock;

/// Stands for no moment.
const NEVER: u64 = u64::MAX;

/// What a connection is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::http) enum Order {
    /// Go on.
    #[default]
    Stay,
    /// Take no further requests, and end with the answers under way.
    Leave,
    /// End at once.
    Drop,
}

/// What becomes of a connection that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Verdict {
    /// Look again after this span.
    Wait(Duration),
    /// It has been silent for too long.
    Silent,
    /// Its client has taken nothing for too long.
    Stuck,
}

#[derive(Debug)]
pub(in crate::http) struct Talk {
    clock: Arc<Clock>,
    /// Requests that are being answered.
    answering: AtomicUsize,
    /// Answers that are being sent.
    sending: AtomicUsize,
    /// When something was last asked, answered or taken, as a [`Moment`].
    last: AtomicU64,
    /// Since when the client takes nothing of what is written, as a [`Moment`], or [`NEVER`].
    blocked: AtomicU64,
    order: AtomicU8,
    ordered: Notify,
}

impl Talk {
    pub(super) fn new(clock: Arc<Clock>) -> Talk {
        let now = clock.now().0;
        Talk {
            clock,
            answering: AtomicUsize::new(0),
            sending: AtomicUsize::new(0),
            last: AtomicU64::new(now),
            blocked: AtomicU64::new(NEVER),
            order: AtomicU8::new(Order::Stay as u8),
            ordered: Notify::new(),
        }
    }

    /// Takes note of a request; it is being answered until the return value is dropped or turned into an answer.
    pub(in crate::http) fn asked(self: &Arc<Self>) -> Pending {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Pending { talk: Arc::clone(self) }
    }

    /// Takes note of a part of an answer that the client took.
    pub(super) fn took(&self) {
        self.last.store(self.clock.now().0, Ordering::Relaxed);
        self.reads();
    }

    /// Takes note that the client reads, whatever it reads: what it did not ask of the host is no talk.
    pub(super) fn reads(&self) {
        self.blocked.store(NEVER, Ordering::Relaxed);
    }

    /// Takes note of something that the client does not take now.
    pub(super) fn blocks(&self) {
        let now = self.clock.now().0;
        // The first refusal counts, so an exchange that fails is right.
        let _ = self.blocked.compare_exchange(NEVER, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Returns for how long nothing has been asked or answered here; none while something is.
    pub(super) fn silent_for(&self, now: Moment) -> Option<Duration> {
        let busy = self.answering.load(Ordering::Relaxed) + self.sending.load(Ordering::Relaxed) > 0;
        let blocked = self.blocked.load(Ordering::Relaxed) != NEVER;
        (!busy && !blocked).then(|| now.since(Moment(self.last.load(Ordering::Relaxed))))
    }

    /// Judges the connection: nobody may say nothing for longer than `silent_max`, or take nothing for longer than
    /// `stuck_max`.
    pub(in crate::http) fn judge(&self, silent_max: Duration, stuck_max: Duration) -> Verdict {
        let now = self.clock.now();
        let judged = |since: u64, max: Duration, verdict| match max.checked_sub(now.since(Moment(since))) {
            Some(left) if !left.is_zero() => Verdict::Wait(left),
            Some(_) | None => verdict,
        };
        let (last, blocked) = (self.last.load(Ordering::Relaxed), self.blocked.load(Ordering::Relaxed));
        if blocked != NEVER {
            return judged(blocked, stuck_max, Verdict::Stuck);
        }
        if self.answering.load(Ordering::Relaxed) > 0 {
            return Verdict::Wait(silent_max);
        }
        match self.sending.load(Ordering::Relaxed) {
            0 => judged(last, silent_max, Verdict::Silent),
            _ => judged(last, stuck_max, Verdict::Stuck),
        }
    }

    /// Tells the connection what to do; a milder order after a harder one changes nothing.
    pub(super) fn tell(&self, order: Order) {
        if self.order.fetch_max(order as u8, Ordering::AcqRel) < order as u8 {
            self.ordered.notify_one();
        }
    }

    /// Returns if the connection has been told nothing but to go on.
    pub(super) fn stays(&self) -> bool {
        self.order.load(Ordering::Acquire) == Order::Stay as u8
    }

    /// Returns the order once there is a new one.
    pub(in crate::http) async fn told(&self) -> Order {
        self.ordered.notified().await;
        match self.order.load(Ordering::Acquire) {
            stay if stay == Order::Stay as u8 => Order::Stay,
            leave if leave == Order::Leave as u8 => Order::Leave,
            _ => Order::Drop,
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(in crate::http) struct Pending {
    talk: Arc<Talk>,
}

impl Pending {
    /// Returns the note that the answer is being sent.
    pub(super) fn answered(&self) -> Sending {
        self.talk.sending.fetch_add(1, Ordering::Relaxed);
        self.talk.took();
        Sending { talk: Arc::clone(&self.talk) }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.talk.answering.fetch_sub(1, Ordering::Relaxed);
        self.talk.last.store(self.talk.clock.now().0, Ordering::Relaxed);
    }
}

/// An answer that is being sent.
#[derive(Debug)]
pub(super) struct Sending {
    talk: Arc<Talk>,
}

impl Sending {
    /// Takes note of a piece that the connection asked for, which it does when the client takes some.
    pub(super) fn goes_on(&self) {
        self.talk.last.store(self.talk.clock.now().0, Ordering::Relaxed);
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.talk.sending.fetch_sub(1, Ordering::Relaxed);
        self.goes_on();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(60);

    fn talk() -> Arc<Talk> {
        Arc::new(Talk::new(Arc::new(Clock::default())))
    }

    #[test]
    fn whoever_asks_nothing_is_silent_and_whoever_waits_for_an_answer_is_not() {
        let talk = talk();
        assert!(matches!(talk.judge(SPAN, SPAN), Verdict::Wait(_)), "it was opened just now");
        assert_eq!(talk.judge(Duration::ZERO, SPAN), Verdict::Silent);
        let asked = talk.asked();
        assert_eq!(talk.judge(Duration::ZERO, Duration::ZERO), Verdict::Wait(Duration::ZERO));
        assert_eq!(talk.silent_for(talk.clock.now()), None);
        drop(asked);
        assert!(talk.silent_for(talk.clock.now()).is_some());
    }

    #[test]
    fn whoever_takes_nothing_is_stuck() {
        let talk = talk();
        talk.blocks();
        assert!(matches!(talk.judge(Duration::ZERO, SPAN), Verdict::Wait(_)));
        assert_eq!(talk.judge(SPAN, Duration::ZERO), Verdict::Stuck);
        assert_eq!(talk.silent_for(talk.clock.now()), None, "and gives way to nobody: it has an answer to come");
        talk.reads();
        assert!(talk.silent_for(talk.clock.now()).is_some());
        let sending = talk.asked().answered();
        assert_eq!(talk.judge(SPAN, Duration::ZERO), Verdict::Stuck);
        assert!(matches!(talk.judge(Duration::ZERO, SPAN), Verdict::Wait(_)));
        drop(sending);
        assert_eq!(talk.judge(Duration::ZERO, SPAN), Verdict::Silent);
    }
}
