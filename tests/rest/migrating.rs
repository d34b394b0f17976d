//! All documents of a factory are brought to the newest shape, before the next module forgets the older ones.

use serde_json::{Value, json};
use steward_tests::client::Client;

use crate::commands::{at, printed, said};
use crate::deploying::{digest_of, move_to};
use crate::host_with;

async fn ledgers(client: &Client, count: usize) {
    for number in 0..count {
        client
            .post("/core/ledgers", &json!({ "documentSelfLink": format!("l{number}"), "count": number }))
            .await
            .expect(201);
    }
}

async fn stored(client: &Client) -> Value {
    client.get("/core/migrations/core/ledgers").await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_documents_are_brought_to_the_newest_shape() {
    let mut host = host_with(&["upgrade-before"]).await;
    let client = host.client().clone();
    ledgers(&client, 30).await;
    client.delete("/core/ledgers/l9").await.expect(200);
    let digest = digest_of(&client, "upgrade-after").await;
    move_to(&client, &digest).await;
    client.patch("/core/ledgers/l8", &json!({ "by": 1 })).await.expect(200);
    assert_eq!(stored(&client).await["stored"], json!({ "1": 28, "2": 1 }));
    let base = client.base().to_owned();
    let counted = at(&base, &["migrate", "ledger", "--check"]).await;
    assert_eq!(printed(&counted).trim(), "28 documents of /core/ledgers have an older shape than version 2");
    let done = at(&base, &["migrate", "/core/ledgers"]).await;
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(printed(&done).trim(), "Migrated 28 documents of /core/ledgers to version 2");
    let now = stored(&client).await;
    assert_eq!((&now["stored"], &now["olderCount"], &now["stateVersion"]), (&json!({ "2": 29 }), &json!(0), &json!(2)));
    let one = client.get("/core/ledgers/l7").await.expect(200).json();
    assert_eq!(
        (&one["total"], &one["documentVersion"]),
        (&json!(7), &json!(1)),
        "one more version with the same state"
    );
    let history = client.get("/core/ledgers/l7/history").await.expect(200).json();
    let causes: Vec<&Value> = history["versions"]
        .as_array()
        .expect("versions")
        .iter()
        .map(|version| &version["documentUpdateCause"])
        .collect();
    assert_eq!(causes, ["maintenance", "client"]);
    let again = at(&base, &["migrate", "ledger"]).await;
    assert_eq!(printed(&again).trim(), "All documents of /core/ledgers have the shape of version 2");
    assert_eq!(client.get("/core/ledgers/l7").await.expect(200).json()["documentVersion"], 1);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    assert_eq!(stored(host.client()).await["stored"], json!({ "2": 29 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portion_goes_on_where_the_last_one_ended() {
    let host = host_with(&["upgrade-before"]).await;
    let client = host.client();
    ledgers(client, 25).await;
    let digest = digest_of(client, "upgrade-after").await;
    move_to(client, &digest).await;
    let (mut from, mut counts) = (Value::Null, Vec::new());
    loop {
        let asked = json!({ "limit": 10, "from": from });
        let portion = client.post("/core/migrations/core/ledgers", &asked).await.expect(200).json();
        counts.push(portion["migratedCount"].as_u64().unwrap_or(0));
        from = portion["next"].clone();
        if from.is_null() {
            break;
        }
    }
    assert_eq!(counts, [10, 10, 5]);
    for (body, pointer) in [
        (json!({ "limit": 0 }), "/limit"),
        (json!({ "limit": 1001 }), "/limit"),
        (json!({ "from": "somewhere" }), "/from"),
    ] {
        let refused = client.post("/core/migrations/core/ledgers", &body).await.expect(400).json();
        assert!(refused.to_string().contains(pointer), "{refused}");
    }
    client.get("/core/migrations/core/nothing").await.expect(404);
    client.put("/core/migrations/core/ledgers", &json!({})).await.expect(405);
}
