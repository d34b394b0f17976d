//! Recorded requests of a group: any node runs them again, and the recording outlives its owner.

use serde_json::json;
use steward_tests::nodes::Nodes;

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_kept_by_every_copy_and_found_by_every_node() {
    let mut nodes = Nodes::started(3, &["--record-requests"]).await;
    nodes.deploy(&["counter"]).await;
    nodes.until_balanced(3).await;
    let clients = nodes.clients();
    clients[0].post("/core/counters", &json!({ "documentSelfLink": "a", "step": 5 })).await.expect(201);
    let made = clients[0].patch("/core/counters/a", &json!({})).await.expect(200);
    let asked = json!({ "documentSelfLink": "/core/counters/a", "version": 1 });
    for client in &clients {
        let shown = client.post("/core/replays", &asked).await.expect(200).json();
        assert_eq!((&shown["recorded"]["state"]["count"], &shown["differences"]), (&json!(5), &json!([])), "{shown}");
    }
    let name = made.header("x-steward-owner").to_owned();
    let mut owner = None;
    for (at, client) in clients.iter().enumerate() {
        let own = client.get("/core/management").await.expect(200).json()["documentOwner"] == name.as_str();
        owner = owner.or(own.then_some(at));
    }
    let owner = owner.expect("one of them is the owner");
    nodes.host(owner).kill();
    let shown = clients[nodes.other_than(&[owner])].post("/core/replays", &asked).await.expect(200).json();
    assert_eq!((&shown["recorded"]["state"]["count"], &shown["differences"]), (&json!(5), &json!([])), "{shown}");
}
