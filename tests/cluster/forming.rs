//! How nodes become one group, and come back as one.

use std::collections::BTreeSet;

use steward_tests::wait::until;

use steward_tests::nodes::Nodes;

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_that_start_at_once_become_one_group_and_three_restarts_at_once_change_nothing() {
    let mut nodes = Nodes::started(3, &["--membershipQuorum", "3"]).await;
    nodes.leader(0, 3).await;
    let mut before = Vec::new();
    for at in 0..3 {
        let group = nodes.group(at).await.expect("an answer");
        assert_eq!(group["documentOwner"], format!("host-{at}"));
        let shown = group["nodes"].as_object().expect("nodes");
        assert!(shown.values().all(|node| node["membershipQuorum"] == 3), "{group}");
        let numbers: BTreeSet<u64> = shown.values().filter_map(|node| node["nodeId"].as_u64()).collect();
        assert_eq!(numbers, [1, 2, 3].into());
        before.push(nodes.shown(0, at).await.expect("the node")["nodeId"].clone());
    }
    for at in 0..3 {
        nodes.host(at).strike();
    }
    for at in 0..3 {
        nodes.host(at).kill();
        nodes.host(at).spawn().expect("a process");
    }
    for at in 0..3 {
        nodes.host(at).ready().expect("the node becomes ready again");
    }
    nodes.until_available(3).await;
    for (at, number) in before.iter().enumerate() {
        let node = nodes.shown(0, at).await.expect("the node");
        assert_eq!((&node["nodeId"], &node["membershipQuorum"]), (number, &3.into()));
        assert!(node["boot"].as_u64().is_some_and(|boot| boot > 1), "{node}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_node_without_a_majority_of_its_list_waits_and_says_for_whom() {
    let mut nodes = Nodes::prepared(3, &[]);
    // Whichever is the first of the list, alone it begins nothing.
    nodes.host(0).spawn().expect("a process");
    let client = nodes.host(0).client().clone();
    let waits = until("it says what it waits for", || {
        let client = client.clone();
        async move {
            let answer = client.send(http::Method::GET, "/health/ready", &[], "").await.ok()?.json();
            let words = answer["detail"].as_str()?.to_owned();
            words.contains("no answer from").then_some(answer)
        }
    })
    .await;
    assert_eq!(waits["code"], "starting");
    let refused = client.get("/core/node-groups/default").await.expect(503);
    assert_eq!(refused.json()["code"], "starting");
    client.get("/health/live").await.expect(200);
    nodes.host(1).spawn().expect("a process");
    nodes.host(2).spawn().expect("a process");
    for at in 0..3 {
        nodes.host(at).ready().expect("the node becomes ready");
    }
    nodes.until_available(3).await;
}
