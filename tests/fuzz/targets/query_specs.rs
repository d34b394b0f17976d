//! Query tasks: any body is refused with a place and a reason, or can be planned, held against any document, and shown to its
//! client as JSON that is taken in again. Any token of a page is refused, or can be asked for again.

use serde_json::{Value, json};
use steward_model::Timestamp;
use steward_query::Task;
use steward_query::evaluate::View;
use steward_query::plan::Plan;
use steward_query::run::Answer;
use steward_query::task::Finish;

use crate::documents;

const FINISH: Finish<'static> =
    Finish { link: "/core/query-tasks/one", owner: "host", now: Timestamp(1_000_000), micros: 7 };

pub(crate) fn check(bytes: &[u8]) {
    match Task::parse(bytes) {
        Ok(task) => {
            asked(&task);
            shown(&task);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(page) = Task::page(text, Timestamp(0))
    {
        asked(&page);
    }
}

fn asked(task: &Task) {
    let plan = Plan::of(task.request());
    let finds_nothing = plan.lookups.iter().any(Vec::is_empty);
    for document in documents::all() {
        let view = View::new(&document, "host");
        let matches = view.satisfies(&task.request().condition);
        assert!(!(finds_nothing && matches), "a lookup that looks nowhere would miss {}", document.link);
        for term in &task.request().order {
            view.sort_key(&term.path);
        }
    }
}

fn shown(task: &Task) {
    // A specification may be too long to be carried from page to page.
    let Ok(shown) = task.finish(&Answer::default(), &FINISH) else { return };
    let mut shown: Value = serde_json::from_slice(&shown).expect("clients get JSON");
    let specification = shown["querySpec"].take();
    let body = json!({ "querySpec": specification }).to_string();
    let again = Task::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
    let mut request = again.request().clone();
    if has_fraction(&specification) {
        request.condition = task.request().condition.clone();
    }
    assert_eq!(&request, task.request(), "{body}");
}

/// Returns true if there is a number that is no integer: those are read as one of two nearest floats, and not always as the
/// same one again.
fn has_fraction(json: &Value) -> bool {
    match json {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}
