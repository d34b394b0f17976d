//! Repeated requests: a request with the same key gets the first answer, also after a restart.

use http::Method;
use serde_json::json;
use steward_tests::wait;

use crate::{PATIENT, host_with, host_with_flags};

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_under_the_same_key_gets_the_first_answer() {
    let mut host = host_with(&["counter"]).await;
    let client = host.client().clone();
    let key = [("idempotency-key", "create-1")];
    let body = json!({ "step": 3 });
    let created = client.with_headers(Method::POST, "/core/counters", &key, &body).await.expect(201);
    let again = client.with_headers(Method::POST, "/core/counters", &key, &body).await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(created.header("idempotency-replayed"), "");
    assert_eq!(again.json()["documentSelfLink"], created.json()["documentSelfLink"]);
    let link = created.json()["documentSelfLink"].as_str().expect("a link").to_owned();

    let key = [("idempotency-key", "add-1")];
    let added = client.with_headers(Method::PATCH, &link, &key, &json!({ "by": 7 })).await.expect(200).json();
    client.patch(&link, &json!({})).await.expect(200);
    let repeated = client.with_headers(Method::PATCH, &link, &key, &json!({ "by": 7 })).await.expect(200).json();
    assert_eq!(repeated, added, "the first answer, not the newest state");
    let other = client.with_headers(Method::PATCH, &link, &key, &json!({ "by": 8 })).await;
    assert_eq!(other.expect(422).json()["code"], "idempotency-key-reused");

    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    let repeated = client.with_headers(Method::PATCH, &link, &key, &json!({ "by": 7 })).await.expect(200).json();
    assert_eq!(repeated, added);
    assert_eq!(client.get(&link).await.expect(200).json()["count"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_to_an_existing_child_of_an_idempotent_factory_is_a_put() {
    let host = host_with(&["todo"]).await;
    let client = host.client();
    let factories = client.get("/core/factories?expand").await.expect(200).json();
    let (_, factory) = factories["documents"].as_object().expect("documents").iter().next().expect("one factory");
    let idempotent = factory["options"].as_array().is_some_and(|options| options.contains(&json!("IDEMPOTENT_POST")));
    assert!(idempotent, "todo lists are made by whoever comes first: {factory}");
    client.post("/core/todos", &json!({ "documentSelfLink": "list", "title": "one" })).await.expect(201);
    let second = client.post("/core/todos", &json!({ "documentSelfLink": "list", "title": "two" })).await.expect(200);
    let state = second.json();
    assert_eq!((state["title"].as_str(), state["documentVersion"].as_u64()), (Some("two"), Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_updates_of_one_document_are_all_counted() {
    let host = host_with(&["counter"]).await;
    host.client().post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let client = host.client().clone();
        clients.spawn(async move {
            for _ in 0..25 {
                client.patch("/core/counters/c", &json!({})).await.expect(200);
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client does not panic");
    }
    let state = host.client().get("/core/counters/c").await.expect(200).json();
    assert_eq!((state["count"].as_u64(), state["documentVersion"].as_u64()), (Some(400), Some(400)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_changes_nothing() {
    let host = host_with_flags(&["upgrade-before"], &PATIENT).await;
    let client = host.client();
    client.post("/core/ledgers", &json!({ "documentSelfLink": "l" })).await.expect(201);
    let impatient = client.clone();
    let work = json!({ "by": 7, "work": 1_000_000_000 });
    let key = [("idempotency-key", "add-7")];
    let sent = work.clone();
    let sending =
        tokio::spawn(async move { impatient.with_headers(Method::PATCH, "/core/ledgers/l", &key, &sent).await });
    wait::until("the call is under way", || async { host.log().contains("work begins").then_some(()) }).await;
    sending.abort();
    let repeated = client.with_headers(Method::PATCH, "/core/ledgers/l", &key, &work).await.expect(200);
    assert_eq!(repeated.header("idempotency-replayed"), "true", "the repeat waits for the first and gets its answer");
    let state = client.get("/core/ledgers/l").await.expect(200).json();
    assert_eq!((&state["count"], &state["documentVersion"]), (&json!(7), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_full_refuses_and_others_go_on() {
    let host = host_with_flags(&["upgrade-before"], &[&PATIENT[..], &["--queue-limit", "2"]].concat()).await;
    let client = host.client();
    for link in ["busy", "idle"] {
        client.post("/core/ledgers", &json!({ "documentSelfLink": link })).await.expect(201);
    }
    let slow = client.clone();
    let slow = tokio::spawn(async move { slow.patch("/core/ledgers/busy", &json!({ "work": 1_500_000_000 })).await });
    wait::until("the slow call is under way", || async { host.log().contains("work begins").then_some(()) }).await;
    let mut others = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let client = client.clone();
        others.spawn(async move { client.patch("/core/ledgers/busy", &json!({})).await });
    }
    client.patch("/core/ledgers/idle", &json!({})).await.expect(200);
    client.get("/core/ledgers/busy").await.expect(200);
    let (mut taken, mut refused) = (1, 0);
    while let Some(ended) = others.join_next().await {
        let answer = ended.expect("a client does not panic");
        if answer.status == 200 {
            taken += 1;
            continue;
        }
        assert!(!answer.header("retry-after").is_empty());
        let problem = answer.expect(503).json();
        assert_eq!((&problem["code"], &problem["errorCode"]), (&json!("overloaded"), &json!(-2_147_483_641_i64)));
        refused += 1;
    }
    slow.await.expect("the client does not panic").expect(200);
    assert!(refused > 0 && taken > 1, "{taken} taken, {refused} refused");
    assert_eq!(client.get("/core/ledgers/busy").await.expect(200).json()["count"], taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_post_that_became_a_put_gets_the_first_answer() {
    let host = host_with(&["todo"]).await;
    let client = host.client();
    client.post("/core/todos", &json!({ "documentSelfLink": "list", "title": "one" })).await.expect(201);
    let key = [("idempotency-key", "again")];
    let body = json!({ "documentSelfLink": "list", "title": "two" });
    let first = client.with_headers(Method::POST, "/core/todos", &key, &body).await.expect(200).json();
    let repeated = client.with_headers(Method::POST, "/core/todos", &key, &body).await.expect(200);
    assert_eq!(repeated.header("idempotency-replayed"), "true");
    assert_eq!(repeated.json(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_repeat_of_a_delete_that_found_nothing_deletes_nothing() {
    let mut host = host_with(&["counter"]).await;
    let client = host.client().clone();
    let key = [("idempotency-key", "delete-1")];
    let none = serde_json::Value::Null;
    let first = client.with_headers(Method::DELETE, "/core/counters/c", &key, &none).await.expect(200);
    client.post("/core/counters", &json!({ "documentSelfLink": "c", "count": 3 })).await.expect(201);
    let repeat = client.with_headers(Method::DELETE, "/core/counters/c", &key, &none).await.expect(200);
    assert_eq!((repeat.header("idempotency-replayed"), &repeat.body), ("true", &first.body));
    assert_eq!((first.header("etag"), repeat.header("etag")), ("", ""), "there was no document");
    let wanted = [key[0], ("x-xenon-rpl-quorum", "1")];
    client.with_headers(Method::DELETE, "/core/counters/c", &wanted, &none).await.expect(200);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    let repeat = client.with_headers(Method::DELETE, "/core/counters/c", &key, &none).await.expect(200);
    assert_eq!((repeat.header("idempotency-replayed"), &repeat.body), ("true", &first.body));
    assert_eq!(client.get("/core/counters/c").await.expect(200).json()["count"], 3);
    client.delete("/core/counters/c").await.expect(200);
    let again = [("idempotency-key", "delete-2")];
    for _ in 0..2 {
        client.with_headers(Method::DELETE, "/core/counters/c", &again, &none).await.expect(200);
    }
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_other_conditions_is_another_request() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let created = client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let tag = created.header("etag").to_owned();
    let patch = |path: &'static str, headers: Vec<(&'static str, String)>| async move {
        let mut all = vec![("idempotency-key", "k")];
        all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
        client.with_headers(Method::PATCH, path, &all, &json!({ "by": 2 })).await
    };
    let matching = || vec![("if-match", tag.clone())];
    patch("/core/counters/c", matching()).await.expect(200);
    assert_eq!(patch("/core/counters/c", matching()).await.expect(200).header("idempotency-replayed"), "true");
    let others = [
        ("/core/counters/c", vec![]),
        ("/core/counters/c", vec![("if-match", "*".to_owned())]),
        ("/core/counters/c", vec![("if-none-match", tag.clone())]),
        ("/core/counters/c?x=1", matching()),
    ];
    for (path, headers) in others {
        let refused = patch(path, headers).await.expect(422).json();
        assert_eq!(refused["code"], "idempotency-key-reused");
    }
    assert_eq!(client.get("/core/counters/c").await.expect(200).json()["count"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_answer_carries_the_tag_of_the_first_one() {
    let mut host = host_with(&["counter"]).await;
    let client = host.client().clone();
    let link = "/core/counters/c";
    let create = [("idempotency-key", "create")];
    let change = [("idempotency-key", "change")];
    let body = json!({ "documentSelfLink": "c" });
    let created = client.with_headers(Method::POST, "/core/counters", &create, &body).await.expect(201);
    let changed = client.with_headers(Method::PATCH, link, &change, &json!({})).await.expect(200);
    client.patch(link, &json!({})).await.expect(200);
    for round in ["at once", "after a crash"] {
        let again = client.with_headers(Method::PATCH, link, &change, &json!({})).await.expect(200);
        assert_eq!(again.header("idempotency-replayed"), "true", "{round}");
        for header in ["etag", "x-steward-epoch"] {
            assert_eq!(again.header(header), changed.header(header), "{header} {round}");
        }
        let stale = [("if-match", again.header("etag"))];
        client.with_headers(Method::PATCH, link, &stale, &json!({})).await.expect(412);
        let again = client.with_headers(Method::POST, "/core/counters", &create, &body).await.expect(201);
        assert_eq!(again.header("etag"), created.header("etag"), "{round}");
        host.restart().expect("the host starts again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_of_an_earlier_life_fits_no_later_one() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let body = json!({ "documentSelfLink": "c", "documentExpirationTimeMicros": 1 });
    let first = client.post("/core/counters", &body).await.expect(201);
    let link = "/core/counters/c";
    let second = wait::until("the first life is over and another begins", || async {
        let answer = client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await;
        (answer.status == 201).then_some(answer)
    })
    .await;
    assert_ne!(first.header("etag"), second.header("etag"));
    let stale = [("if-match", first.header("etag"))];
    client.with_headers(Method::PATCH, link, &stale, &json!({})).await.expect(412);
    let cached = [("if-none-match", first.header("etag"))];
    client.with_headers(Method::GET, link, &cached, &serde_json::Value::Null).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_take_the_place_of_an_effect_under_its_key() {
    let host = host_with(&["duties"]).await;
    let client = host.client();
    for name in ["from", "to"] {
        client.post("/core/diaries", &json!({ "documentSelfLink": name })).await.expect(201);
    }
    let letter = json!({ "to": "/core/diaries/to", "note": "sent", "delayMillis": 1_500 });
    client.patch("/core/diaries/from", &json!({ "letters": [letter] })).await.expect(200);
    let pending = client.get("/core/diaries/from/effects").await.expect(200).json();
    let key = pending["effects"][0]["key"].as_str().expect("the key is shown").to_owned();
    let key = [("idempotency-key", key.as_str())];
    let own = json!({ "note": "a stranger's" });
    client.with_headers(Method::PATCH, "/core/diaries/to", &key, &own).await.expect(200);
    let notes = wait::until("the letter arrives all the same", || async {
        let notes = client.get("/core/diaries/to").await.expect(200).json()["notes"].clone();
        notes.as_array().is_some_and(|notes| notes.contains(&json!("sent"))).then_some(notes)
    })
    .await;
    assert_eq!(notes, json!(["a stranger's", "sent"]));
    let again = client.with_headers(Method::PATCH, "/core/diaries/to", &key, &own).await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
}
