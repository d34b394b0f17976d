//! The quorum of a group, and whose documents are where.

use serde_json::json;
use steward_tests::wait::until;

use steward_tests::nodes::Nodes;

const KIND: &str = "com:vmware:xenon:services:common:NodeGroupService:UpdateQuorumRequest";

#[tokio::test(flavor = "multi_thread")]
async fn the_quorum_of_the_group_changes_on_all_present_nodes_and_a_stopped_one_keeps_showing_the_old() {
    let mut nodes = Nodes::started(3, &["--membershipQuorum", "3"]).await;
    nodes.leader(0, 3).await;
    nodes.host(2).client().delete("/core/management").await.expect(202);
    assert!(nodes.host(2).ended().expect("the process ends"), "it stops in order");
    nodes.until_status(0, 2, "UNAVAILABLE").await;

    let body = json!({"isGroupUpdate": true, "membershipQuorum": 2, "kind": KIND});
    nodes.host(1).client().patch("/core/node-groups/default", &body).await.expect(200);
    for by in [0, 1] {
        for (of, quorum) in [(0, 2), (1, 2), (2, 3)] {
            until("the quorum is shown", || async {
                (nodes.shown(by, of).await?["membershipQuorum"] == quorum).then_some(())
            })
            .await;
        }
    }
    // Without isGroupUpdate it is the value of the node that is asked.
    let body = json!({"membershipQuorum": 1, "kind": KIND});
    nodes.host(1).client().patch("/core/node-groups/default", &body).await.expect(200);
    assert_eq!(nodes.shown(1, 1).await.expect("the node")["membershipQuorum"], 1);
    assert_eq!(nodes.shown(1, 0).await.expect("the node")["membershipQuorum"], 2);

    // With the old parameter it would raise the quorum of the group again.
    nodes.set_flags(2, &["--membershipQuorum", "2"]);
    nodes.host(2).restart().expect("the node starts again");
    nodes.until_available(3).await;
    assert_eq!(nodes.shown(2, 2).await.expect("the node")["membershipQuorum"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_while_documents_move_leaves_all_of_them_readable_although_the_quorum_is_out_of_reach() {
    // Until the documents are shared out each reign that begins needs all three.
    let mut nodes = Nodes::started(3, &["--membershipQuorum", "3"]).await;
    nodes.deploy(&["counter"]).await;
    nodes.host(2).client().delete("/core/management").await.expect(202);
    assert!(nodes.host(2).ended().expect("the process ends"), "it stops in order");
    for by in [0, 1] {
        nodes.client(by).get("/core/counters").await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_later_is_let_in_and_answers_queries_for_all() {
    let mut nodes = Nodes::started(2, &[]).await;
    let third = nodes.join(&[]);
    nodes.host(third).restart().expect("the node joins");
    nodes.until_available(3).await;
    nodes.leader(third, 3).await;

    let asked = nodes.host(third).client().post("/core/node-selectors/default", &json!({"key": "/core/a/b"})).await;
    let owner = asked.expect(200).json();
    assert_eq!(owner["confirmed"], true, "{owner}");
    let query = json!({"taskInfo": {"isDirect": true}, "querySpec": {"query": {"term": {"propertyName": "a", "matchValue": "b"}}}});
    let found = nodes.host(third).client().post("/core/query-tasks", &query).await.expect(200).json();
    assert_eq!(found["results"]["documentCount"], 0, "{found}");

    let number = nodes.shown(0, third).await.expect("the node")["nodeId"].clone();
    let node = nodes.host(0).client().get(&format!("/core/nodes/{number}")).await.expect(200).json();
    assert_eq!((&node["id"], &node["reached"], &node["status"]), (&json!("host-2"), &json!(true), &json!("AVAILABLE")));
}
