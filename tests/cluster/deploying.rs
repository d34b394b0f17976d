//! Deployments through several nodes at once, and through one after another.

use serde_json::{Value, json};
use steward_tests::client::{Answer, Client};
use steward_tests::guests::{self, Progress};
use steward_tests::nodes::Nodes;

/// Uploads a guest through a node, and returns its digest.
async fn uploaded(client: &Client, name: &'static str) -> Value {
    let build = move || guests::build(&[name], &Progress::hidden());
    let built = tokio::task::spawn_blocking(build).await.expect("no panic").expect("the guest builds");
    let component = std::fs::read(&built[0].path).expect("a component");
    client.upload(&component).await.expect(201).json()["digest"].clone()
}

/// Mounts a module at a path through every node at once.
async fn mounted_at_once(nodes: &Nodes, path: &str, modules: &[&Value]) -> Vec<Answer> {
    let mounts = nodes.clients().into_iter().zip(modules.iter().cycle()).map(|(client, module)| async move {
        client.post("/core/factories", &json!({ "documentSelfLink": path, "moduleDigest": module })).await
    });
    futures_util::future::join_all(mounts).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_deploys_the_same_at_once_succeeds_and_whoever_deploys_something_else_is_told_what_is_there() {
    let nodes = Nodes::started(3, &[]).await;
    let counter = uploaded(&nodes.client(0), "counter").await;
    for round in 0..4 {
        let path = format!("/core/same-{round}");
        for answer in mounted_at_once(&nodes, &path, &[&counter]).await {
            assert!([200, 201].contains(&answer.status.as_u16()), "{}", String::from_utf8_lossy(&answer.body));
            let factory = answer.json();
            assert_eq!((&factory["revision"], &factory["moduleDigest"]), (&json!(1), &counter), "{factory}");
        }
        // Nothing is in the way of writers there.
        for client in nodes.clients() {
            client.post(&path, &json!({})).await.expect(201);
        }
    }
    let again = json!({ "documentSelfLink": "/core/same-0", "moduleDigest": counter });
    nodes.client(1).post("/core/factories", &again).await.expect(200);
    let seen = json!({ "documentSelfLink": "/core/same-0", "moduleDigest": counter, "expectedRevision": 0 });
    nodes.client(2).post("/core/factories", &seen).await.expect(200);

    let examples = uploaded(&nodes.client(0), "examples").await;
    let answers = mounted_at_once(&nodes, "/core/other", &[&counter, &examples]).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status.is_success());
    assert!(!won.is_empty() && !lost.is_empty(), "{won:?} {lost:?}");
    for answer in lost {
        let problem = answer.expect(409).json();
        assert_eq!((&problem["code"], &problem["revision"]), (&json!("already-exists"), &json!(1)), "{problem}");
        assert!(problem["hints"].to_string().contains("/core/factories/core/other"), "{problem}");
    }
    let digest = won[0].json()["moduleDigest"].clone();
    assert!(won.iter().all(|answer| answer.json()["moduleDigest"] == digest), "one of them was decided");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_deploys_what_another_node_does_not_take_is_told_which_and_why() {
    let mut nodes = Nodes::started(1, &[]).await;
    let strict = nodes.join(&["--module-functions", "1"]);
    nodes.host(strict).restart().expect("the node joins");
    nodes.until_available(2).await;
    let built = tokio::task::spawn_blocking(|| guests::build(&["counter"], &Progress::hidden()));
    let built = built.await.expect("no panic").expect("the guest builds");
    let component = std::fs::read(&built[0].path).expect("a component");
    let refused = nodes.client(0).upload(&component).await.expect(503).json();
    let detail = refused["detail"].as_str().expect("a sentence");
    assert!(detail.starts_with("the module is kept by 1 of the 2 nodes") && detail.contains("; node 2: "), "{refused}");
    assert!(detail.contains("functions"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_goes_on_at_another_node_than_it_began() {
    let nodes = Nodes::started(3, &[]).await;
    let counter = uploaded(&nodes.client(0), "counter").await;
    let mount = json!({ "documentSelfLink": "/core/here-and-there", "moduleDigest": counter });
    for round in 0..6 {
        // What one node was answered the next one knows, though nobody has told it yet.
        let (one, other) = (nodes.client(round % 3), nodes.client((round + 1) % 3));
        one.post("/core/factories", &mount).await.expect(201);
        one.delete("/core/factories/core/here-and-there").await.expect(200);
        let factory = other.post("/core/factories", &mount).await.expect(201).json();
        assert_eq!(factory["revision"], 3 + 4 * round, "{factory}");
        other.delete("/core/factories/core/here-and-there").await.expect(200);
    }
}
