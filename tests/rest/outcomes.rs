//! The host checks what guests return before it commits it.

use serde_json::{Value, json};

use crate::host_with;

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_breaks_its_own_schema_fails_one_call_and_loses_no_document() {
    let host = host_with(&["misbehave"]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let link = "/core/misbehave/m";
    for (method, what) in [("PATCH", "infinite"), ("POST", "infinite"), ("PATCH", "negative-count")] {
        let body = json!({ "do": what });
        let refused = if method == "PATCH" { client.patch(link, &body).await } else { client.post(link, &body).await };
        let problem = refused.expect(500).json();
        assert_eq!((&problem["code"], &problem["outcome"]), (&json!("guest-outcome"), &json!("none")), "{problem}");
        let told = problem["message"].as_str().unwrap_or_default();
        assert!(told.contains("its own state schema: /"), "{told}");
    }
    assert_eq!(client.get(link).await.expect(200).json()["documentVersion"], 0);
    assert_eq!(client.patch(link, &json!({})).await.expect(200).json()["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_cannot_expire_the_past_or_stop_badly() {
    let host = host_with(&["misbehave"]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let link = "/core/misbehave/m";
    let problem = client.patch(link, &json!({ "do": "negative-expiry" })).await.expect(500).json();
    assert_eq!(problem["code"], "guest-outcome", "{problem}");
    client.patch(link, &json!({ "note": "stop badly" })).await.expect(200);
    assert_eq!(client.delete(link).await.expect(500).json()["code"], "guest-outcome");
    client.patch(link, &json!({ "note": "stop well" })).await.expect(200);
    client.delete(link).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_host_keeps_are_taken_off_what_a_guest_returns() {
    let host = host_with(&["misbehave"]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let link = "/core/misbehave/m";
    client.patch(link, &json!({ "do": "built-in" })).await.expect(200);
    let answer = client.get(link).await.expect(200);
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(text.matches("documentVersion").count(), 1, "{text}");
    let state = answer.json();
    assert_eq!((&state["count"], &state["documentVersion"]), (&json!(7), &json!(1)));
    assert_ne!(state["documentOwner"], json!("evil"));
    assert_ne!(state["documentOwner"], Value::Null);
}
