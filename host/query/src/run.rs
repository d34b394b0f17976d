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

use steward_model::Moment;

pub use super::answer::{Answer, Error, Part, Row, Way};
use super::collector::Collector;
use super::request::{Budget, Request};
use super::source::Source;
use super::ways;

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
    let mut collector = Collector::new(request, source, budget, clock);
    ways::read(&mut collector)?;
    Ok(collector.finish())
}

/// Joins what the sources of a cluster have to say into one answer. Each document must be in one source only.
pub fn gather(request: &Request, parts: Vec<Part>) -> Answer {
    // Beyond the last row of a part that has more, rows of that part may be missing.
    let horizon = parts.iter().filter(|part| part.more).filter_map(|part| part.rows.last());
    let horizon = horizon.map(|row| row.rank.clone()).min();
    let total = request.total.then(|| parts.iter().filter_map(|part| part.total).sum());
    let scanned = parts.iter().map(|part| part.scanned).sum();
    let keys = parts.iter().map(|part| part.keys).sum();
    // What one node knows of a factory the others know too.
    let way = parts.first().map(|part| part.way).unwrap_or_default();
    let mut more = parts.iter().any(|part| part.more);
    let mut rows: Vec<Row> = parts.into_iter().flat_map(|part| part.rows).collect();
    rows.sort_unstable_by(|a, b| a.rank.cmp(&b.rank));
    let known = rows.iter().take_while(|row| horizon.as_ref().is_none_or(|horizon| row.rank <= *horizon)).count();
    let end = known.min(request.skip + request.limit);
    more |= end < rows.len();
    rows.truncate(end);
    rows.drain(..request.skip.min(end));
    let next = rows.last().filter(|_| more).map(|row| row.rank.clone());
    Answer { rows, next, total, scanned, keys, way }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use steward_model::{Document, Link, Timestamp};

    use super::super::condition::Condition;
    use super::super::filter;
    use super::super::memory::{Memory, document};
    use super::super::order::SortTerm;
    use super::super::path::Path;
    use super::super::request::{Content, HELD_BYTES_MAX, SCANNED_MAX};
    use super::*;

    const BUDGET: Budget = Budget {
        now: Timestamp(1_000_000),
        deadline: Moment(1_000),
        scanned_max: SCANNED_MAX,
        held_bytes_max: HELD_BYTES_MAX,
        reads_max: u64::MAX,
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
    fn a_document_with_several_values_stands_at_its_first_one_whatever_the_range() {
        let mut memory = Memory::default().with_index("a");
        for (name, values) in [("d0", "[5,1]"), ("d1", "2"), ("d2", "[0,3]"), ("d3", "9")] {
            memory.put(&format!("/core/examples/{name}"), &format!(r#"{{"a":{values}}}"#));
        }
        let sorted = |descending| {
            let order = vec![SortTerm { path: Path::parse("a").expect("a path"), descending }];
            names(&answer(&memory, &Request { order, ..request("a lt 4") }))
        };
        assert_eq!(sorted(false), ["d2@0", "d1@0", "d0@0"]);
        assert_eq!(sorted(true), ["d0@0", "d1@0", "d2@0"]);
    }

    #[test]
    fn a_page_in_the_order_of_an_index_reads_no_document_and_no_key_too_many() {
        let memory = Memory::examples(500).with_index("counter");
        let order = vec![SortTerm { path: Path::parse("counter").expect("a path"), descending: true }];
        let page = Request { order, limit: 3, ..request("counter lt 400") };
        let first = answer(&memory, &page);
        assert_eq!(names(&first), ["n399@0", "n398@0", "n397@0"]);
        assert_eq!((first.way, first.keys, first.scanned), (Way::Order, 4, 0));
        let second = answer(&memory, &Request { after: first.next, ..page });
        assert_eq!(names(&second), ["n396@0", "n395@0", "n394@0"]);
        assert_eq!((second.keys, second.scanned), (4, 0));
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
