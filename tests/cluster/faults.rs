//! Nodes that die, hang and come back.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use steward_tests::build;
use steward_tests::client::Client;
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

/// Longest time until a node that died is UNAVAILABLE, on a machine that is busy with other tests: the ceiling of the
/// patience, an election of the system group, and a margin for the machine.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);

/// Documents, over many partitions.
const COUNTERS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_die_or_hang_are_unavailable_in_time_and_come_back_under_their_numbers() {
    let mut nodes = Nodes::started(3, &[]).await;
    let leader = nodes.leader(0, 3).await;

    // A follower is killed and starts again.
    let killed = nodes.other_than(&[leader]);
    let before = nodes.shown(leader, killed).await.expect("the node");
    nodes.host(killed).kill();
    let took = nodes.until_status(leader, killed, "UNAVAILABLE").await;
    println!("killed follower: UNAVAILABLE after {took:?}");
    assert!(took < NOTICED_WITHIN, "{took:?}");
    nodes.host(killed).restart().expect("the node starts again");
    nodes.until_available(3).await;
    let after = nodes.shown(leader, killed).await.expect("the node");
    assert_eq!(after["nodeId"], before["nodeId"]);
    assert_eq!(after["boot"].as_u64(), before["boot"].as_u64().map(|boot| boot + 1));

    // A follower hangs and goes on: the same process is back.
    let hung = killed;
    nodes.host(hung).pause().expect("the process is held up");
    let took = nodes.until_status(leader, hung, "UNAVAILABLE").await;
    println!("hung follower: UNAVAILABLE after {took:?}");
    assert!(took < NOTICED_WITHIN, "{took:?}");
    nodes.host(hung).resume().expect("the process goes on");
    nodes.until_status(leader, hung, "AVAILABLE").await;
    assert_eq!(nodes.shown(leader, hung).await.expect("the node")["boot"], after["boot"]);

    // The leader is killed: the others choose one, which fences it.
    let leader = nodes.leader(hung, 3).await;
    let survivor = nodes.other_than(&[leader]);
    nodes.host(leader).kill();
    let took = nodes.until_status(survivor, leader, "UNAVAILABLE").await;
    println!("killed leader: UNAVAILABLE after {took:?}");
    assert!(took < NOTICED_WITHIN, "{took:?}");
    assert_ne!(nodes.leader(survivor, 3).await, leader);
    nodes.host(leader).restart().expect("the node starts again");
    nodes.until_available(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_taken_for_gone_is_available_once_its_copies_count_and_not_before() {
    let mut nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["counter"]).await;
    nodes.until_balanced(3).await;
    let leader = nodes.leader(0, 3).await;
    let hung = nodes.other_than(&[leader]);
    let client = nodes.client(leader);
    for n in 0..COUNTERS {
        client.post("/core/counters", &json!({ "documentSelfLink": format!("c{n}") })).await.expect(201);
    }
    nodes.host(hung).pause().expect("the process is held up");
    nodes.until_status(leader, hung, "UNAVAILABLE").await;
    until("it does not count for what was written without it", || async {
        for n in 0..COUNTERS {
            client.patch(&format!("/core/counters/c{n}"), &json!({})).await.expect(200);
        }
        (without_a_copy(&client, 3).await > 0).then_some(())
    })
    .await;
    nodes.host(hung).resume().expect("the process goes on");
    nodes.until_status(leader, hung, "AVAILABLE").await;
    assert_eq!(without_a_copy(&client, 3).await, 0);
}

/// Returns for how many persisted partitions fewer than `members` copies count.
async fn without_a_copy(client: &Client, members: usize) -> usize {
    let shown = client.get("/core/partitions?lane=persisted").await.expect(200).json();
    let rows = shown["partitions"].as_array().expect("rows");
    rows.iter().filter(|row| row["inSync"].as_array().is_none_or(|counted| counted.len() < members)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_the_group_says_so_and_decides_again_when_it_is_back() {
    let mut nodes = Nodes::started(3, &[]).await;
    let leader = nodes.leader(0, 3).await;
    let (one, other) = (nodes.other_than(&[leader]), nodes.other_than(&[leader, nodes.other_than(&[leader])]));
    nodes.host(one).kill();
    nodes.host(other).kill();
    until("the last node says so", || async {
        let group = nodes.group(leader).await?;
        let problems = group["problems"].as_array()?.iter().filter_map(|problem| problem.as_str());
        (group["systemGroup"]["decides"] == false && problems.clone().any(|problem| problem.contains("cannot decide")))
            .then_some(())
    })
    .await;
    let body = json!({
        "kind": "com:vmware:xenon:services:common:NodeGroupService:UpdateQuorumRequest",
        "isGroupUpdate": true,
        "membershipQuorum": 1,
    });
    let last = nodes.client(leader);
    let refused = last.patch("/core/node-groups/default", &body).await.expect(503);
    assert_eq!(refused.json()["code"], "no-quorum");
    tells_that_it_is_alone(&last).await;
    for at in [one, other] {
        nodes.host(at).spawn().expect("a process");
    }
    for at in [one, other] {
        nodes.host(at).ready().expect("the node becomes ready");
    }
    nodes.until_available(3).await;
    until("it is ready again", || async {
        let metrics = last.get("/metrics").await;
        let is_ready = last.get("/health/ready").await.status == 200;
        (is_ready && metrics.expect(200).counted("steward_group_partitions_stranded") == 0).then_some(())
    })
    .await;
}

/// Asserts that a node says that it reaches no other: the group calls nobody UNAVAILABLE any more, since it decides nothing.
async fn tells_that_it_is_alone(last: &Client) {
    let refused = last.get("/health/ready").await.expect(503).json();
    let detail = refused["detail"].as_str().expect("a sentence");
    assert!(detail.contains("256 of 256 partitions can neither be read nor written from here"), "{refused}");
    assert!(!detail.contains("relax it") && !detail.contains("served all the same"), "{refused}");
    assert_eq!(last.get("/core/node-selectors/default").await.expect(200).json()["availableNodeCount"], 1);
    let metrics = last.get("/metrics").await.expect(200);
    assert_eq!(metrics.counted("steward_group_nodes_reached"), 1);
    assert_eq!(metrics.counted("steward_group_partitions_stranded"), 256);
    let binary = build::steward().expect("the binary");
    let told = Command::new(binary).args(["-H", last.base(), "status"]).output().expect("it runs");
    let text = String::from_utf8_lossy(&told.stdout);
    assert_eq!(told.status.code(), Some(8), "{text}");
    assert!(text.starts_with("group default   1/3 AVAILABLE   quorum 2"), "{text}");
    assert!(text.contains("AVAILABLE, not reached"), "{text}");
}
