//! The guest example `example-tasks`, a task of Xenon: its versions, its refusals, its restart.

use serde_json::json;
use steward_tests::client::Client;
use steward_tests::wait;

use crate::host_with;

async fn finished(client: &Client, link: &str) -> serde_json::Value {
    wait::until("the task is finished", || async {
        let task = client.get(link).await.json();
        let stage = task["taskInfo"]["stage"].as_str().unwrap_or_default().to_owned();
        assert_ne!(stage, "FAILED", "{task}");
        (stage == "FINISHED").then_some(task)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_deletes_all_examples_in_versions_0_to_3() {
    let host = host_with(&["examples", "example-tasks"]).await;
    let client = host.client();
    for n in 0..5 {
        client.post("/core/examples", &json!({ "name": format!("example-{n}"), "counter": n })).await.expect(201);
    }
    let posted = client.post("/core/example-tasks", &json!({ "taskLifetime": 300 })).await.expect(202).json();
    assert_eq!(posted["taskInfo"]["stage"], "STARTED");
    assert_eq!(posted["subStage"], "QUERY_EXAMPLES");
    let link = posted["documentSelfLink"].as_str().expect("a link").to_owned();
    let task = finished(client, &link).await;
    assert_eq!(task["documentVersion"], 3);
    let stages: Vec<(String, String)> = versions(client, &link).await;
    let expected = [
        ("STARTED", "QUERY_EXAMPLES"),
        ("STARTED", "QUERY_EXAMPLES"),
        ("STARTED", "DELETE_EXAMPLES"),
        ("FINISHED", "DELETE_EXAMPLES"),
    ];
    let expected: Vec<(String, String)> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(stages, expected);
    let listed = client.get("/core/examples").await.expect(200).json();
    assert_eq!(listed["documentCount"], 0);
    assert_eq!(listed["documentLinks"], json!([]));

    let query = json!({
        "taskInfo": { "isDirect": true },
        "querySpec": {
            "options": ["INCLUDE_ALL_VERSIONS"],
            "query": { "term": {
                "matchType": "TERM",
                "propertyName": "documentKind",
                "matchValue": "com:vmware:xenon:services:common:ExampleTaskService:ExampleTaskServiceState",
            } },
        },
    });
    let found = client.post("/core/query-tasks", &query).await.expect(200).json();
    let links: Vec<String> = (0..=3).rev().map(|version| format!("{link}?documentVersion={version}")).collect();
    assert_eq!(found["results"]["documentLinks"], json!(links));
}

async fn versions(client: &Client, link: &str) -> Vec<(String, String)> {
    let mut stages = Vec::new();
    for version in 0..=3 {
        let old = client.get(&format!("{link}?documentVersion={version}")).await.expect(200).json();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        stages.push((text(&old["taskInfo"]["stage"]), text(&old["subStage"])));
    }
    stages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_refuses_what_its_owner_alone_may_set() {
    let host = host_with(&["examples", "example-tasks"]).await;
    let client = host.client();
    client.post("/core/example-tasks", &json!({ "taskLifetime": 0 })).await.expect(400);
    client.post("/core/example-tasks", &json!({ "subStage": "DELETE_EXAMPLES" })).await.expect(400);
    client.post("/core/example-tasks", &json!({ "exampleQueryTask": {} })).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_a_kill_interrupted_finish_after_the_restart() {
    let mut host = host_with(&["examples", "example-tasks"]).await;
    let client = host.client().clone();
    for n in 0..40 {
        client.post("/core/examples", &json!({ "name": format!("example-{n}") })).await.expect(201);
    }
    let mut links = Vec::new();
    for _ in 0..3 {
        let posted = client.post("/core/example-tasks", &json!({ "taskLifetime": 300 })).await.expect(202).json();
        links.push(posted["documentSelfLink"].as_str().expect("a link").to_owned());
    }
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    for link in links {
        finished(host.client(), &link).await;
    }
    assert_eq!(host.client().get("/core/examples").await.expect(200).json()["documentCount"], 0);
}
