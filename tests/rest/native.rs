//! Documents of a service without handlers: what the host does by itself. They live in memory, and every update names
//! the version that it changes.

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;

use crate::host_with;

const LINK: &str = "/presences/ada";

async fn create(client: &Client) -> Value {
    let body = json!({ "documentSelfLink": "ada", "name": "Ada", "note": "here" });
    client.post("/presences", &body).await.expect(201).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_checked_against_the_schema() {
    let host = host_with(&["presence"]).await;
    let client = host.client();
    create(client).await;
    for (body, pointer) in [
        (json!({}), "/name"),
        (json!({ "name": 7 }), "/name"),
        (json!({ "name": "" }), "/name"),
        (json!({ "name": "Ada", "mood": 4 }), "/mood"),
    ] {
        let mut replacement = body.clone();
        replacement["documentVersion"] = 0.into();
        for refused in [client.post("/presences", &body).await, client.put(LINK, &replacement).await] {
            let problem = refused.expect(400).json();
            assert_eq!((&problem["code"], &problem["errors"][0]["pointer"]), (&json!("validation"), &json!(pointer)));
        }
    }
    let wrong = json!({ "mood": 9, "documentVersion": 0 });
    let problem = client.patch(LINK, &wrong).await.expect(400).json();
    assert_eq!(problem["errors"][0]["pointer"], "/mood", "what a merge makes is checked too");
    assert_eq!(client.get(LINK).await.expect(200).json()["documentVersion"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patch_merges_and_a_put_replaces() {
    let host = host_with(&["presence"]).await;
    let client = host.client();
    create(client).await;
    let merge = json!({ "mood": 2, "note": null, "documentVersion": 0 });
    let merged = client.patch(LINK, &merge).await.expect(200).json();
    assert_eq!((&merged["name"], &merged["mood"], merged.get("note")), (&json!("Ada"), &json!(2), None));
    let tag = client.get(LINK).await.expect(200).header("etag").to_owned();
    let headers = [("content-type", "application/merge-patch+json"), ("if-match", tag.as_str())];
    let patched = client.send(Method::PATCH, LINK, &headers, r#"{"note":"back"}"#).await.expect("an answer");
    assert_eq!(patched.expect(200).json()["note"], "back");
    let put = json!({ "name": "Ada", "documentVersion": 2 });
    let replaced = client.put(LINK, &put).await.expect(200).json();
    assert_eq!((replaced.get("note"), &replaced["documentVersion"]), (None, &json!(3)));
    let minimal = [("prefer", "return=minimal")];
    let quiet = client.with_headers(Method::PATCH, LINK, &minimal, &json!({ "mood": 1, "documentVersion": 3 })).await;
    let quiet = quiet.expect(204);
    assert!(quiet.body.is_empty() && !quiet.header("etag").is_empty(), "{}", quiet.header("etag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_names_the_version_that_it_changes() {
    let host = host_with(&["presence"]).await;
    let client = host.client();
    create(client).await;
    let unnamed = client.patch(LINK, &json!({ "mood": 1 })).await.expect(428).json();
    assert_eq!(unnamed["code"], "precondition-required");
    client.patch(LINK, &json!({ "mood": 1, "documentVersion": 0 })).await.expect(200);
    let stale = client.patch(LINK, &json!({ "mood": 2, "documentVersion": 0 })).await.expect(409).json();
    assert_eq!((&stale["code"], &stale["currentVersion"]), (&json!("conflict"), &json!(1)));
    assert_eq!(client.get(LINK).await.expect(200).json()["mood"], 1);
    client.delete(LINK).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_in_memory_have_versions_and_end_with_the_process() {
    let mut host = host_with(&["presence", "counter"]).await;
    let client = host.client().clone();
    create(&client).await;
    client.post("/core/counters", &json!({ "documentSelfLink": "kept" })).await.expect(201);
    client.patch(LINK, &json!({ "mood": 1, "documentVersion": 0 })).await.expect(200);
    assert_eq!(client.get(&format!("{LINK}?documentVersion=0")).await.expect(200).json()["mood"], 0);
    let listed = client.get("/presences?expand&$filter=mood%20eq%201").await.expect(200).json();
    assert_eq!(listed["documentLinks"], json!([LINK]));
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    client.get(LINK).await.expect(404);
    assert_eq!(client.get("/presences").await.expect(200).json()["documentCount"], 0);
    client.get("/core/counters/kept").await.expect(200);
    create(client).await;
}
