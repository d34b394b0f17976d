//! Bad input of any kind changes nothing, and gets a problem that says what is wrong, where, and how to mend it.

use http::Method;
use serde_json::{Value, json};

use crate::{host_with, host_with_flags};

/// A request, and the status and code with which it is refused.
type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem_document() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let json_type = [("content-type", "application/json")];
    let cases: [Case<'_>; 9] = [
        (Method::GET, "/core/exampels/x", &[], "", 404, "not-found"),
        (Method::GET, "/core/examples/none", &[], "", 404, "not-found"),
        (Method::POST, "/core/examples", &json_type, "{\n  \"name\": }", 400, "malformed-json"),
        (Method::POST, "/core/examples", &json_type, "[1]", 400, ""),
        (Method::POST, "/core/examples", &json_type, "{}", 400, "validation"),
        (Method::POST, "/core/examples", &[("content-type", "text/plain")], "{}", 415, "unsupported-media-type"),
        (Method::POST, "/core/examples", &json_type, r#"{"name":"n","documentSelfLink":"a/b"}"#, 400, ""),
        (Method::POST, "/core/examples", &json_type, r#"{"name":"n","counter":"many"}"#, 400, ""),
        (Method::PATCH, "/core/examples", &json_type, "{}", 405, ""),
    ];
    for (method, path, headers, body, status, code) in cases {
        let answer = client.send(method.clone(), path, headers, body.to_owned()).await.expect("an answer");
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path} {body}");
        let problem = answer.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["statusCode"], status);
        assert_eq!(problem["documentKind"], "com:vmware:xenon:common:ServiceErrorResponse");
        assert!(!problem["message"].as_str().unwrap_or_default().is_empty(), "{problem}");
        if !code.is_empty() {
            assert_eq!(problem["code"], code, "{problem}");
        }
    }
    let listed = client.get("/core/examples").await.expect(200).json();
    assert_eq!(listed["documentCount"], 0, "a refused request changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_json_is_located_and_wrong_fields_are_pointed_at() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let headers = [("content-type", "application/json")];
    let broken = client.send(Method::POST, "/core/examples", &headers, "{\n  \"name\": }").await.expect("an answer");
    let message = broken.json()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("line 2"), "{message}");
    let wrong = client.post("/core/examples", &json!({ "name": "n", "counter": "many" })).await.expect(400).json();
    assert!(wrong.to_string().contains("counter"), "{wrong}");
    let unknown = client.get("/core/exampels/x").await.expect(404).json();
    assert!(unknown.to_string().contains("/core/examples"), "the nearest factory is named: {unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_the_limit_are_refused_and_the_connection_lives() {
    let host = host_with_flags(&["examples"], &["--max-request-bytes", "64KiB"]).await;
    let client = host.client();
    let large = json!({ "name": "x".repeat(70_000) });
    let refused = client.post("/core/examples", &large).await.expect(413).json();
    assert_eq!(refused["code"], "payload-too-large");
    client.post("/core/examples", &json!({ "name": "small" })).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_implemented_names_those_that_are() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let refused = client.post("/core/counters/c", &json!({})).await.expect(405);
    assert!(refused.header("allow").contains("PATCH"), "{}", refused.header("allow"));
}

#[tokio::test(flavor = "multi_thread")]
async fn misbehaving_guests_fail_one_request_and_harm_nobody() {
    let host = host_with(&["misbehave", "counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let link = "/core/misbehave/m";
    for (bad, expected) in [
        ("loop", "guest-deadline"),
        ("trap", "guest-trap"),
        ("panic", "guest-trap"),
        ("recurse", "guest-trap"),
        ("allocate", "guest-memory"),
        ("not-json", "guest-json"),
        ("not-object", "guest-document"),
        ("huge-document", "guest-output"),
        ("many-effects", "guest-effects"),
        ("infinite", "guest-outcome"),
        ("negative-count", "guest-outcome"),
        ("negative-expiry", "guest-outcome"),
        ("read-clock", "guest-trap"),
    ] {
        let before = client.get(link).await.expect(200).json();
        let refused = client.patch(link, &json!({ "do": bad })).await;
        assert!(refused.status.is_server_error(), "{bad}: {}", String::from_utf8_lossy(&refused.body));
        let problem = refused.json();
        assert_eq!(problem["code"], expected, "{bad}: {problem}");
        assert_eq!(problem["outcome"], "none", "{bad}: {problem}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        if bad == "read-clock" {
            assert!(detail.contains("a service asks Context::now_micros() for the time"), "{detail}");
        }
        if bad == "panic" {
            assert!(detail.contains("told to") && detail.contains("src/lib.rs:"), "{detail}");
            assert!(host.log().contains("guest: panicked at"), "the operator reads it, too");
        }
        assert_eq!(client.get(link).await.expect(200).json(), before, "{bad} changed something");
        client.patch(link, &json!({})).await.expect(200);
        client.patch("/core/counters/c", &json!({})).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be_paths_are_refused() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let long = "n".repeat(1_100);
    for name in ["..", "a/b", "/elsewhere/a", "a b", "a?b", "a#b", "é", "a\u{0}b", "stats", long.as_str()] {
        let refused = client.post("/core/counters", &json!({ "documentSelfLink": name })).await;
        assert_eq!(refused.status, 400, "{name:?}: {}", String::from_utf8_lossy(&refused.body));
        assert!(!refused.json()["message"].as_str().unwrap_or_default().is_empty());
    }
    for path in ["/core/counters/%00", "/core//counters", "/core/counters/../x", "/core/counters/%ff", "/a%2fb%20"] {
        client.get(path).await.expect(400);
    }
    for wrong in [json!({ "documentSelfLink": 7 }), json!({ "documentExpirationTimeMicros": "soon" })] {
        client.post("/core/counters", &wrong).await.expect(400);
    }
    assert_eq!(client.get("/core/counters").await.expect(200).json()["documentCount"], 0);
    for name in ["a@b", "a:b;c=d", "~x", "(1)", "a%27b"] {
        client.get(&format!("/core/counters/{name}")).await.expect(404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expiry_before_time_began_is_the_fault_of_whoever_sent_it() {
    let host = host_with(&["counter", "presence"]).await;
    let client = host.client();
    for (factory, name) in [("/core/counters", "c"), ("/presences", "p")] {
        let link = format!("{factory}/{name}");
        client.post(factory, &json!({ "documentSelfLink": name, "name": name })).await.expect(201);
        let body = json!({ "name": name, "documentVersion": 0, "documentExpirationTimeMicros": -1 });
        for refused in [client.put(&link, &body).await, client.post(factory, &body).await] {
            let problem = refused.expect(400).json();
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("is -1")), "{problem}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_json_is_refused_without_harm() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let headers = [("content-type", "application/json")];
    let deep = format!(r#"{{"name":{}1{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let unclosed = "{\"name\":".repeat(20_000);
    let cut = r#"{"name":"n"#.to_owned();
    let lone = r#"{"name":"\ud800"}"#.to_owned();
    let two = r#"{"name":"a"} {"name":"b"}"#.to_owned();
    for body in [deep, unclosed, cut, lone, two] {
        let refused = client.send(Method::POST, "/core/examples", &headers, body.clone()).await.expect("an answer");
        let start: String = body.chars().take(30).collect();
        assert_eq!(refused.status, 400, "{start}: {}", String::from_utf8_lossy(&refused.body));
    }
    let not_utf8: &[u8] = b"{\"name\":\"\xff\"}";
    client.send(Method::POST, "/core/examples", &headers, not_utf8).await.expect("an answer").expect(400);
    let large = r#"{"name":"n","counter":123456789012345678901234567890}"#;
    let refused = client.send(Method::POST, "/core/examples", &headers, large).await.expect("an answer");
    assert_eq!(refused.status, 400, "{}", String::from_utf8_lossy(&refused.body));
    assert_eq!(client.get("/core/examples").await.expect(200).json()["documentCount"], 0);
}

/// Wraps a text as the parser of the host would talk to itself.
fn private(kind: &str, text: &str) -> String {
    json!({ format!("$serde_json::private::{kind}"): text }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_parser_are_refused_by_name_and_depth_cannot_be_hidden_behind_them() {
    let host = host_with(&["examples", "presence", "misbehave"]).await;
    let client = host.client();
    client.post("/presences", &json!({ "documentSelfLink": "ada", "name": "Ada" })).await.expect(201);
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let nested = (0..8).fold("[".repeat(90) + &"]".repeat(90), |inner, _| {
        let raw = private("RawValue", &inner);
        format!("{}{raw}{}", "[".repeat(90), "]".repeat(90))
    });
    let values = [
        private("RawValue", "[1]"),
        private("Number", "1"),
        r#"{"\u0024serde_json::private::RawValue":"1"}"#.to_owned(),
        nested,
    ];
    for value in &values {
        for (method, path, body) in [
            (Method::POST, "/core/examples", format!(r#"{{"name":"n","keyValues":{value}}}"#)),
            (Method::POST, "/presences", format!(r#"{{"name":"n","y":{value}}}"#)),
            (Method::PUT, "/presences/ada", format!(r#"{{"documentVersion":0,"name":"n","y":{value}}}"#)),
            (Method::PATCH, "/presences/ada", format!(r#"{{"documentVersion":0,"y":{value}}}"#)),
            (Method::PATCH, "/core/misbehave/m", format!(r#"{{"note":{value}}}"#)),
            (Method::POST, "/core/query-tasks", format!(r#"{{"querySpec":{{"query":{value}}}}}"#)),
            (Method::POST, "/core/factories", value.clone()),
        ] {
            let headers = [("content-type", "application/json")];
            let answer = client.send(method.clone(), path, &headers, body).await.expect("an answer").expect(400).json();
            assert_eq!(answer["code"], "reserved-key", "{method} {path}: {answer}");
            assert!(answer["key"].as_str().unwrap_or_default().starts_with("$serde_json::private::"), "{answer}");
        }
    }
    assert_eq!(client.get("/presences/ada").await.expect(200).json()["documentVersion"], 0);
    let text = json!({ "documentVersion": 0, "note": "$serde_json::private::RawValue" });
    client.patch("/presences/ada", &text).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_whose_name_is_longer_than_any_key_harms_nobody() {
    let mut host = host_with(&["examples"]).await;
    let long = "k".repeat(70_000);
    let many: serde_json::Map<String, Value> = (0..5_000).map(|n| (format!("k{n}"), json!("v"))).collect();
    for (name, values) in [("long", json!({ long: "v" })), ("many", Value::Object(many))] {
        let body = json!({ "documentSelfLink": name, "name": name, "keyValues": values });
        host.client().post("/core/examples", &body).await.expect(201);
    }
    for _ in 0..2 {
        let client = host.client();
        assert_eq!(client.get("/core/examples").await.expect(200).json()["documentCount"], 2);
        for name in ["long", "many"] {
            let found = client.get(&format!("/core/examples?$filter=name%20eq%20'{name}'")).await.expect(200).json();
            assert_eq!(found["documentLinks"], json!([format!("/core/examples/{name}")]), "{name}");
            client.get(&format!("/core/examples/{name}?documentVersion=0")).await.expect(200);
        }
        // A field beyond those that are indexed is found all the same.
        let rest = "/core/examples?$filter=keyValues.k4999%20eq%20'v'";
        assert_eq!(client.get(rest).await.expect(200).json()["documentLinks"], json!(["/core/examples/many"]));
        client.get("/health/ready").await.expect(200);
        tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_nobody_can_keep_are_told_as_such_wherever_they_are_sent() {
    let host = host_with(&["counter", "examples"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let long = "9".repeat(401);
    let headers = [("content-type", "application/json")];
    for (method, path) in [
        (Method::POST, "/core/examples"),
        (Method::PATCH, "/core/counters/c"),
        (Method::PUT, "/core/counters/c"),
        (Method::POST, "/core/query-tasks"),
        (Method::PATCH, "/core/node-groups/default"),
    ] {
        for number in ["1E400", "-1e400", "123.4e999", &long] {
            let body = format!("{{\n \"by\": {number}}}");
            let answer = client.send(method.clone(), path, &headers, body).await.expect("an answer");
            let problem = answer.expect(400).json();
            assert_eq!(
                (&problem["code"], &problem["line"], &problem["column"]),
                (&json!("number-range"), &json!(2), &json!(8)),
                "{problem}"
            );
            let detail = problem["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(&number[..5]) && detail.contains("1.797e308"), "{detail}");
        }
    }
    let fine = client.send(Method::POST, "/core/counters", &headers, "{\"other\": [1e308, 1e-400]}").await;
    fine.expect("an answer").expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_the_host_does_not_know_are_refused_with_the_ones_that_were_meant() {
    let host = host_with_flags(&["counter"], &["--clock", "virtual", "--ephemeral"]).await;
    let client = host.client();
    let quorum = |field: &str| json!({ "kind": "UpdateQuorumRequest", "membershipQuorum": 1, field: true });
    let query = json!({ "term": { "propertyName": "count", "matchValue": "1" } });
    let task = |field: &str, value: Value| json!({ "querySpec": { "query": query }, field: value });
    let cases = [
        (Method::PATCH, "/core/node-groups/default", quorum("isGroupUpdat"), "isGroupUpdate"),
        (Method::PATCH, "/core/node-groups/default", quorum("froce"), "force"),
        (Method::POST, "/core/node-selectors/default", json!({ "key": "/core/counters/a", "knid": "x" }), "kind"),
        (
            Method::PATCH,
            "/core/management",
            json!({ "kind": "AdvanceClockRequest", "advanceMicro": 1 }),
            "advanceMicros",
        ),
        (Method::POST, "/core/query-tasks", task("taskInfos", json!({})), "taskInfo"),
        (Method::POST, "/core/query-tasks", task("taskInfo", json!({ "isdirect": true })), "isDirect"),
        (Method::POST, "/core/query-tasks", json!({ "querySpec": { "query": {}, "option": [] } }), "options"),
        (
            Method::POST,
            "/core/query-tasks",
            task("documentExpirationTimeMicro", json!(1)),
            "documentExpirationTimeMicros",
        ),
        (Method::POST, "/core/factories", json!({ "moduleDigets": "x" }), "moduleDigest"),
        (Method::POST, "/core/migrations/core/counters", json!({ "limits": 1 }), "limit"),
        (Method::POST, "/core/replays", json!({ "documentSelfLnk": "/core/counters/a" }), "documentSelfLink"),
    ];
    for (method, path, body, meant) in cases {
        let problem = client.with_headers(method, path, &[], &body).await.expect(400).json();
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(&format!("did you mean `{meant}`?")), "{path} {body}: {problem}");
    }
    let finished = client.post("/core/query-tasks", &task("taskInfo", json!({ "isDirect": true }))).await.expect(200);
    client.post("/core/query-tasks", &finished.json()).await.expect(200);
}
