//! Copies that no log can feed: they are made anew out of documents.

use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

/// Documents of a few bytes, over many partitions.
const SMALL: u64 = 60;

/// Characters of a large document: some hundred fill more than a segment of the log.
const LARGE: usize = 600_000;

fn partitions(shown: &Value) -> &Vec<Value> {
    shown["partitions"].as_array().expect("partitions")
}

async fn change_all(client: &Client, counter: u64) {
    for n in 0..SMALL {
        client.patch(&format!("/core/examples/e{n:02}"), &json!({ "counter": counter })).await.expect(200);
    }
}

/// Writes until the log of a node no longer has what it had.
async fn let_go_of_the_log(client: &Client) {
    let ends = |shown: Value| {
        let of = |row: &Value| (row["id"].as_str().expect("an id").to_owned(), row["lastOffset"].as_u64());
        partitions(&shown).iter().filter(|row| row["serves"] == true).map(of).collect::<Vec<_>>()
    };
    let before = ends(client.get("/core/partitions?lane=persisted").await.expect(200).json());
    let large = "x".repeat(LARGE);
    until("the log is trimmed", || async {
        for n in 0..8 {
            let body = json!({ "documentSelfLink": format!("large{n}"), "name": large });
            let answer = client.put(&format!("/core/examples/large{n}"), &body).await;
            assert!([200, 503].contains(&answer.status.as_u16()), "{}", answer.status);
        }
        let shown = client.get("/core/partitions?lane=persisted").await.json();
        let starts_behind = |(id, end): &(String, Option<u64>)| {
            partitions(&shown).iter().any(|row| row["id"] == *id && row["logStart"].as_u64() > *end)
        };
        // Segments go in their order: what was there before one of these records is gone with it.
        before.iter().any(starts_behind).then_some(())
    })
    .await;
}

async fn holds_everything(client: &Client, counter: u64) {
    for n in 0..SMALL {
        let document = until("the document is served", || async {
            let answer = client.get(&format!("/core/examples/e{n:02}")).await;
            (answer.status == 200).then(|| answer.json())
        })
        .await;
        assert_eq!(document["counter"], counter, "{document}");
    }
    let shown = client.get("/core/partitions?lane=persisted&verify=true").await.expect(200).json();
    assert_eq!(shown["digestsAgree"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_no_log_can_feed_have_their_copies_made_anew() {
    let mut nodes = Nodes::started(1, &["--backlog", "0"]).await;
    nodes.deploy(&["examples"]).await;
    let first = nodes.client(0);
    for n in 0..SMALL {
        let body = json!({ "documentSelfLink": format!("e{n:02}"), "name": "small", "counter": 0 });
        first.post("/core/examples", &body).await.expect(201);
    }
    for n in 0..8 {
        let body = json!({ "documentSelfLink": format!("large{n}"), "name": "large" });
        first.post("/core/examples", &body).await.expect(201);
    }
    change_all(&first, 1).await;
    let_go_of_the_log(&first).await;
    for _ in 0..2 {
        let at = nodes.join(&["--backlog", "0"]);
        nodes.host(at).restart().expect("the node joins");
        nodes.until_available(at + 1).await;
        assert!(nodes.host(at).log().contains("copies made anew"), "the log could have fed it");
    }
    nodes.until_balanced(3).await;
    holds_everything(&nodes.client(2), 1).await;

    // One is away while the others go on, and returns to logs that begin behind what it has.
    nodes.host(2).kill();
    nodes.until_status(0, 2, "UNAVAILABLE").await;
    until("all documents can be changed", || async { (first.get("/core/examples").await.status == 200).then_some(()) })
        .await;
    change_all(&first, 2).await;
    let_go_of_the_log(&first).await;
    let_go_of_the_log(&nodes.client(1)).await;
    nodes.host(2).restart().expect("the node starts again");
    nodes.until_available(3).await;
    // It serves before that: copies that no primary can feed do not count, and nobody waits for them.
    let host = nodes.host(2);
    let is_made_anew = || host.log().matches("copies made anew").count() >= 2;
    until("its copies are made anew, for no log can feed them", || async { is_made_anew().then_some(()) }).await;

    // What it has is whole: the copies that it was made out of are gone.
    nodes.until_balanced(3).await;
    nodes.host(0).kill();
    nodes.until_status(1, 0, "UNAVAILABLE").await;
    holds_everything(&nodes.client(2), 2).await;
}
