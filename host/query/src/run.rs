//! Running a query, on one node or on several.
//!
//! ```text
//!            ┌─ collect on node 1 ─ Part ─┐
//! Request ───┼─ collect on node 2 ─ Part ─┼── gather ── Answer
//!            └─ collect on node 3 ─ Part ─┘
//! ```
//!
//! Each node collects from the documents that it owns; rows carry their rank, so that gathering is merging. A query
//! over one source is the same with one part.
//!
//! Pages are not snapshots: each reads what is committed then. A document that keeps its rank between two pages is
//! returned exactly once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use steward_model::codec::{Format, bytes_run};
use steward_model::{Document, Link, Moment};

use super::evaluate::View;
use super::order::Rank;
use super::plan::{Plan, Probe};
use super::request::{Budget, Content, Request};
use super::source::Source;

/// Most links to take from an index; where it has more, reading the documents in order costs less.
const LOOKUP_LINKS_MAX: usize = 100_000;

/// How many documents are read between two looks at the clock.
const READS_PER_LOOK: u64 = 64;

/// Why a query has no answer. All but the first are for the client to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error<E: std::error::Error + 'static> {
    /// The source failed.
    #[error("documents cannot be read for the query: {0}")]
    Source(#[source] E),
    /// The time was over.
    #[error(
        "query is not done at its deadline after {scanned} documents: narrow it by an indexed field, or take pages"
    )]
    Deadline {
        /// How many document versions had been read.
        scanned: u64,
    },
    /// Too many documents would have to be read.
    #[error("query reads more than {max} documents: narrow it by an indexed field")]
    Scanned {
        /// How many may be read.
        max: u64,
    },
    /// The documents of one answer are too large together.
    #[error("documents of one answer have more than {max} bytes: take smaller pages, or fewer fields")]
    Held {
        /// How many bytes there may be.
        max: usize,
    },
}

/// One row of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Where it stands; names the document and its version.
    pub rank: Rank,
    /// What was asked for of the document, as JSON; empty if only links were.
    #[serde(with = "bytes_run")]
    pub content: Bytes,
}

/// What one source has to say to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The first rows, in order; as many as the request leaves out and wants, or all there are.
    pub rows: Vec<Row>,
    /// There are rows after these.
    pub more: bool,
    /// How many rows there are in all, if that was asked for.
    pub total: Option<u64>,
    /// How many document versions were read.
    pub scanned: u64,
}

impl Format for Part {
    const NAME: &'static str = "part of an answer";
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// Where the next page begins, if there are rows after these.
    pub next: Option<Rank>,
    /// How many rows there are in all, if that was asked for.
    pub total: Option<u64>,
    /// How many document versions were read.
    pub scanned: u64,
}

/// Runs a query over one source.
///
/// # Errors
/// As [`collect`].
pub fn run<S: Source>(
    request: &Request,
    source: &S,
    budget: &Budget,
    clock: &dyn Fn() -> Moment,
) -> Result<Answer, Error<S::Error>> {
    Ok(gather(request, vec![collect(request, source, budget, clock)?]))
}

/// Collects what one source has to say to a request.
///
/// # Errors
/// [`Error`] if the source fails or the budget does not suffice.
pub fn collect<S: Source>(
    request: &Request,
    source: &S,
    budget: &Budget,
    clock: &dyn Fn() -> Moment,
) -> Result<Part, Error<S::Error>> {
    let mut collector = Collector {
        request,
        source,
        budget,
        clock,
        rows: BTreeMap::new(),
        matched: 0,
        scanned: 0,
        held: 0,
        more: false,
    };
    let plan = Plan::of(request);
    let from = request.after.as_ref().filter(|_| request.is_in_order_of_links() && !request.total).map(Rank::link);
    match look_up(&plan, source)? {
        Some(links) => {
            for link in links.iter().filter(|link| from.is_none_or(|from| *link > from)) {
                let Some(document) = source.document(link).map_err(Error::Source)? else {
                    continue;
                };
                if collector.consider(document)?.is_break() {
                    break;
                }
            }
        }
        None => {
            let deleted = request.deleted || request.all_versions;
            for document in source.documents(plan.below.as_ref(), from, deleted) {
                if collector.consider(document.map_err(Error::Source)?)?.is_break() {
                    break;
                }
            }
        }
    }
    Ok(collector.finish())
}

/// Returns the links at the best places that the source can look up, in order; none if it can look up none.
fn look_up<S: Source>(plan: &Plan, source: &S) -> Result<Option<Vec<Link>>, Error<S::Error>> {
    for probes in &plan.lookups {
        if let Some(mut links) = links_at(probes, source)? {
            links.sort_unstable();
            links.dedup();
            return Ok(Some(links));
        }
    }
    Ok(None)
}

fn links_at<S: Source>(probes: &[Probe], source: &S) -> Result<Option<Vec<Link>>, Error<S::Error>> {
    let mut links = Vec::new();
    for probe in probes {
        match probe {
            Probe::Link(link) => links.push(link.clone()),
            Probe::Range { path, range } => {
                let Some(found) = source.indexed(path, range) else {
                    return Ok(None);
                };
                for link in found {
                    links.push(link.map_err(Error::Source)?);
                    if links.len() > LOOKUP_LINKS_MAX {
                        return Ok(None);
                    }
                }
            }
        }
    }
    Ok(Some(links))
}

/// Keeps the first rows of all it is shown.
struct Collector<'a, S: Source> {
    request: &'a Request,
    source: &'a S,
    budget: &'a Budget,
    clock: &'a dyn Fn() -> Moment,
    /// The first rows so far; with the document if its content is wanted.
    rows: BTreeMap<Rank, Option<Document>>,
    matched: u64,
    scanned: u64,
    held: usize,
    more: bool,
}

impl<S: Source> Collector<'_, S> {
    /// Looks at one document, given its newest state, and at its versions if they are wanted.
    fn consider(&mut self, newest: Document) -> Result<ControlFlow<()>, Error<S::Error>> {
        let outside = self.request.factory.is_some() && newest.link.parent() != self.request.factory;
        if outside {
            self.spend()?;
            return Ok(ControlFlow::Continue(()));
        }
        if !self.request.all_versions {
            return self.offer(newest);
        }
        for version in self.source.versions(&newest.link).map_err(Error::Source)? {
            if self.offer(version)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes one state for a row if it matches and stands among the first.
    fn offer(&mut self, state: Document) -> Result<ControlFlow<()>, Error<S::Error>> {
        self.spend()?;
        let gone = !state.is_there(self.budget.now);
        if gone && !self.request.deleted {
            return Ok(ControlFlow::Continue(()));
        }
        let view = View::new(&state, self.source.owner(&state.link));
        if !view.satisfies(&self.request.condition) {
            return Ok(ControlFlow::Continue(()));
        }
        self.matched += 1;
        if self.request.skip + self.request.limit == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        let rank = Rank::of(&state, &view, &self.request.order);
        if self.request.after.as_ref().is_some_and(|after| rank <= *after) {
            return Ok(ControlFlow::Continue(()));
        }
        self.keep(rank, state)
    }

    fn keep(&mut self, rank: Rank, state: Document) -> Result<ControlFlow<()>, Error<S::Error>> {
        let wanted = self.request.skip + self.request.limit;
        let in_order = self.request.is_in_order_of_links();
        if self.rows.len() >= wanted && self.rows.last_key_value().is_none_or(|(last, _)| rank > *last) {
            self.more = true;
            let done = in_order && !self.request.total;
            return Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
        }
        let document = match self.request.content {
            Content::Links => None,
            Content::Full | Content::Builtin | Content::Fields(_) => Some(state),
        };
        let bytes = document.as_ref().map_or(0, |document| document.body.len());
        if self.held + bytes > self.budget.held_bytes_max && !self.rows.is_empty() {
            // A page may end early, for the next one goes on where it ended; other answers may not.
            if in_order && self.request.skip == 0 && !self.request.total {
                self.more = true;
                return Ok(ControlFlow::Break(()));
            }
            return Err(Error::Held { max: self.budget.held_bytes_max });
        }
        self.held += bytes;
        self.rows.insert(rank, document);
        if self.rows.len() > wanted {
            self.more = true;
            let dropped = self.rows.pop_last().and_then(|(_, document)| document);
            self.held -= dropped.map_or(0, |document| document.body.len());
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Accounts for one document version read.
    fn spend(&mut self) -> Result<(), Error<S::Error>> {
        self.scanned += 1;
        if self.scanned > self.budget.scanned_max {
            return Err(Error::Scanned { max: self.budget.scanned_max });
        }
        if self.scanned % READS_PER_LOOK == 1 && (self.clock)() >= self.budget.deadline {
            return Err(Error::Deadline { scanned: self.scanned });
        }
        Ok(())
    }

    fn finish(self) -> Part {
        let rows = self.rows.into_iter().map(|(rank, document)| {
            let content = document.map_or_else(Bytes::new, |document| {
                self.request.content.render(&document, self.source.owner(&document.link))
            });
            Row { rank, content }
        });
        let total = self.request.total.then_some(self.matched);
        Part { rows: rows.collect(), more: self.more, total, scanned: self.scanned }
    }
}

/// Joins what the sources of a cluster have to say into one answer. Each document must be in one source only.
pub fn gather(request: &Request, parts: Vec<Part>) -> Answer {
    // Beyond the last row of a part that has more, rows of that part may be missing.
    let horizon = parts.iter().filter(|part| part.more).filter_map(|part| part.rows.last());
    let horizon = horizon.map(|row| row.rank.clone()).min();
    let total = request.total.then(|| parts.iter().filter_map(|part| part.total).sum());
    let scanned = parts.iter().map(|part| part.scanned).sum();
    let mut more = parts.iter().any(|part| part.more);
    let mut rows: Vec<Row> = parts.into_iter().flat_map(|part| part.rows).collect();
    rows.sort_unstable_by(|a, b| a.rank.cmp(&b.rank));
    let known = rows.iter().take_while(|row| horizon.as_ref().is_none_or(|horizon| row.rank <= *horizon)).count();
    let end = known.min(request.skip + request.limit);
    more |= end < rows.len();
    rows.truncate(end);
    rows.drain(..request.skip.min(end));
    let next = rows.last().filter(|_| more).map(|row| row.rank.clone());
    Answer { rows, next, total, scanned }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use steward_model::Timestamp;

    use super::super::condition::Condition;
    use super::super::filter;
    use super::super::memory::{Memory, document};
    use super::super::request::{HELD_BYTES_MAX, SCANNED_MAX};
    use super::*;

    const BUDGET: Budget = Budget {
        now: Timestamp(1_000_000),
        deadline: Moment(1_000),
        scanned_max: SCANNED_MAX,
        held_bytes_max: HELD_BYTES_MAX,
    };

    fn request(text: &str) -> Request {
        Request::new(if text.is_empty() { Condition::Always } else { filter::parse(text).expect("a filter") })
    }

    fn answer(memory: &Memory, request: &Request) -> Answer {
        run(request, memory, &BUDGET, &|| Moment(0)).expect("an answer")
    }

    fn names(answer: &Answer) -> Vec<String> {
        answer.rows.iter().map(|row| format!("{}@{}", row.rank.link().name(), row.rank.version())).collect()
    }

    #[test]
    fn a_page_is_read_only_as_far_as_needed() {
        let memory = Memory::examples(500);
        let first = answer(&memory, &Request { limit: 3, ..request("") });
        assert_eq!(names(&first), ["n0@0", "n1@0", "n10@0"]);
        assert_eq!((memory.scanned.get(), first.scanned), (4, 4));
        let second = answer(&memory, &Request { limit: 3, after: first.next, ..request("") });
        assert_eq!(names(&second), ["n100@0", "n101@0", "n102@0"]);
        assert_eq!(memory.scanned.get(), 8);
    }

    #[test]
    fn the_last_page_has_no_next_one() {
        let memory = Memory::examples(3);
        assert_eq!(answer(&memory, &Request { limit: 3, ..request("") }).next, None);
        assert!(answer(&memory, &Request { limit: 2, ..request("") }).next.is_some());
    }

    #[test]
    fn an_indexed_field_saves_reading_the_rest() {
        let memory = Memory::examples(500).with_index("counter");
        assert_eq!(names(&answer(&memory, &request("counter ge 7 and counter lt 9"))), ["n7@0", "n8@0"]);
        assert_eq!(memory.scanned.get(), 0);
        assert_eq!(names(&answer(&memory, &request("documentSelfLink eq '/core/examples/n7'"))), ["n7@0"]);
        assert_eq!(memory.scanned.get(), 0);
    }

    #[test]
    fn a_factory_lists_its_own_children_only() {
        let mut memory = Memory::examples(1);
        memory.put("/core/examples/n0/part", "{}");
        memory.put("/core/examples2/n1", "{}");
        let factory = Some(Link::parse("/core/examples").expect("a link"));
        assert_eq!(names(&answer(&memory, &Request { factory, ..request("") })), ["n0@0"]);
    }

    #[test]
    fn tombstones_and_expired_documents_are_gone_unless_wanted() {
        let mut memory = Memory::examples(2);
        memory.delete("/core/examples/n0");
        memory.push(Document { expires: Timestamp(1_000_000), ..document("/core/examples/old", "{}") });
        memory.push(Document { expires: Timestamp(1_000_001), ..document("/core/examples/young", "{}") });
        assert_eq!(names(&answer(&memory, &request(""))), ["n1@0", "young@0"]);
        let all = answer(&memory, &Request { deleted: true, ..request("") });
        assert_eq!(names(&all), ["n0@1", "n1@0", "old@0", "young@0"]);
    }

    #[test]
    fn history_holds_the_versions_of_deleted_documents_but_not_their_tombstones() {
        let mut memory = Memory::examples(2);
        memory.put("/core/examples/n0", "{}");
        memory.delete("/core/examples/n0");
        let history = Request { all_versions: true, ..request("") };
        assert_eq!(names(&answer(&memory, &history)), ["n0@1", "n0@0", "n1@0"]);
        let everything = Request { deleted: true, ..history };
        assert_eq!(names(&answer(&memory, &everything)), ["n0@2", "n0@1", "n0@0", "n1@0"]);
    }

    #[test]
    fn a_count_needs_no_rows() {
        let counted = answer(&Memory::examples(7), &Request { limit: 0, total: true, ..request("counter ge 3") });
        assert_eq!((counted.total, counted.rows.len(), counted.next), (Some(4), 0, None));
    }

    #[test]
    fn budgets_are_kept() {
        let memory = Memory::examples(500);
        let tight = Budget { scanned_max: 100, ..BUDGET };
        let late = Cell::new(900);
        let clock = || {
            late.set(late.get() + 50);
            Moment(late.get())
        };
        let nothing = request("name eq 'absent'");
        let refused = run(&nothing, &memory, &tight, &|| Moment(0)).expect_err("too many");
        assert!(matches!(refused, Error::Scanned { max: 100 }), "{refused}");
        let refused = run(&nothing, &memory, &BUDGET, &clock).expect_err("too late");
        assert!(matches!(refused, Error::Deadline { scanned: 65 }), "{refused}");
    }

    #[test]
    fn a_page_of_large_documents_ends_early_but_a_sorted_one_is_refused() {
        let memory = Memory::examples(50);
        let budget = Budget { held_bytes_max: 100, ..BUDGET };
        let page = Request { content: Content::Full, ..request("") };
        let first = run(&page, &memory, &budget, &|| Moment(0)).expect("a short page");
        assert!(!first.rows.is_empty() && first.rows.len() < 50 && first.next.is_some());
        let skipping = Request { skip: 1, ..page };
        assert!(matches!(run(&skipping, &memory, &budget, &|| Moment(0)), Err(Error::Held { max: 100 })));
    }
}
