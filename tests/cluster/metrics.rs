//! What the nodes of a group count.

use serde_json::json;
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn copies_reigns_confirmations_and_hops_are_counted() {
    let nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["examples"]).await;
    nodes.until_balanced(3).await;
    let body = json!({"documentSelfLink": "e", "name": "n"});
    let created = nodes.client(0).post("/core/examples", &body).await.expect(201);
    let owner = created.header("x-steward-owner").to_owned();
    let metrics = nodes.client(0).get("/metrics").await.expect(200);
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    for name in ["steward_replication_sent_bytes_total{", "steward_replication_acknowledgements_total{"] {
        assert!(text.contains(name), "{name}");
    }
    assert!(metrics.counted("steward_reigns_begun_total{lane=\"persisted\"}") > 0);
    // Who is named in a row serves a moment later.
    until("the node serves its share", || async {
        let metrics = nodes.client(0).get("/metrics").await.expect(200);
        (metrics.counted("steward_partitions_served{lane=\"persisted\"}") > 256 / 3 / 2).then_some(())
    })
    .await;
    assert_eq!(metrics.counted("steward_group_nodes{status=\"available\"}"), 3);
    assert_eq!(metrics.counted("steward_group_decides"), 1);
    let at = (0..3).find(|at| owner != format!("host-{at}")).expect("another node");
    let asked = nodes.client(at);
    asked.get("/core/examples/e").await.expect(200);
    let entry = asked.get("/metrics").await.expect(200);
    assert!(entry.counted("steward_operations_forwarded_total{outcome=\"answered\"}") > 0);
    assert!(entry.counted("steward_operation_forward_seconds_count") > 0);
    let place: usize = owner.trim_start_matches("host-").parse().expect("a number");
    let there = nodes.client(place).get("/metrics").await.expect(200);
    assert!(there.counted("steward_operations_arrived_total") > 0);
    assert!(there.counted("steward_read_confirmations_total{outcome=\"confirmed\"}") > 0);
    assert!(there.counted("steward_read_confirmation_seconds_count") > 0);
}
