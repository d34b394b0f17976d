//! Modules that cannot be deployed: each is refused, with what is wrong and how to mend it, and nothing is stored.

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;

use crate::{component, host_with};

async fn refused(client: &Client, module: &[u8], code: &str, words: &[&str]) {
    let refused = client.upload(module).await.expect(422);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let problem = refused.json();
    assert_eq!(problem["code"], code, "{problem}");
    let message = problem["message"].as_str().unwrap_or_default();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_component_for_this_host_is_refused_with_the_way_out() {
    let host = host_with(&[]).await;
    let client = host.client();
    refused(client, b"", "module-not-wasm", &["empty"]).await;
    refused(client, b"#!/bin/sh", "module-not-wasm", &["deploy the .wasm file"]).await;
    let whole = component("counter").await;
    refused(client, &whole[..whole.len() / 2], "module-broken", &["send it again"]).await;
    let plain = wat::parse_str(r#"(module (func (export "describe")))"#).expect("a valid module");
    refused(client, &plain, "module-plain-core", &["without component metadata", "SDK"]).await;
    let foreign = r#"(component
        (import "foreign:clock/now@1.0.0" (instance (export "get" (func (result u64)))))
        (instance $empty) (export "steward:service/service@0.1.0" (instance $empty)))"#;
    let foreign = wat::parse_str(foreign).expect("a valid component");
    refused(client, &foreign, "module-foreign-import", &["foreign:clock/now@1.0.0", "build it without"]).await;
    let later = r#"(component (instance $empty) (export "steward:service/service@0.2.0" (instance $empty)))"#;
    let later = wat::parse_str(later).expect("a valid component");
    refused(client, &later, "module-unknown-world", &["0.2.0", "upgrade the host"]).await;
    let other = r#"(component (instance $empty) (export "other:thing/api" (instance $empty)))"#;
    refused(client, &wat::parse_str(other).expect("a valid component"), "module-no-service", &["other:thing/api"])
        .await;
    let modules = client.get("/core/modules").await.expect(200).json();
    assert_eq!(modules["documentCount"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn deployments_that_cannot_be_are_refused_and_change_nothing() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let digest = client.get("/core/factories/core/counters").await.expect(200).json()["moduleDigest"].clone();
    let wrong_type = client.send(Method::POST, "/core/modules", &[("content-type", "text/plain")], "x").await;
    wrong_type.expect("an answer").expect(415);
    let unknown = "0".repeat(64);
    for (body, status, code) in [
        (json!({ "moduleDigest": unknown, "documentSelfLink": "/core/others" }), 404, ""),
        (json!({ "moduleDigest": "nonsense" }), 400, "validation"),
        (json!({}), 400, "validation"),
        (json!({ "moduleDigst": digest }), 400, "validation"),
        (json!({ "moduleDigest": digest, "documentSelfLink": "/core/management" }), 409, "deploy-path-reserved"),
        (json!({ "moduleDigest": digest, "documentSelfLink": "/core/counters/below" }), 409, ""),
        (json!({ "moduleDigest": digest, "documentSelfLink": "/shop/stats" }), 409, "deploy-path-reserved"),
        (json!({ "moduleDigest": digest, "documentSelfLink": "no slash" }), 400, ""),
    ] {
        let problem = client.post("/core/factories", &body).await;
        assert_eq!(problem.status, status, "{body}: {}", String::from_utf8_lossy(&problem.body));
        let problem = problem.json();
        assert!(code.is_empty() || problem["code"] == code, "{body}: {problem}");
        assert_ne!(problem["message"], Value::Null);
    }
    let again = client.post("/core/factories", &json!({ "moduleDigest": digest })).await.expect(200).json();
    assert_eq!(again["revision"], 1, "what is there already is made once");
    let factories = client.get("/core/factories").await.expect(200).json();
    assert_eq!(factories["documentLinks"], json!(["/core/counters"]));
    client.get("/core/factories/core/none").await.expect(404);
    let nothing_to_return_to = json!({ "rollback": true });
    client.patch("/core/factories/core/counters", &nothing_to_return_to).await.expect(404);
}
