//! Services without documents.

use http::Method;
use serde_json::json;

use crate::host_with;

#[tokio::test(flavor = "multi_thread")]
async fn a_stateless_service_answers_at_and_below_its_path() {
    let host = host_with(&["greeting"]).await;
    let client = host.client();
    for path in ["/greeting", "/greeting/ada", "/greeting/far/below"] {
        let answer = client.get(path).await.expect(200).json();
        assert_eq!(answer, json!({ "hello": path.rsplit('/').next(), "at": path }));
    }
    let posted = client.post("/greeting", &json!({ "name": "ada" })).await.expect(201);
    assert_eq!(posted.json(), json!({ "hello": "ada" }));
    assert_eq!((posted.header("etag"), posted.header("location")), ("", ""), "there is no document");
    let root = client.get("/").await.expect(200).json();
    assert!(root["documentLinks"].as_array().is_some_and(|links| links.contains(&json!("/greeting"))), "{root}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateless_service_refuses_as_others_do() {
    let host = host_with(&["greeting"]).await;
    let client = host.client();
    let refused = client.post("/greeting", &json!({ "name": "nobody" })).await.expect(403).json();
    assert_eq!((&refused["code"], &refused["message"]), (&json!("forbidden"), &json!("nobody is not greeted")));
    let wrong = client.post("/greeting", &json!({ "name": "" })).await.expect(400).json();
    assert_eq!(wrong["errors"][0]["pointer"], "/name");
    let refused = client.patch("/greeting/ada", &json!({})).await.expect(405);
    assert_eq!(refused.header("allow"), "GET, HEAD, POST, OPTIONS");
    let options = client.send(Method::OPTIONS, "/greeting", &[], "").await.expect("an answer").expect(200);
    assert_eq!(options.header("allow"), "GET, HEAD, POST, OPTIONS");
    client.get("/greeting/available").await.expect(200);
    client.get("/greeting/history").await.expect(404);
}
