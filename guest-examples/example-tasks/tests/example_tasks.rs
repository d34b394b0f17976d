//! The task of the walk-through: its four versions, its refusals, its restarts.

use guest_example_tasks::ExampleTask;
use guest_examples::ExampleState;
use steward_sdk::mock::{Host, Response};
use steward_sdk::prelude::*;

const TASKS: &str = "/core/example-tasks";

fn host_with_examples(count: usize) -> Host {
    let mut host = Host::serving::<ExampleTask>().with::<ExampleState>();
    for n in 0..count {
        host.post("/core/examples", json!({ "name": format!("example-{n}") }));
    }
    host
}

fn examples(host: &mut Host) -> Value {
    host.get("/core/examples").body["documentCount"].clone()
}

fn steps(host: &Host, link: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    host.versions(link)
        .iter()
        .map(|version| (text(&version["taskInfo"]["stage"]), text(&version["subStage"])))
        .collect()
}

fn expected(steps: &[(&str, &str)]) -> Vec<(String, String)> {
    steps.iter().map(|(stage, sub_stage)| ((*stage).to_owned(), (*sub_stage).to_owned())).collect()
}

const WALK: [(&str, &str); 4] = [
    ("STARTED", "QUERY_EXAMPLES"),
    ("STARTED", "QUERY_EXAMPLES"),
    ("STARTED", "DELETE_EXAMPLES"),
    ("FINISHED", "DELETE_EXAMPLES"),
];

#[test]
fn a_task_takes_versions_0_to_3_whatever_there_is_to_delete() {
    for count in [0, 1, 63, 64, 65, 200] {
        let mut host = host_with_examples(count);
        let posted = host.post(TASKS, json!({ "taskLifetime": 300 }));
        assert_eq!((posted.status, posted.version()), (202, 0));
        assert_eq!(posted.body["taskInfo"], json!({ "stage": "STARTED", "isDirect": false }));
        host.settle();
        assert_eq!(steps(&host, &posted.link()), expected(&WALK), "{count} examples");
        assert_eq!(examples(&mut host), 0);
        let results = &host.get(&posted.link()).body["exampleQueryTask"]["results"];
        assert_eq!(results["documentLinks"].as_array().map(Vec::len), Some(count));
        assert_eq!(host.refusals(), []);
    }
}

#[test]
fn two_tasks_at_once_both_finish() {
    let mut host = host_with_examples(3);
    let links = [host.post(TASKS, json!({})).link(), host.post(TASKS, json!({})).link()];
    host.settle();
    for link in links {
        assert_eq!(steps(&host, &link), expected(&WALK));
    }
}

#[test]
fn a_clause_of_the_client_narrows_the_query() {
    let mut host = host_with_examples(3);
    let clause = json!({ "term": { "propertyName": "name", "matchValue": "example-1" } });
    host.post(TASKS, json!({ "customQueryClause": clause }));
    host.settle();
    assert_eq!(examples(&mut host), 2);
}

#[test]
fn what_the_task_alone_may_set_is_refused() {
    let mut host = host_with_examples(1);
    for (body, pointer) in [
        (json!({ "subStage": "QUERY_EXAMPLES" }), "/subStage"),
        (json!({ "exampleQueryTask": {} }), "/exampleQueryTask"),
        (json!({ "taskLifetime": 0 }), "/taskLifetime"),
        (json!({ "taskLifetime": "long" }), "/taskLifetime"),
        (json!({ "taskInfo": { "stage": "FINISHED" } }), "/taskInfo/stage"),
        (json!({ "subStage": "RUN" }), "/subStage"),
    ] {
        let refused = host.post(TASKS, body.clone());
        assert_eq!((refused.status, refused.pointer()), (400, pointer), "{body}");
    }
}

#[test]
fn steps_backwards_are_refused() {
    let mut host = host_with_examples(0);
    let link = host.post(TASKS, json!({})).link();
    let started = |sub_stage: &str| json!({ "taskInfo": { "stage": "STARTED" }, "subStage": sub_stage });
    for (body, pointer) in [
        (json!({}), "/taskInfo"),
        (json!({ "taskInfo": {} }), "/taskInfo/stage"),
        (json!({ "taskInfo": { "stage": "CREATED" } }), "/taskInfo/stage"),
        (json!({ "taskInfo": { "stage": "STARTED" } }), "/subStage"),
        (started("DELETE_EXAMPLES"), "/exampleQueryTask"),
        (json!({ "kind": "com:vmware:xenon:services:common:ExampleTaskService:RestartRequest" }), "/kind"),
    ] {
        let refused = host.patch(&link, body.clone());
        assert_eq!((refused.status, refused.pointer()), (400, pointer), "{body}");
    }
    host.settle();
    assert_eq!(host.patch(&link, started("QUERY_EXAMPLES")).pointer(), "/taskInfo/stage");
    assert_eq!(host.patch(&link, json!({ "taskInfo": { "stage": "FAILED" } })).pointer(), "/taskInfo/stage");
    assert_eq!(host.put(&link, json!({})).status, 405);
}

#[test]
fn a_step_that_fails_fails_the_task_and_says_why() {
    let problem = json!({ "message": "disk full" });
    let mut host =
        Host::serving::<ExampleTask>().answering("/core/examples", move |_| Response::new(507, problem.clone()));
    let link = host.post(TASKS, json!({})).link();
    // The examples of a task live elsewhere here, so the results are put in its hands.
    let results = json!({ "results": { "documentLinks": ["/core/examples/a", "/core/examples/b"] } });
    let body =
        json!({ "taskInfo": { "stage": "STARTED" }, "subStage": "DELETE_EXAMPLES", "exampleQueryTask": results });
    assert_eq!(host.patch(&link, body).status, 200);
    host.settle();
    let task = host.get(&link).body;
    assert_eq!(task["taskInfo"]["stage"], "FAILED");
    assert_eq!(task["failureMessage"], "/core/examples/a answered 507: disk full");
}

#[test]
fn a_restart_takes_up_what_was_going_on_and_nothing_else() {
    let mut host = host_with_examples(3);
    let link = host.post(TASKS, json!({})).link();
    host.restart();
    host.settle();
    let mut walk = WALK.to_vec();
    walk.insert(1, ("STARTED", "QUERY_EXAMPLES"));
    assert_eq!(steps(&host, &link), expected(&walk), "one more query, and one chain of steps");
    assert_eq!(examples(&mut host), 0);
    host.restart();
    host.settle();
    assert_eq!(host.versions(&link).len(), walk.len(), "a finished task does nothing");
    assert_eq!(host.refusals(), []);
}

#[test]
fn a_task_expires_after_its_lifetime_or_four_hours() {
    let mut host = host_with_examples(0);
    let short = host.post(TASKS, json!({ "taskLifetime": 300 })).link();
    let long = host.post(TASKS, json!({})).link();
    let moment = host.now_micros() + 60_000_000;
    let own = host.post(TASKS, json!({ "documentExpirationTimeMicros": moment })).link();
    for (seconds, alive) in [(59, 3), (1, 2), (239, 2), (1, 1), (14_099, 1), (1, 0)] {
        host.advance(Duration::from_secs(seconds));
        let found = [&short, &long, &own].iter().filter(|link| host.get(link).status == 200).count();
        assert_eq!(found, alive);
    }
}
