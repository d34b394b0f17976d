//! Schedules: which maintenance and which timers are due.
//!
//! Problem: a factory with a million documents may ask for maintenance of each document every minute. If all of them
//! ran at once, nothing else could run; a million timers would need more memory than the metadata of the documents.
//!
//! Promise: the documents of one interval are spread over it evenly, by the hash of their self-links. A document is due
//! once per interval. If the caller does not ask for a while (a busy or a sleeping node), it is told of each document
//! once, not once per missed interval. A document whose last run has not finished is left out of that round.
//!
//! ```text
//!  interval 60 s   ├──────────────┼──────────────┤      the hand goes round; a document is due
//!  /core/a  phase 7 s     ▲              ▲              when the hand passes its phase:
//!  /core/b  phase 52 s             ▲              ▲     16 bytes and a number for each, no timer
//! ```
//!
//! There are two clocks. [`Maintenance`] goes by the monotonic clock: intervals begin with the process, so a restart
//! begins them anew, and each document keeps its phase. [`Timers`] go by timestamps, because timers are durable and a
//! restart has another monotonic clock; the caller chooses a time of day that nobody sets back.
//!
//! Left out: a schedule does not notice that a document is gone. The caller removes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use steward_model::{Link, Moment, Timestamp};

/// Which documents are due for maintenance.
#[derive(Debug, Clone, Default)]
pub struct Maintenance {
    /// By interval in microseconds.
    rounds: BTreeMap<u64, Round>,
    running: BTreeSet<Link>,
}

/// The documents of one interval, and how far the hand has come.
#[derive(Debug, Clone)]
struct Round {
    /// By phase: microseconds after the start of an interval.
    documents: BTreeSet<(u64, Link)>,
    /// Everything due until then has been told.
    hand: Moment,
}

impl Maintenance {
    /// Adds a document that is due once per `interval`, from now on. Adding it again changes nothing, but that it has the
    /// interval given last.
    ///
    /// # Panics
    /// If the interval is shorter than a microsecond.
    pub fn add(&mut self, now: Moment, interval: Duration, link: Link) {
        let interval = micros(interval);
        self.remove_where(&link, |other| other != interval);
        let round = self.rounds.entry(interval).or_insert_with(|| Round { documents: BTreeSet::new(), hand: now });
        round.documents.insert((phase(&link, interval), link));
    }

    /// Removes a document; returns false if it was not there.
    pub fn remove(&mut self, link: &Link) -> bool {
        self.remove_where(link, |_| true)
    }

    /// Removes a document from the rounds of these intervals. There are as many rounds as modules name intervals: few.
    fn remove_where(&mut self, link: &Link, concerns: impl Fn(u64) -> bool) -> bool {
        let mut was_there = false;
        self.rounds.retain(|interval, round| {
            if concerns(*interval) {
                was_there |= round.documents.remove(&(phase(link, *interval), link.clone()));
            }
            !round.documents.is_empty()
        });
        was_there
    }

    /// Appends the documents that have become due to `due`, and counts them as running until [`Maintenance::finished`].
    ///
    /// At most `limit` documents and those due in the same microsecond as the last one are appended per interval; the
    /// rest stays due.
    pub fn due(&mut self, now: Moment, limit: usize, due: &mut Vec<Link>) {
        for (interval, round) in &mut self.rounds {
            round.turn(*interval, now, limit, &mut self.running, due);
        }
    }

    /// Notes that the maintenance of a document has ended, so that it may run again.
    pub fn finished(&mut self, link: &Link) {
        self.running.remove(link);
    }

    /// Returns when [`Maintenance::due`] should be asked next, or none if there is no document.
    pub fn next_due(&self) -> Option<Moment> {
        self.rounds.iter().filter_map(|(interval, round)| round.next(*interval)).min()
    }

    /// Returns how many documents there are.
    pub fn documents(&self) -> usize {
        self.rounds.values().map(|round| round.documents.len()).sum()
    }
}

impl Round {
    /// Moves the hand to `now`, or as far as `limit` allows.
    fn turn(&mut self, interval: u64, now: Moment, limit: usize, running: &mut BTreeSet<Link>, due: &mut Vec<Link>) {
        let end = due.len().saturating_add(limit);
        let missed = now.0.saturating_sub(self.hand.0) / interval;
        let mut until = now;
        if missed > 0 {
            // Whole rounds were missed: one of them is made up for, from where the hand stands, so that a limit that is
            // always reached passes no document over for ever.
            self.hand = Moment(self.hand.0 + (missed - 1) * interval);
            until = Moment(self.hand.0 + interval);
        }
        while let Some(next) = self.next(interval).filter(|next| *next <= until) {
            if due.len() >= end {
                return;
            }
            let phase = next.0 % interval;
            for (_, link) in self.documents.range((phase, ROOT.clone())..).take_while(|(other, _)| *other == phase) {
                if running.insert(link.clone()) {
                    due.push(link.clone());
                }
            }
            self.hand = next;
        }
        self.hand = self.hand.max(now);
    }

    /// Returns the first moment after the hand at which a document is due.
    fn next(&self, interval: u64) -> Option<Moment> {
        let start = self.hand.0 - self.hand.0 % interval;
        let later_in_this_round = self.documents.range((self.hand.0 % interval + 1, ROOT.clone())..).next();
        match (later_in_this_round, self.documents.first()) {
            (Some((phase, _)), _) => Some(Moment(start.saturating_add(*phase))),
            (None, Some((phase, _))) => Some(Moment(start.saturating_add(interval).saturating_add(*phase))),
            (None, None) => None,
        }
    }
}

/// Durable timers in the order in which they are due, such as effects that are to be sent later.
///
/// A timer is found again by its time and its name, both of which its record carries; so one entry is all it costs.
#[derive(Debug, Clone)]
pub struct Timers<K> {
    timers: BTreeSet<(Timestamp, K)>,
}

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Timers { timers: BTreeSet::new() }
    }
}

impl<K: Ord> Timers<K> {
    /// Adds a timer; returns false if it was there already.
    pub fn add(&mut self, due: Timestamp, name: K) -> bool {
        self.timers.insert((due, name))
    }

    /// Removes a timer; returns false if it was not there, or has become due before.
    pub fn remove(&mut self, due: Timestamp, name: K) -> bool {
        self.timers.remove(&(due, name))
    }

    /// Moves up to `limit` timers that are due at `now` to `due`, the longest due first.
    pub fn due(&mut self, now: Timestamp, limit: usize, due: &mut Vec<K>) {
        for _ in 0..limit {
            match self.timers.first() {
                Some((at, _)) if *at <= now => {}
                Some(_) | None => return,
            }
            due.extend(self.timers.pop_first().map(|(_, name)| name));
        }
    }

    /// Returns when the first timer is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Returns how many timers there are.
    pub fn len(&self) -> usize {
        self.timers.len()
    }

    /// Returns true if there is no timer.
    pub fn is_empty(&self) -> bool {
        self.timers.is_empty()
    }
}

fn micros(interval: Duration) -> u64 {
    let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
    assert!(micros > 0, "a maintenance interval of {interval:?} never passes");
    micros
}

/// Returns the place of a document within its interval: FNV-1a over the self-link, which spreads names that differ in
/// one digit.
fn phase(link: &Link, interval: u64) -> u64 {
    let hash = link
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash % interval
}

/// The least of all self-links, from which ranges begin.
static ROOT: LazyLock<Link> = LazyLock::new(|| Link::parse("/").expect("the root is a self-link"));

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    fn link(number: u32) -> Link {
        Link::parse(&format!("/core/examples/{number}")).expect("a valid link")
    }

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000)
    }

    fn hundred(now: Moment) -> Maintenance {
        let mut maintenance = Maintenance::default();
        (0..100).for_each(|number| maintenance.add(now, INTERVAL, link(number)));
        maintenance
    }

    fn due(maintenance: &mut Maintenance, now: Moment, limit: usize) -> Vec<Link> {
        let mut due = Vec::new();
        maintenance.due(now, limit, &mut due);
        due
    }

    #[test]
    fn each_document_is_due_once_per_interval_and_they_are_spread_over_it() {
        let mut maintenance = hundred(at(1000));
        let mut seen = BTreeSet::new();
        let mut busiest = 0;
        for second in 1001..=1060 {
            let due = due(&mut maintenance, at(second), usize::MAX);
            busiest = busiest.max(due.len());
            for link in due {
                maintenance.finished(&link);
                assert!(seen.insert(link.clone()), "{link:?} is due twice");
            }
        }
        assert_eq!(seen.len(), 100);
        assert!(busiest <= 10, "{busiest} documents in one second");
    }

    #[test]
    fn a_document_that_still_runs_is_passed_over() {
        let mut maintenance = Maintenance::default();
        maintenance.add(at(0), INTERVAL, link(1));
        assert_eq!(due(&mut maintenance, at(60), 10), [link(1)]);
        assert_eq!(due(&mut maintenance, at(120), 10), []);
        maintenance.finished(&link(1));
        assert_eq!(due(&mut maintenance, at(180), 10), [link(1)]);
    }

    #[test]
    fn missed_intervals_are_made_up_for_once() {
        let mut maintenance = hundred(at(0));
        assert_eq!(due(&mut maintenance, at(3600), usize::MAX).len(), 100);
        assert_eq!(due(&mut maintenance, at(3600), usize::MAX).len(), 0);
    }

    #[test]
    fn a_limit_that_is_always_reached_starves_nobody() {
        let mut maintenance = hundred(at(0));
        let mut seen = BTreeSet::new();
        for round in 1..=20 {
            for link in due(&mut maintenance, at(round * 60), 10) {
                maintenance.finished(&link);
                seen.insert(link);
            }
        }
        assert_eq!(seen.len(), 100);
    }

    #[test]
    fn removed_documents_are_not_due() {
        let mut maintenance = Maintenance::default();
        maintenance.add(at(0), INTERVAL, link(1));
        assert!(maintenance.remove(&link(1)));
        assert!(!maintenance.remove(&link(1)));
        assert_eq!(maintenance.next_due(), None);
        assert_eq!(due(&mut maintenance, at(600), 10), []);
    }

    #[test]
    fn a_document_has_the_interval_that_was_given_last() {
        let mut maintenance = Maintenance::default();
        maintenance.add(at(0), INTERVAL * 60, link(1));
        maintenance.add(at(0), INTERVAL, link(1));
        assert_eq!(maintenance.documents(), 1);
        assert_eq!(due(&mut maintenance, at(60), 10), [link(1)]);
        assert!(maintenance.remove(&link(1)));
        assert_eq!(maintenance.documents(), 0);
    }

    #[test]
    fn nothing_is_due_before_the_next_due_moment() {
        let mut maintenance = hundred(at(7));
        for _ in 0..250 {
            let next = maintenance.next_due().expect("there are documents");
            assert_eq!(due(&mut maintenance, Moment(next.0 - 1), 1000), []);
            let due = due(&mut maintenance, next, 1000);
            assert!(!due.is_empty(), "nothing is due at {next:?}");
            due.iter().for_each(|link| maintenance.finished(link));
        }
    }

    #[test]
    fn timers_come_in_the_order_of_their_times_and_only_when_due() {
        let mut timers = Timers::default();
        for (due, name) in [(30, "c"), (10, "a"), (20, "b")] {
            assert!(timers.add(Timestamp(due), name));
        }
        let mut due = Vec::new();
        timers.due(Timestamp(20), 10, &mut due);
        assert_eq!(due, ["a", "b"]);
        assert_eq!(timers.next_due(), Some(Timestamp(30)));
    }

    #[test]
    fn a_limit_leaves_the_later_timers_and_removed_ones_never_come() {
        let mut timers = Timers::default();
        for (due, name) in [(1, "a"), (2, "b"), (3, "c")] {
            timers.add(Timestamp(due), name);
        }
        assert!(timers.remove(Timestamp(2), "b"));
        assert!(!timers.remove(Timestamp(2), "b"));
        let mut due = Vec::new();
        timers.due(Timestamp(9), 1, &mut due);
        assert_eq!((due, timers.len()), (vec!["a"], 1));
    }
}
