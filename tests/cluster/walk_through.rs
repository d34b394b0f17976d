//! The tutorial of Xenon for several nodes, step by step, with exactly its requests.
//!
//! Source: "Multi-node tutorial" of the Xenon wiki; only the command that starts a node is ours.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::wait::until;

use steward_tests::nodes::Nodes;

const TASK: &str = "com:vmware:xenon:services:common:ExampleTaskService:ExampleTaskServiceState";

/// Longest time from the relaxed quorum to the completion of what waited for it, on a machine that is busy with other tests.
const COMPLETED_WITHIN: Duration = Duration::from_secs(10);

async fn post_task(client: &Client) -> Value {
    client.post("/core/example-tasks", &json!({ "taskLifetime": 300 })).await.expect(202).json()
}

async fn tasks(client: &Client) -> Vec<String> {
    let listed = client.get("/core/example-tasks").await.expect(200).json();
    let links = listed["documentLinks"].as_array().expect("links").iter().filter_map(Value::as_str);
    links.map(str::to_owned).collect()
}

async fn finished(client: &Client, link: &str) {
    until("the task is finished", || async {
        let task = client.get(link).await.json();
        (task["taskInfo"]["stage"] == "FINISHED").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tutorial_of_three_nodes_goes_as_it_is_written() {
    // 1. Three nodes, each with a quorum of three.
    let mut nodes = Nodes::started(3, &["--membershipQuorum", "3"]).await;
    nodes.deploy(&["examples", "example-tasks"]).await;
    let group = nodes.client(0).get("/core/node-groups/default").await.expect(200).json();
    for host in ["host-0", "host-1", "host-2"] {
        assert_eq!(group["nodes"][host]["status"], "AVAILABLE", "{group}");
        assert_eq!(group["nodes"][host]["membershipQuorum"], 3, "{group}");
    }
    // A task whose owner changes takes itself up again, which is a version more than the tutorial shows.
    nodes.until_balanced(3).await;
    let (first, second) = two_tasks(&nodes).await;

    // 4. One node is stopped in order.
    nodes.client(2).delete("/core/management").await.expect(202);
    let is_in_order = nodes.host(2).ended().expect("the process ends");
    assert!(is_in_order, "it stops in order: {}", nodes.host(2).log());

    let third = a_task_without_quorum(&nodes, &first, &second).await;

    // 8. The stopped node starts again, and answers for everything as the others do.
    nodes.set_flags(2, &["--membershipQuorum", "2"]);
    nodes.host(2).restart().expect("the node starts again");
    nodes.until_available(3).await;
    let back = nodes.client(2);
    assert_eq!(tasks(&back).await.len(), 3);
    assert_eq!(back.get(&third).await.expect(200).json()["taskInfo"]["stage"], "FINISHED");
    post_task(&back).await;
}

/// Steps 2 and 3.
async fn two_tasks(nodes: &Nodes) -> (String, String) {
    let clients = nodes.clients();
    // 2. An example, and two tasks that delete all examples.
    clients[0].post("/core/examples", &json!({ "name": "example-1", "counter": 1 })).await.expect(201);
    let first = post_task(&clients[0]).await;
    let second = post_task(&clients[0]).await;
    for posted in [&first, &second] {
        assert_eq!((&posted["subStage"], &posted["documentVersion"]), (&json!("QUERY_EXAMPLES"), &json!(0)));
        assert_eq!(posted["taskInfo"]["stage"], "STARTED");
    }
    let link = |task: &Value| task["documentSelfLink"].as_str().expect("a link").to_owned();
    let (first, second) = (link(&first), link(&second));

    // 3. They go through their stages, in versions 0 to 3, and the example is gone.
    finished(&clients[1], &first).await;
    finished(&clients[2], &second).await;
    let query = json!({
        "taskInfo": { "isDirect": true },
        "querySpec": {
            "options": ["INCLUDE_ALL_VERSIONS"],
            "query": { "term": { "matchValue": TASK, "propertyName": "documentKind" } },
        },
    });
    let answer = clients[0].post("/core/query-tasks", &query).await.expect(200).json();
    let links: Vec<String> = serde_json::from_value(answer["results"]["documentLinks"].clone()).expect("links");
    for task in [&first, &second] {
        for version in 0..=3 {
            assert!(links.contains(&format!("{task}?documentVersion={version}")), "{links:?}");
        }
    }
    assert_eq!(clients[0].get("/core/examples/").await.expect(200).json()["documentCount"], 0);
    (first, second)
}

/// Steps 5 to 7; returns the task that waited for the quorum.
async fn a_task_without_quorum(nodes: &Nodes, first: &str, second: &str) -> String {
    let clients = nodes.clients();
    // 5. A new task waits, and its client hangs up. Reads go on.
    let body = json!({ "taskLifetime": 300 }).to_string();
    let headers = [("content-type", "application/json")];
    let blocked = clients[0].send(Method::POST, "/core/example-tasks", &headers, body);
    assert!(tokio::time::timeout(Duration::from_secs(2), blocked).await.is_err(), "it is not answered");
    assert_eq!(tasks(&clients[1]).await.len(), 2);
    assert_eq!(clients[0].get(second).await.expect(200).json()["documentVersion"], 3);

    // 6. The quorum is relaxed.
    let relaxed = json!({
        "isGroupUpdate": true,
        "membershipQuorum": 2,
        "kind": "com:vmware:xenon:services:common:NodeGroupService:UpdateQuorumRequest",
    });
    let began = Instant::now();
    clients[0].patch("/core/node-groups/default", &relaxed).await.expect(200);

    // 7. The task is created by itself, although nobody waits for it any more.
    until("the task is created", || async { (tasks(&clients[0]).await.len() == 3).then_some(()) }).await;
    let took = began.elapsed();
    println!("relaxed quorum to completion: {took:?}");
    assert!(took < COMPLETED_WITHIN, "{took:?}");
    let group = clients[1].get("/core/node-groups/default").await.expect(200).json();
    let quorums = ["host-0", "host-1", "host-2"].map(|host| group["nodes"][host]["membershipQuorum"].clone());
    assert_eq!(quorums, [json!(2), json!(2), json!(3)]);
    let third = tasks(&clients[1]).await.into_iter().find(|task| task != first && task != second).expect("a task");
    finished(&clients[1], &third).await;
    third
}
