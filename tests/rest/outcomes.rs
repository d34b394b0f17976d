//! The host checks what guests return before it commits it.

use serde_json::{Value, json};
use steward_tests::wait;

use crate::{host_with, misbehave_with};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_is_none_is_the_fault_of_the_guest() {
    let host = host_with(&["misbehave"]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let refuse = async |status: u16, code: &str| {
        let answer =
            client.patch("/core/misbehave/m", &json!({ "do": "refuse", "status": status, "code": code })).await;
        (answer.status.as_u16(), answer.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refuse(409, "full-up").await, (409, "full-up".to_owned()));
    for status in [0, 100, 302, 600] {
        assert_eq!(refuse(status, "full-up").await, (500, "guest-status".to_owned()));
    }
    for code in ["c d\u{7}", "Full", "-full", &"f".repeat(65)] {
        assert_eq!(refuse(409, code).await, (500, "guest-code".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_set_only_headers_that_speak_for_their_own_answer() {
    let host = host_with(&["misbehave"]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let taken = ["cache-control", "content-language", "link", "x-mood"];
    let dropped = ["set-cookie", "server", "www-authenticate", "refresh", "x-forwarded-for", "x-xenon-mood"];
    let headers: serde_json::Map<String, Value> =
        taken.iter().chain(&dropped).map(|name| ((*name).to_owned(), json!("said"))).collect();
    let answer = client.patch("/core/misbehave/m", &json!({ "do": "answer", "headers": headers })).await.expect(200);
    for name in taken {
        assert_eq!(answer.header(name), "said", "{name}");
    }
    for name in dropped {
        assert_eq!(answer.header(name), "", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_meet_the_preconditions_that_they_name() {
    let host = host_with(&["misbehave", "counter"]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    for name in ["kept", "marked", "gone"] {
        let made = json!({ "documentSelfLink": name });
        client.post("/core/counters", &made).await.expect(201);
    }
    client.delete("/core/counters/gone").await.expect(200);
    let send = async |name: &str, more: Value| {
        let mut body = json!({ "do": "send", "to": format!("/core/counters/{name}"), "body": { "by": 5 } });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        client.patch("/core/misbehave/m", &body).await
    };
    send("kept", json!({ "headers": { "if-match": "\"9-999\"" } })).await.expect(200);
    let put = json!({ "action": "PUT", "body": { "count": 9 }, "headers": { "if-none-match": "*" } });
    send("kept", put).await.expect(200);
    // Effects of one document go out in their order: when this one has come, those above were settled.
    send("marked", json!({ "headers": { "if-match": "*" } })).await.expect(200);
    let arrived = || async { (client.get("/core/counters/marked").await.json()["count"] == 5).then_some(()) };
    wait::until("the effects have arrived", arrived).await;
    let kept = client.get("/core/counters/kept").await.expect(200).json();
    assert_eq!((&kept["count"], &kept["documentVersion"]), (&json!(0), &json!(0)), "{kept}");
    let problem = send("kept", json!({ "headers": { "if-match": "\"1-7" } })).await.expect(500).json();
    assert_eq!(problem["code"], "guest-outcome", "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("header If-Match")), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_to_the_host_itself_is_the_fault_of_the_guest_and_nothing_happens() {
    let host = host_with(&["misbehave"]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    for to in [
        "/core/factories",
        "/core/factories/core/misbehave",
        "/core/management?x",
        "/core/query-tasks",
        "/openapi.json",
        "/core/misbehave/m/effects",
        "/",
    ] {
        let send = json!({ "do": "send", "to": to, "body": {} });
        let problem = client.patch("/core/misbehave/m", &send).await.expect(500).json();
        assert_eq!((&problem["code"], &problem["outcome"]), (&json!("guest-outcome"), &json!("none")), "{problem}");
        let told = problem["detail"].as_str().unwrap_or_default();
        let path = to.trim_end_matches("?x");
        assert!(told.contains(&format!("a PATCH of {path}, where the host itself answers")), "{problem}");
    }
    let kept = client.get("/core/misbehave/m").await.expect(200).json();
    assert_eq!(kept["documentVersion"], 0, "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_passes_on_unseen_is_the_fault_of_who_has_sent_it() {
    let described = json!({
        "docs": null,
        "stateSchema": { "properties": { "note": { "pattern": "^[a-z]+$" }, "count": { "minimum": 0 } } },
        "actions": { "handle-patch": { "": { "properties": { "rounds": { "maximum": 9 } } } } },
    });
    let host = host_with(&[]).await;
    let client = host.client();
    client.deploy(&misbehave_with(&described).await, None).await;
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m", "note": "fine" })).await.expect(201);
    for (body, pointer) in [
        // It is the value of the client that the state has, and the schema of the state refuses it.
        (json!({ "note": "No Pattern" }), "/note"),
        // The guest has broken its schema, and the body breaks its own.
        (json!({ "do": "negative-count", "rounds": 10 }), "/rounds"),
    ] {
        let problem = client.patch("/core/misbehave/m", &body).await.expect(400).json();
        assert_eq!(problem["code"], "validation", "{body}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
    }
    for body in [json!({ "do": "negative-count", "count": 7 }), json!({ "do": "negative-count" })] {
        let problem = client.patch("/core/misbehave/m", &body).await.expect(500).json();
        assert_eq!(problem["code"], "guest-outcome", "{body}: {problem}");
    }
    assert_eq!(client.get("/core/misbehave/m").await.expect(200).json()["note"], "fine");
    client.patch("/core/misbehave/m", &json!({ "note": "also" })).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_that_lists_gets_the_documents_only_if_it_asks_for_them() {
    let host = host_with(&["misbehave", "counter"]).await;
    let (client, link) = (host.client(), "/core/misbehave/m");
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    for (query, documents) in [
        ("?$top=1", 0),
        ("?expand=false", 0),
        ("?$expand=false", 0),
        ("?expand", 1),
        ("?expand=true", 1),
        ("?$expand=true", 1),
    ] {
        let send =
            json!({ "do": "send", "action": "GET", "to": format!("/core/counters{query}"), "tag": query.to_owned() });
        client.patch(link, &send).await.expect(200);
        let heard = wait::until("it is answered", || async {
            let heard = client.get(link).await.expect(200).json()["heard"][query].clone();
            heard.is_object().then_some(heard)
        })
        .await;
        assert_eq!(heard["documentLinks"], json!(["/core/counters/c"]), "{query}: {heard}");
        assert_eq!(heard["documents"].as_object().map_or(0, |found| found.len()), documents, "{query}: {heard}");
    }
    let send = json!({ "do": "send", "action": "GET", "to": "/core/counters?expand=x", "tag": "wrong" });
    client.patch(link, &send).await.expect(200);
    let refused = wait::until("it is refused", || async {
        let heard = client.get(link).await.expect(200).json()["heard"]["wrong"].clone();
        heard.is_object().then_some(heard)
    })
    .await;
    assert_eq!(refused["statusCode"], 400, "{refused}");
}
