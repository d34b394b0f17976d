//! Statistics of services and documents since this node started: the numbers behind `/stats`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use steward_model::{Action, Link, Timestamp};

use super::lines::Lines;

/// Documents whose statistics are kept; the ones heard of longest ago are forgotten first.
const DOCUMENTS_MAX: usize = 10_000;

/// Statistics with names of their own that a document may have: what comes under further names is only counted.
const NAMES_MAX: usize = 64;

/// Name under which it is counted.
const DROPPED: &str = "droppedStatisticCount";

/// Bins of a histogram: bin `i` counts values of magnitude 10^i. Source: Xenon, `ServiceStatLogHistogram`.
const BINS: usize = 15;

/// One statistic.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measure {
    /// The last value.
    pub latest: f64,
    /// The sum of all values.
    pub accumulated: f64,
    /// How many values there were.
    pub count: u64,
    /// When the last one came.
    pub updated: Timestamp,
    /// How many values had which magnitude; kept for durations.
    pub bins: Option<[u64; BINS]>,
}

impl Measure {
    fn new() -> Measure {
        Measure { latest: 0.0, accumulated: 0.0, count: 0, updated: Timestamp(0), bins: None }
    }

    fn add(&mut self, value: f64, at: Timestamp) {
        self.latest += value;
        self.accumulated += value;
        self.count += 1;
        self.updated = at;
    }

    fn observe(&mut self, micros: f64, at: Timestamp) {
        self.latest = micros;
        self.accumulated += micros;
        self.count += 1;
        self.updated = at;
        let magnitude = micros.max(1.0).log10() as usize;
        self.bins.get_or_insert([0; BINS])[magnitude.min(BINS - 1)] += 1;
    }
}

/// Statistics by name.
pub(crate) type Measures = BTreeMap<String, Measure>;

/// The statistics of one service. Counting costs a few additions: every operation does it.
#[derive(Debug, Default)]
pub(crate) struct ServiceStats {
    requests: [AtomicU64; ACTIONS.len()],
    failures: AtomicU64,
    updated: AtomicI64,
    durations: Mutex<Option<Measure>>,
    /// Statistics of its documents.
    pub documents: DocumentStats,
    /// What its guests write into the log.
    pub lines: Lines,
}

const ACTIONS: [(Action, &str); 5] = [
    (Action::Get, "GETrequestCount"),
    (Action::Post, "POSTrequestCount"),
    (Action::Put, "PUTrequestCount"),
    (Action::Patch, "PATCHrequestCount"),
    (Action::Delete, "DELETErequestCount"),
];

impl ServiceStats {
    /// Takes note of an operation that ended.
    pub(crate) fn operation(&self, action: Action, duration: Option<Duration>, failed: bool, at: Timestamp) {
        for ((other, _), count) in ACTIONS.iter().zip(&self.requests) {
            if *other == action {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        if failed {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        self.updated.fetch_max(at.0, Ordering::Relaxed);
        if let Some(duration) = duration {
            let mut durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
            durations.get_or_insert_with(Measure::new).observe(duration.as_micros() as f64, at);
        }
    }

    /// Returns all statistics.
    pub(crate) fn all(&self) -> Measures {
        let updated = Timestamp(self.updated.load(Ordering::Relaxed));
        let counted =
            |count: u64| Measure { latest: count as f64, accumulated: count as f64, count, updated, bins: None };
        let counts = self.requests.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<u64>>();
        let failures = self.failures.load(Ordering::Relaxed);
        let mut all = Measures::new();
        all.insert("requestCount".to_owned(), counted(counts.iter().sum()));
        for ((_, name), count) in ACTIONS.iter().zip(counts) {
            all.insert((*name).to_owned(), counted(count));
        }
        all.insert("failureCount".to_owned(), counted(failures));
        all.retain(|_, measure| measure.count > 0);
        let durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(durations.clone().map(|measure| ("operationDuration".to_owned(), measure)));
        all
    }
}

#[derive(Debug, Default)]
struct Kept {
    documents: HashMap<Link, Measures>,
    order: VecDeque<Link>,
}

/// The statistics of the documents of a service.
#[derive(Debug, Default)]
pub(crate) struct DocumentStats {
    kept: Mutex<Kept>,
}

impl DocumentStats {
    /// Changes the statistics of a document, which are forgotten some time after.
    pub(crate) fn change(&self, link: &Link, change: impl FnOnce(&mut Measures)) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = &mut *kept;
        if !kept.documents.contains_key(link) {
            if kept.order.len() >= DOCUMENTS_MAX
                && let Some(oldest) = kept.order.pop_front()
            {
                kept.documents.remove(&oldest);
            }
            kept.order.push_back(link.clone());
        }
        change(kept.documents.entry(link.clone()).or_default());
    }

    /// Adds `value` to a statistic of a document, if it has room for one of that name.
    pub(crate) fn add(&self, link: &Link, name: &str, value: f64, at: Timestamp) {
        self.change(link, |measures| {
            if let Some(measure) = measures.get_mut(name) {
                return measure.add(value, at);
            }
            let (name, value) = if measures.len() < NAMES_MAX { (name, value) } else { (DROPPED, 1.0) };
            measures.entry(name.to_owned()).or_insert_with(Measure::new).add(value, at);
        });
    }

    /// Returns the statistics of a document.
    pub(crate) fn of(&self, link: &Link) -> Measures {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.documents.get(link).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_by_magnitude() {
        let stats = ServiceStats::default();
        stats.operation(Action::Patch, Some(Duration::from_micros(150)), false, Timestamp(7));
        stats.operation(Action::Patch, Some(Duration::from_micros(3)), true, Timestamp(8));
        let all = stats.all();
        assert_eq!(all["requestCount"].latest, 2.0);
        assert_eq!(all["failureCount"].latest, 1.0);
        let bins = all["operationDuration"].bins.expect("durations have bins");
        assert_eq!((bins[0], bins[2]), (1, 1));
    }

    #[test]
    fn a_document_has_a_bounded_number_of_statistics_and_the_rest_is_counted() {
        let stats = DocumentStats::default();
        let link = Link::parse("/a/b").expect("a valid link");
        for n in 0..1000 {
            stats.add(&link, &format!("name{n}"), 5.0, Timestamp(1));
        }
        stats.add(&link, "name3", 5.0, Timestamp(2));
        let all = stats.of(&link);
        assert_eq!(all.len(), NAMES_MAX + 1);
        assert_eq!((all["name3"].latest, all[DROPPED].latest), (10.0, 936.0));
    }

    #[test]
    fn documents_heard_of_longest_ago_are_forgotten() {
        let stats = DocumentStats::default();
        let link = |n: usize| Link::parse(&format!("/a/{n}")).expect("a valid link");
        for n in 0..=DOCUMENTS_MAX {
            stats.add(&link(n), "x", 1.0, Timestamp(1));
        }
        assert!(stats.of(&link(0)).is_empty());
        assert_eq!(stats.of(&link(1))["x"].latest, 1.0);
    }
}
