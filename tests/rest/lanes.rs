//! Documents in memory and documents on disk under the same links: neither lane shows, sends or settles what belongs to
//! the other.

use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::wait;

use crate::{component, host_with};

/// Mounts a module at `path`.
async fn mount(client: &Client, digest: &str, path: &str) {
    let body = json!({ "documentSelfLink": path, "moduleDigest": digest });
    client.post("/core/factories", &body).await.expect(201);
}

async fn upload(client: &Client, name: &str) -> String {
    let answer = client.upload(&component(name).await).await;
    answer.json()["digest"].as_str().expect("an uploaded module has a digest").to_owned()
}

async fn counted(client: &Client, name: &str, count: u64) -> Value {
    wait::until("the effect has arrived", || async {
        let counter = client.get(&format!("/core/counters/{name}")).await.expect(200).json();
        (counter["count"].as_u64() >= Some(count)).then_some(counter)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_of_a_document_in_memory_is_another_one_after_a_restart() {
    let mut host = host_with(&["counter", "whisper"]).await;
    host.client().post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    for round in 1..=2 {
        let client = host.client().clone();
        client.post("/core/whispers", &json!({ "documentSelfLink": "r" })).await.expect(201);
        // The same link, the same version, the same offset of an empty log: only the reign is another.
        client.patch("/core/whispers/r", &json!({ "to": "/core/counters/c", "by": 5 })).await.expect(200);
        assert_eq!(counted(&client, "c", round * 5).await["count"], round * 5);
        tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_factory_that_moves_to_memory_shows_nothing_of_the_disk() {
    let host = host_with(&[]).await;
    let client = host.client();
    let (disk, memory) = (upload(client, "counter").await, upload(client, "presence").await);
    mount(client, &disk, "/x/things").await;
    client.post("/x/things", &json!({ "documentSelfLink": "c", "count": 7 })).await.expect(201);
    assert_eq!(client.get("/x/things/c").await.expect(200).json()["count"], 7);
    client.delete("/core/factories/x/things").await.expect(200);
    mount(client, &memory, "/x/things").await;
    client.get("/x/things/c").await.expect(404);
    client.patch("/x/things/c", &json!({ "documentVersion": 0, "mood": 1 })).await.expect(404);
    client.post("/x/things", &json!({ "documentSelfLink": "c", "name": "memory" })).await.expect(201);
    assert_eq!(client.get("/x/things/c").await.expect(200).json()["name"], "memory");
    client.delete("/core/factories/x/things").await.expect(200);
    mount(client, &disk, "/x/things").await;
    let back = client.get("/x/things/c").await.expect(200).json();
    assert_eq!((&back["count"], &back["name"]), (&json!(7), &Value::Null), "nothing of memory is on the disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_of_a_factory_that_was_unmounted_can_be_seen_and_given_up() {
    let host = host_with(&["duties"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "from" })).await.expect(201);
    let letters = json!([{ "to": "/core/diaries/from", "note": "n", "delayMillis": 3_600_000, "tag": "late" }]);
    client.patch("/core/diaries/from", &json!({ "letters": letters })).await.expect(200);
    client.delete("/core/factories/core/diaries").await.expect(200);
    client.get("/core/diaries/from").await.expect(404);
    for link in ["/core/diaries", "/core/diaries/from"] {
        let pending = client.get(&format!("{link}/effects")).await.expect(200).json();
        assert_eq!((&pending["pendingCount"], &pending["effects"][0]["replyTag"]), (&json!(1), &json!("late")));
    }
    let given_up = client.delete("/core/diaries/from/effects?tag=late").await.expect(200).json();
    assert_eq!(given_up["givenUpCount"], 1);
    assert_eq!(client.get("/core/diaries/effects").await.expect(200).json()["pendingCount"], 0);
    client.get("/core/nowhere/effects").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_of_a_factory_that_was_unmounted_are_carried_out_and_settled() {
    let mut host = host_with(&["counter", "duties"]).await;
    let client = host.client().clone();
    for name in ["from", "to"] {
        client.post("/core/diaries", &json!({ "documentSelfLink": name })).await.expect(201);
    }
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    // A counter takes a note for nothing in its body: it counts one step.
    let letters = json!([{ "to": "/core/counters/c", "note": "n", "delayMillis": 1_500 }]);
    client.patch("/core/diaries/from", &json!({ "letters": letters })).await.expect(200);
    client.delete("/core/factories/core/diaries").await.expect(200);
    assert_eq!(counted(&client, "c", 1).await["count"], 1);
    let settled = |client: Client| async move {
        let partitions = client.get("/core/partitions").await.expect(200).json();
        (partitions["pendingEffects"] == 0).then_some(())
    };
    wait::until("nothing is pending", || settled(client.clone())).await;
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    wait::until("nothing is pending after a restart", || settled(host.client().clone())).await;
    assert_eq!(counted(host.client(), "c", 1).await["count"], 1, "nothing was sent again");
}
