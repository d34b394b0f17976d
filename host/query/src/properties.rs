//! What must hold of every query over every set of documents.

use proptest::prelude::*;
use steward_model::{Link, Moment, Timestamp, codec};

use super::condition::Condition;
use super::filter;
use super::memory::Memory;
use super::order::SortTerm;
use super::path::Path;
use super::request::{Budget, Content, HELD_BYTES_MAX, Request, SCANNED_MAX};
use super::run::{Answer, Part, Row, collect, gather, run};

const BUDGET: Budget = Budget {
    now: Timestamp(0),
    deadline: Moment(1),
    scanned_max: SCANNED_MAX,
    held_bytes_max: HELD_BYTES_MAX,
    reads_max: u64::MAX,
};

/// One thing that happens to one of a few documents.
#[derive(Debug, Clone)]
enum Change {
    Put { number: u8, a: Vec<i8>, b: String },
    Delete { number: u8 },
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (0..30_u8, -3..4_i8, "[xy]{0,2}").prop_map(|(number, a, b)| Change::Put { number, a: vec![a], b }),
        1 => (0..30_u8, prop::collection::vec(-3..4_i8, 0..3)).prop_map(|(number, a)| Change::Put { number, a, b: "y".into() }),
        1 => (0..30_u8).prop_map(|number| Change::Delete { number }),
    ]
}

fn link(number: u8) -> String {
    format!("/core/examples/d{number}")
}

/// Applies changes, each to the memory that owns the document.
fn memories(changes: &[Change], count: usize, indexed: bool) -> Vec<Memory> {
    let new = |_| if indexed { Memory::default().with_index("a").with_index("b") } else { Memory::default() };
    let mut memories: Vec<Memory> = (0..count).map(new).collect();
    for change in changes {
        match change {
            Change::Put { number, a, b } => {
                let a = match a[..] {
                    [one] => one.to_string(),
                    _ => format!("{a:?}"),
                };
                memories[usize::from(*number) % count].put(&link(*number), &format!(r#"{{"a":{a},"b":"{b}"}}"#));
            }
            Change::Delete { number } => {
                let memory = &mut memories[usize::from(*number) % count];
                if memory.has(&Link::parse(&link(*number)).expect("a link")) {
                    memory.delete(&link(*number));
                }
            }
        }
    }
    memories
}

fn condition() -> impl Strategy<Value = Condition> {
    prop::sample::select(vec![
        "a ge -1 and a lt 3",
        "b eq 'x*'",
        "a eq 1 or b eq 'y'",
        "not (a eq 0)",
        "a lt 2 and b ne 'x'",
        "documentSelfLink eq '/core/examples/d1*'",
        "documentSelfLink any '/core/examples/d1;/core/examples/d2' and a gt -9",
        "documentVersion ge 0",
        "a ge -2",
        "b eq 'x'",
        "always",
    ])
    .prop_map(|text| if text == "always" { Condition::Always } else { filter::parse(text).expect("a filter") })
}

fn order() -> impl Strategy<Value = Vec<SortTerm>> {
    let term = (prop::sample::select(vec!["a", "b", "documentVersion"]), any::<bool>())
        .prop_map(|(path, descending)| SortTerm { path: Path::parse(path).expect("a path"), descending });
    prop::collection::vec(term, 0..3)
}

fn request() -> impl Strategy<Value = Request> {
    (condition(), order(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(condition, order, all_versions, deleted, full)| Request {
            order,
            all_versions,
            deleted,
            content: if full { Content::Full } else { Content::Links },
            ..Request::new(condition)
        },
    )
}

/// Returns what a client sees of the rows.
fn shown(answer: &Answer) -> Vec<(Link, String)> {
    let text = |row: &Row| String::from_utf8_lossy(&row.content).into_owned();
    answer.rows.iter().map(|row| (row.rank.link().clone(), text(row))).collect()
}

fn whole(request: &Request, memory: &Memory) -> Answer {
    run(request, memory, &BUDGET, &|| Moment(0)).expect("an answer")
}

proptest! {
    #[test]
    fn pages_divide_the_result_without_loss_or_repetition(
        changes in prop::collection::vec(change(), 0..80), request in request(), limit in 1..9_usize, skip in 0..9_usize
    ) {
        let memory = memories(&changes, 1, false).remove(0);
        let all = whole(&request, &memory).rows;
        prop_assert!(all.is_sorted_by(|a, b| a.rank < b.rank));
        let mut paged: Vec<Row> = Vec::new();
        let mut page = Request { limit, skip, total: true, ..request };
        loop {
            let answer = whole(&page, &memory);
            prop_assert_eq!(answer.total, Some(all.len() as u64));
            prop_assert!(answer.rows.len() == limit || answer.next.is_none());
            paged.extend(answer.rows);
            let Some(next) = answer.next else { break };
            page = Request { after: Some(next), skip: 0, ..page };
        }
        prop_assert_eq!(&paged[..], &all[skip.min(all.len())..]);
    }

    #[test]
    fn an_index_changes_the_cost_and_not_the_result(
        changes in prop::collection::vec(change(), 0..80), request in request()
    ) {
        let plain = memories(&changes, 1, false).remove(0);
        let indexed = memories(&changes, 1, true).remove(0);
        prop_assert_eq!(shown(&whole(&request, &plain)), shown(&whole(&request, &indexed)));
    }

    #[test]
    fn an_index_changes_the_cost_and_not_the_pages(
        changes in prop::collection::vec(change(), 0..80), request in request(),
        limit in 0..9_usize, skip in 0..5_usize, total in any::<bool>(), in_factory in any::<bool>(),
    ) {
        let factory = in_factory.then(|| Link::parse("/core/examples").expect("a link"));
        let total = total || limit == 0;
        let (mut plain, request) = (Vec::new(), Request { limit, skip, total, factory, ..request });
        for indexed in [false, true] {
            let memory = memories(&changes, 1, indexed).remove(0);
            let (mut pages, mut page) = (Vec::new(), request.clone());
            loop {
                let answer = whole(&page, &memory);
                pages.push((shown(&answer), answer.total));
                let Some(next) = answer.next else { break };
                page = Request { after: Some(next), skip: 0, ..page };
            }
            match indexed {
                false => plain = pages,
                true => prop_assert_eq!(&pages, &plain),
            }
        }
    }

    #[test]
    fn nodes_together_answer_as_one_would(
        changes in prop::collection::vec(change(), 0..80), request in request(),
        count in 1..4_usize, limit in 1..9_usize, skip in 0..5_usize, total in any::<bool>()
    ) {
        let request = Request { limit, skip, total, ..request };
        let alone = whole(&request, &memories(&changes, 1, false).remove(0));
        let nodes = memories(&changes, count, false);
        let parts = nodes.iter().map(|memory| {
            let part = collect(&request, memory, &BUDGET, &|| Moment(0)).expect("a part");
            codec::decode::<Part>(&codec::encode(&part)).expect("parts travel between nodes")
        });
        let together = gather(&request, parts.collect());
        prop_assert_eq!((together.rows, together.next, together.total), (alone.rows, alone.next, alone.total));
    }

    #[test]
    fn short_parts_lose_nothing_when_they_are_gathered(
        changes in prop::collection::vec(change(), 0..80), count in 1..4_usize, bytes in 1..200_usize
    ) {
        let request = Request { content: Content::Full, limit: 7, ..Request::new(Condition::Always) };
        let all = whole(&Request { limit: 100, ..request.clone() }, &memories(&changes, 1, false).remove(0)).rows;
        let nodes = memories(&changes, count, false);
        let budget = Budget { held_bytes_max: bytes, ..BUDGET };
        let mut page = request;
        let mut paged: Vec<Row> = Vec::new();
        loop {
            let parts = nodes.iter().map(|memory| collect(&page, memory, &budget, &|| Moment(0)).expect("a part"));
            let answer = gather(&page, parts.collect());
            paged.extend(answer.rows);
            let Some(next) = answer.next else { break };
            page = Request { after: Some(next), ..page };
        }
        prop_assert_eq!(paged, all);
    }
}
