//! Chores of an operator that reach documents wherever they are owned: effects that are given up, stored states that are migrated.

use serde_json::json;
use steward_tests::guests::{self, Progress};
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn effects_are_given_up_through_any_node() {
    let nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["duties"]).await;
    nodes.until_balanced(3).await;
    let timer = json!({ "to": "/core/diaries/d0", "note": "n", "tag": "late", "delayMillis": 3_600_000 });
    for number in 0..6 {
        let created = json!({ "documentSelfLink": format!("d{number}") });
        nodes.client(0).post("/core/diaries", &created).await.expect(201);
        let timers = json!({ "letters": [timer, timer] });
        nodes.client(1).patch(&format!("/core/diaries/d{number}"), &timers).await.expect(200);
    }
    for number in 0..6 {
        let effects = format!("/core/diaries/d{number}/effects");
        assert_eq!(nodes.client(0).get(&effects).await.expect(200).json()["pendingCount"], 2);
        let dropped = nodes.client(number % 3).delete(&format!("{effects}?tag=late")).await.expect(200).json();
        assert_eq!(dropped["givenUpCount"], 2, "d{number} through node {}", number % 3);
        for at in 0..3 {
            assert_eq!(nodes.client(at).get(&effects).await.expect(200).json()["pendingCount"], 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_effects_of_a_factory_are_given_up_wherever_its_documents_are_owned() {
    let nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["duties"]).await;
    nodes.until_balanced(3).await;
    let timer = json!({ "to": "/core/diaries/d0", "note": "n", "delayMillis": 3_600_000 });
    for number in 0..12 {
        let created = json!({ "documentSelfLink": format!("d{number}") });
        nodes.client(0).post("/core/diaries", &created).await.expect(201);
        nodes.client(1).patch(&format!("/core/diaries/d{number}"), &json!({ "letters": [timer] })).await.expect(200);
    }
    let dropped = nodes.client(2).delete("/core/diaries/effects").await.expect(200).json();
    assert_eq!(dropped["givenUpCount"], 12, "{dropped}");
    for at in 0..3 {
        until("the copies have heard of it", || async {
            let pending = nodes.client(at).get("/core/diaries/effects").await.expect(200).json();
            (pending["pendingCount"] == 0).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_states_are_migrated_wherever_they_are_owned() {
    let nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["upgrade-before"]).await;
    nodes.until_balanced(3).await;
    for number in 0..12 {
        let created = json!({ "documentSelfLink": format!("l{number}"), "count": number });
        nodes.client(number % 3).post("/core/ledgers", &created).await.expect(201);
    }
    let build = || guests::build(&["upgrade-after"], &Progress::hidden());
    let built = tokio::task::spawn_blocking(build).await.expect("no panic").expect("the guest builds");
    let component = std::fs::read(&built[0].path).expect("a component");
    let module = nodes.client(0).upload(&component).await.expect(201).json();
    let moved = json!({ "moduleDigest": module["digest"] });
    nodes.client(0).patch("/core/factories/core/ledgers", &moved).await.expect(200);
    // Whoever hears that it is done may ask any node.
    for at in 0..3 {
        assert_eq!(nodes.client(at).get("/core/ledgers/l3").await.expect(200).json()["total"], 3, "node {at}");
    }
    let migrated = nodes.client(2).post("/core/migrations/core/ledgers", &json!({})).await.expect(200).json();
    assert_eq!((&migrated["migratedCount"], &migrated["refused"]), (&json!(12), &json!([])), "{migrated}");
    for at in 0..3 {
        let stored = until("every node holds the newest shape", || async {
            let stored = nodes.client(at).get("/core/migrations/core/ledgers").await.expect(200).json();
            (stored["olderCount"] == 0).then_some(stored)
        })
        .await;
        assert_eq!(stored["stored"], json!({ "2": 12 }));
        let read = nodes.client(at).get("/core/ledgers/l7").await.expect(200).json();
        assert_eq!((&read["total"], &read["documentVersion"]), (&json!(7), &json!(1)));
    }
}
