//! What a module must be able to read before it answers, and what is told of a state that it cannot read.

use serde_json::{Value, json};
use steward_model::{Lane, Link, PartitionId};
use steward_tests::client::Client;

use crate::{component, host_with, misbehave_with};

/// Documents beyond so many are not tried before a module answers.
const TRIED: usize = 200;

async fn uploaded(client: &Client, component: &[u8]) -> Value {
    client.upload(component).await.expect(201).json()
}

async fn move_to(client: &Client, path: &str, digest: &Value) -> (u16, Value) {
    let moved = client.patch(&format!("/core/factories{path}"), &json!({ "moduleDigest": digest })).await;
    (moved.status.as_u16(), moved.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_what_states_do_not_have_is_refused() {
    let host = host_with(&[]).await;
    let client = host.client();
    let closed = json!({
        "type": "object", "additionalProperties": false,
        "properties": { "f": { "type": "number" }, "count": { "type": "integer" } }
    });
    for (index, words) in [
        (json!([{ "path": "cuont", "type": "number" }]), "did you mean count?"),
        (json!([{ "path": "count", "type": "string" }]), "it is a number"),
    ] {
        let module = misbehave_with(&json!({ "docs": "", "index": index, "stateSchema": closed })).await;
        let plan = uploaded(client, &module).await;
        let refusal = &plan["plan"]["refusal"];
        assert_eq!(refusal["code"], "module-index", "{plan}");
        assert!(refusal["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{refusal}");
        let mounted =
            client.post("/core/factories", &json!({ "moduleDigest": plan["digest"] })).await.expect(422).json();
        assert_eq!(mounted["code"], "module-index");
    }
    let index = json!([{ "path": "count", "type": "number" }]);
    let module = misbehave_with(&json!({ "docs": "", "index": index, "stateSchema": closed })).await;
    client.deploy(&module, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_options_keeps_its_documents_and_a_volatile_one_is_named_so() {
    let mut host = host_with(&[]).await;
    let plain = misbehave_with(&json!({ "options": null })).await;
    let plan = uploaded(host.client(), &plain).await;
    assert_eq!(plan["plan"]["lane"], "persisted", "{plan}");
    host.client().deploy(&plain, None).await;
    host.client().post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    tokio::task::block_in_place(|| host.restart()).expect("it starts again");
    host.client().get("/core/misbehave/m").await.expect(200);
    let volatile = misbehave_with(&json!({ "options": [], "name": "fleeting", "factory": "/fleeting" })).await;
    let plan = uploaded(host.client(), &volatile).await;
    assert_eq!(plan["plan"]["lane"], "volatile", "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_cannot_migrate_what_is_stored_does_not_answer() {
    let host = host_with(&["misbehave"]).await;
    let client = host.client();
    let later = json!({
        "docs": "", "stateVersion": 2, "readsStateVersions": [1],
        "handlers": ["handle-patch", "handle-post", "handle-stop", "migrate"],
    });
    let module = uploaded(client, &misbehave_with(&later).await).await;
    assert_eq!(module["plan"]["refusal"], Value::Null, "nothing is stored: {module}");
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m", "count": 1 })).await.expect(201);
    let plan = uploaded(client, &misbehave_with(&later).await).await;
    assert_eq!(plan["plan"]["refusal"]["code"], "deploy-breaking-state", "{plan}");
    let (status, problem) = move_to(client, "/core/misbehave", &module["digest"]).await;
    assert_eq!((status, &problem["link"]), (409, &json!("/core/misbehave/m")), "{problem}");
    client.get("/core/misbehave/m").await.expect(200);
    assert_eq!(client.get("/core/factories/core/misbehave").await.expect(200).json()["revision"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_schema_under_the_same_state_version_must_fit_what_is_stored() {
    let host = host_with(&["misbehave"]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m", "count": 1 })).await.expect(201);
    let schema = |properties: Value, required: Value| json!({ "docs": "", "stateSchema": { "type": "object", "properties": properties, "required": required } });
    for breaking in [
        schema(json!({ "count": { "type": "string" } }), json!([])),
        schema(json!({ "count": { "type": "integer" }, "b": { "type": "string" } }), json!(["b"])),
    ] {
        let module = uploaded(client, &misbehave_with(&breaking).await).await;
        assert_eq!(module["plan"]["refusal"]["code"], "deploy-breaking-state", "{module}");
        let (status, problem) = move_to(client, "/core/misbehave", &module["digest"]).await;
        assert_eq!((status, &problem["link"]), (409, &json!("/core/misbehave/m")), "{problem}");
        assert!(problem["hints"].to_string().contains("raise the state version"), "{problem}");
    }
    let wider = schema(json!({ "count": { "type": "integer" }, "b": { "type": "string" } }), json!([]));
    let module = uploaded(client, &misbehave_with(&wider).await).await;
    assert_eq!(move_to(client, "/core/misbehave", &module["digest"]).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_migrated_is_told_alike_by_every_read() {
    let host = host_with(&["misbehave"]).await;
    let client = host.client();
    for number in 0..TRIED + 60 {
        let body = json!({ "documentSelfLink": format!("n{number}"), "count": number, "watched": true });
        client.post("/core/misbehave", &body).await.expect(201);
    }
    // The last partitions are beyond what is tried.
    let in_last = |name: &String| {
        let link = Link::parse(&format!("/core/misbehave/{name}")).expect("a link");
        PartitionId::of(&link, Lane::Persisted).index > 250
    };
    let name = (0..).map(|number| format!("bad{number}")).find(in_last).expect("there is one");
    client.post("/core/misbehave", &json!({ "documentSelfLink": name, "count": 7, "watched": "x" })).await.expect(201);
    let module = uploaded(client, &component("upgrade-after").await).await;
    let plan = &client
        .send(
            http::Method::POST,
            "/core/modules?dryRun&factory=/core/misbehave",
            &[("content-type", "application/wasm")],
            component("upgrade-after").await,
        )
        .await
        .expect("an answer")
        .expect(200)
        .json()["plan"];
    assert_eq!((&plan["refusal"], &plan["noWayBack"]), (&Value::Null, &json!(true)), "{plan}");
    let (status, moved) = move_to(client, "/core/misbehave", &module["digest"]).await;
    assert_eq!(status, 200, "{moved}");
    assert_eq!(client.get("/core/misbehave/n1").await.expect(200).json()["total"], 1);
    let link = format!("/core/misbehave/{name}");
    let read = client.get(&link).await.expect(500).json();
    assert_eq!(read["code"], "state-unreadable", "{read}");
    let query = json!({ "taskInfo": { "isDirect": true }, "querySpec": { "query": { "term": {
        "propertyName": "total", "matchValue": 7, "propertyType": "LONG" } }, "options": ["EXPAND_CONTENT"] } });
    let answers = [
        client.get("/core/misbehave?expand").await,
        client.get("/core/misbehave?$filter=total%20ge%200").await,
        client.get("/core/misbehave?$orderby=total").await,
        client.post("/core/query-tasks", &query).await,
    ];
    for answer in answers {
        let problem = answer.expect(500).json();
        assert_eq!((&problem["code"], &problem["link"]), (&read["code"], &json!(link)), "{problem}");
    }
    let listed = client.get("/core/misbehave").await.expect(200).json();
    assert_eq!(listed["documentCount"], TRIED + 61, "links need no state");
    client.delete("/core/misbehave/n1").await.expect(200);
}
