//! What an operator of several nodes sees and does: who owns what, the quorum, a node that will not come back.

use std::process::{Command, Output};

use serde_json::{Value, json};
use steward_tests::build;
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

/// Runs a command line against node `at`.
fn steward(nodes: &Nodes, at: usize, words: &[&str]) -> Output {
    let binary = build::steward().expect("the binary");
    Command::new(binary).args(["-H", nodes.client(at).base()]).args(words).output().expect("it runs")
}

/// Returns what a command prints, which must succeed.
fn said(nodes: &Nodes, at: usize, words: &[&str]) -> String {
    let output = steward(nodes, at, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Returns the exit code of a command that is refused, and what it says.
fn refused(nodes: &Nodes, at: usize, words: &[&str]) -> (i32, String) {
    let output = steward(nodes, at, words);
    (output.status.code().expect("an exit code"), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_says_who_owns_a_document_and_how_the_group_stands() {
    let nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["examples"]).await;
    nodes.until_balanced(3).await;
    let created =
        nodes.client(0).post("/core/examples", &json!({"documentSelfLink": "e", "name": "n"})).await.expect(201);
    let owner = created.header("x-steward-owner").to_owned();
    for at in 0..3 {
        assert_eq!(said(&nodes, at, &["owner", "/core/examples/e", "-q"]).trim(), owner);
    }
    let told: Value =
        serde_json::from_str(&said(&nodes, 0, &["owner", "/core/examples/e", "-o", "json"])).expect("JSON");
    let told = &told["owner"];
    assert_eq!(
        (&told["lane"], &told["confirmed"], &told["writeQuorum"]),
        (&json!("persisted"), &json!(true), &json!(2))
    );
    assert_eq!(told["selectedNodes"].as_array().map(Vec::len), Some(3), "{told}");
    assert_eq!(told["epoch"].to_string(), created.header("x-steward-epoch"));
    let shown = said(&nodes, 1, &["owner", "/core/examples/e"]);
    assert!(["owner ", "epoch ", "in sync ", "partition ", "lane "].iter().all(|word| shown.contains(word)), "{shown}");

    let status = said(&nodes, 2, &["status"]);
    assert!(status.contains("3/3 AVAILABLE") && status.contains("quorum 2") && status.contains("epoch "), "{status}");
    assert!(status.contains("OWNS") && status.contains("IN SYNC") && status.contains("BEHIND"), "{status}");
    assert!(!status.contains("problem"), "{status}");
    let group = nodes.group(0).await.expect("the group");
    let of = |field: &str| -> u64 {
        let nodes = group["nodes"].as_object().expect("nodes");
        nodes.values().map(|node| node[field].as_u64().expect("a number")).sum()
    };
    assert_eq!((of("ownedPartitions"), of("inSyncPartitions")), (256, 3 * 256));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quorum_is_shown_and_set_and_follows_the_majority_again() {
    let nodes = Nodes::started(3, &[]).await;
    assert!(said(&nodes, 0, &["quorum"]).contains("quorum 2"));
    assert_eq!(said(&nodes, 0, &["quorum", "3", "-q"]).trim(), "3");
    for at in 0..3 {
        until("the quorum is shown", || async { (nodes.shown(at, 2).await?["membershipQuorum"] == 3).then_some(()) })
            .await;
    }
    let shown = said(&nodes, 1, &["quorum"]);
    assert!(shown.contains("quorum 3") && shown.contains("the majority would be 2"), "{shown}");
    assert_eq!(said(&nodes, 2, &["quorum", "auto", "-q"]).trim(), "2");
    assert_eq!(refused(&nodes, 0, &["quorum", "0"]).0, 2);
    let wrong = json!({"kind": "UpdateQuorumRequest", "membershipQuorum": "most", "isGroupUpdate": true});
    nodes.client(0).patch("/core/node-groups/default", &wrong).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_will_not_come_back_is_removed_and_the_others_go_on_without_it() {
    let mut nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["counter"]).await;
    nodes.until_balanced(3).await;
    for n in 0..20 {
        nodes.client(n % 3).post("/core/counters", &json!({"documentSelfLink": format!("c{n}")})).await.expect(201);
    }
    let gone = nodes.other_than(&[nodes.leader(0, 3).await]);
    let (by, name) = (nodes.other_than(&[gone]), format!("host-{gone}"));
    let number = nodes.shown(by, gone).await.expect("the node")["nodeId"].clone();
    let (exit, said_no) = refused(&nodes, by, &["nodes", "remove", &name, "--yes"]);
    assert_eq!(exit, 6, "{said_no}");
    assert!(said_no.contains("node-present") && said_no.contains("stop node"), "{said_no}");
    assert_eq!(refused(&nodes, by, &["nodes", "remove", "nobody", "--yes"]).0, 5);

    nodes.host(gone).kill();
    nodes.until_status(by, gone, "UNAVAILABLE").await;
    let status = steward(&nodes, by, &["status"]);
    let shown = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(shown.contains(&format!("steward nodes remove {number}")), "{shown}");
    // Nothing was written meanwhile, so it still counts for most partitions; removed it does no longer.
    assert_eq!(said(&nodes, by, &["nodes", "remove", &name, "--yes"]).trim(), name);
    until("it is gone from the sets and the voters", || async {
        let group = nodes.group(by).await?;
        let nodes = group["nodes"].as_object()?;
        let voters = nodes.values().filter(|node| node["votes"] == true).count();
        (!nodes.contains_key(&name) && voters == 1 && group["quorum"]["value"] == 2).then_some(())
    })
    .await;
    let partitions = nodes.client(by).get("/core/partitions?lane=persisted").await.expect(200).json();
    let rows = partitions["partitions"].as_array().expect("rows");
    assert!(rows.iter().all(|row| row["inSync"].as_array().is_some_and(|members| members.len() == 2)), "{}", rows[0]);
    let client = nodes.client(by);
    for n in 0..20 {
        let path = format!("/core/counters/c{n}");
        assert_eq!(client.patch(&path, &json!({})).await.expect(200).json()["count"], 1);
    }
    // Its data folder does not come back under its number, and an empty one comes as another node.
    client.get(&format!("/core/nodes/{number}")).await.expect(404);
    // Whoever has not heard that it is gone asks again.
    assert_eq!(said(&nodes, by, &["nodes", "remove", &number.to_string(), "--yes"]).trim(), number.to_string());
    assert_eq!(client.delete(&format!("/core/nodes/{number}")).await.expect(200).json(), json!({}));
    assert_eq!(refused(&nodes, by, &["nodes", "remove", &name, "--yes"]).0, 5, "its name may be given to another one");
    assert_eq!(refused(&nodes, by, &["nodes", "remove", "77", "--yes"]).0, 5, "nobody ever had that number");
    let again = nodes.join(&[]);
    nodes.host(again).restart().expect("the node joins");
    let fresh = until("the new node is there", || async {
        let node = nodes.shown(by, again).await?;
        (node["status"] == "AVAILABLE").then(|| node["nodeId"].clone())
    })
    .await;
    assert!(fresh.as_u64() > number.as_u64(), "{fresh} comes after {number}");
}
