//! What clients say to the host itself, in bodies: each fault is told with the place where it is, and nothing is passed over.

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;

use crate::host_with;

/// Sends a body that is refused with 400; returns the problem, and the place that it names.
async fn refused(client: &Client, method: Method, path: &str, body: &Value) -> (Value, String) {
    let problem = client.with_headers(method, path, &[], body).await.expect(400).json();
    let place = problem["errors"][0]["pointer"].as_str().unwrap_or("none").to_owned();
    (problem, place)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_on_a_path_of_the_host_has_no_body() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let factory = client.get("/core/factories/core/counters").await.expect(200).json();
    let module = format!("/core/modules/{}", factory["moduleDigest"].as_str().expect("a digest"));
    for (path, body, place, words) in [
        ("/core/factories/core/counters", json!({ "expectedRevision": 9 }), "/expectedRevision", "?expectedRevision=…"),
        ("/core/factories/core/counters", json!({ "a/b": 1 }), "/a~1b", "send it without"),
        (module.as_str(), json!({ "force": true }), "/force", "send it without"),
        ("/core/management", json!({ "after": "10s" }), "/after", "send it without"),
        ("/core/nodes/1", json!({ "force": true }), "/force", "send it without"),
        ("/core/counters/effects", json!({ "tag": "t" }), "/tag", "?tag=…"),
        ("/core/counters/c/effects", json!({ "tag": "t" }), "/tag", "?tag=…"),
        ("/core/management", json!(["now"]), "", "expected an object"),
    ] {
        let (problem, at) = refused(client, Method::DELETE, path, &body).await;
        assert_eq!((problem["code"].as_str(), at.as_str()), (Some("validation"), place), "{path}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{path}: {problem}");
    }
    let form = [("content-type", "text/plain")];
    client.send(Method::DELETE, "/core/management", &form, "now").await.expect("an answer").expect(415);
    client.get("/core/counters/c").await.expect(200);
    // Who says nothing in it is understood.
    let given_up = client.with_headers(Method::DELETE, "/core/counters/effects", &[], &json!({})).await;
    assert_eq!(given_up.expect(200).json()["givenUpCount"], 0);
    let seen = client.with_headers(Method::DELETE, "/core/factories/core/counters", &[], &json!({})).await;
    seen.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_a_body_to_the_host_is_told_with_its_place() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let group = "/core/node-groups/default";
    let factories = "/core/factories";
    for (method, path, body, place, words) in [
        (Method::PATCH, group, json!({ "membershipQuorm": 1 }), "/membershipQuorm", "did you mean `membershipQuorum`?"),
        (Method::PATCH, group, json!({ "membershipQuorum": 1 }), "/kind", "/kind is missing: offered is"),
        (Method::PATCH, group, json!({ "kind": "Other" }), "/kind", "/kind is \"Other\": offered is"),
        (Method::PATCH, group, json!({ "isGroupUpdate": 1 }), "/isGroupUpdate", "expected true or false"),
        (Method::POST, factories, json!({ "moduleDigest": 5 }), "/moduleDigest", "wrong shape"),
        (Method::POST, factories, json!({ "message": ["a"] }), "/message", "expected a text"),
        (Method::POST, "/core/replays", json!({ "modul": "ab" }), "/modul", "did you mean `module`?"),
    ] {
        let (problem, at) = refused(client, method, path, &body).await;
        assert_eq!(at, place, "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{body}: {problem}");
    }
    // A host whose clock is its own has no such method.
    client.with_headers(Method::PATCH, "/core/management", &[], &json!({})).await.expect(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_a_query_task_is_told_with_its_place() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let tasks = "/core/query-tasks";
    let term = json!({ "propertyName": "count", "matchValue": "1" });
    for (body, place, words) in [
        (
            json!({ "querySpec": { "query": { "term": term }, "option": [] } }),
            "/querySpec/option",
            "did you mean `options`?",
        ),
        (json!({ "querySpec": { "query": { "trem": term } } }), "/querySpec/query/trem", "did you mean `term`?"),
        (
            json!({ "querySpec": { "query": { "booleanClauses": [{ "term": term }, { "term": { "propertyName": 5 } }] } } }),
            "/querySpec/query/booleanClauses/1/term/propertyName",
            "expected a text",
        ),
        (
            json!({ "querySpec": { "query": { "term": term }, "options": "COUNT" } }),
            "/querySpec/options",
            "expected a list",
        ),
        (
            json!({ "documentVersion": "x", "querySpec": { "query": { "term": term } } }),
            "/documentVersion",
            "expected a whole number",
        ),
        (
            json!({ "documentSelfLink": 5, "querySpec": { "query": { "term": term } } }),
            "/documentSelfLink",
            "expected a text",
        ),
        (json!({ "documentExpirationTimeMicros": "soon" }), "/documentExpirationTimeMicros", "expected a whole number"),
        (json!({ "results": [], "querySpec": { "query": { "term": term } } }), "/results", "expected an object"),
        (json!({ "taskInfo": { "isDirect": "yes" } }), "/taskInfo/isDirect", "expected true or false"),
        (json!([]), "", "expected an object"),
    ] {
        let (problem, at) = refused(client, Method::POST, tasks, &body).await;
        assert_eq!(at, place, "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{body}: {problem}");
    }
    // A task that was answered may be sent again as it came.
    let asked = json!({ "taskInfo": { "isDirect": true }, "querySpec": { "query": { "term": term } } });
    let answered = client.post(tasks, &asked).await.expect(200).json();
    client.post(tasks, &answered).await.expect(200);
}
