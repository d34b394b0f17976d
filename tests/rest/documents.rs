//! Documents: create, read, replace, change, delete, look back.

use http::Method;
use serde_json::{Value, json};

use crate::host_with;

#[tokio::test(flavor = "multi_thread")]
async fn a_created_document_has_a_place_a_tag_and_built_in_fields() {
    let host = host_with(&["examples"]).await;
    let body = json!({ "documentSelfLink": "one", "name": "example-1", "counter": 1 });
    let created = host.client().post("/core/examples", &body).await.expect(201);
    assert_eq!(created.header("location"), "/core/examples/one");
    assert!(
        created.header("etag").starts_with("\"") && created.header("etag").contains('-'),
        "{}",
        created.header("etag")
    );
    assert!(!created.header("x-request-id").is_empty());
    assert!(!created.header("x-steward-owner").is_empty());
    let state = created.json();
    assert_eq!(state["name"], "example-1");
    assert_eq!(state["documentSelfLink"], "/core/examples/one");
    assert_eq!(state["documentVersion"], 0);
    assert_eq!(state["documentUpdateAction"], "POST");
    let kind = "com:vmware:xenon:services:common:ExampleService:ExampleServiceState";
    assert_eq!(state["documentKind"], kind);
    let read = host.client().get("/core/examples/one").await.expect(200);
    assert_eq!(read.json(), state);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_count_updates_and_old_ones_stay_readable() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c", "step": 2 })).await.expect(201);
    for version in 1..=3 {
        let patched = client.patch("/core/counters/c", &json!({})).await.expect(200).json();
        assert_eq!(
            (patched["documentVersion"].as_u64(), patched["count"].as_u64()),
            (Some(version), Some(2 * version))
        );
    }
    for version in 0..=3 {
        let old = client.get(&format!("/core/counters/c?documentVersion={version}")).await.expect(200).json();
        assert_eq!(old["count"], 2 * version);
    }
    client.get("/core/counters/c?documentVersion=9").await.expect(404);
    let history = client.get("/core/counters/c/history").await.expect(200).json();
    let versions: Vec<u64> = history["versions"]
        .as_array()
        .expect("a list of versions")
        .iter()
        .filter_map(|version| version["documentVersion"].as_u64())
        .collect();
    assert_eq!(versions, [3, 2, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn preconditions_guard_updates_and_save_reads() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let created = client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let tag = created.header("etag").to_owned();
    let unchanged =
        client.with_headers(Method::GET, "/core/counters/c", &[("if-none-match", &tag)], &Value::Null).await;
    assert_eq!(unchanged.expect(304).body.len(), 0);
    client.with_headers(Method::PATCH, "/core/counters/c", &[("if-match", &tag)], &json!({})).await.expect(200);
    let stale = client.with_headers(Method::PATCH, "/core/counters/c", &[("if-match", &tag)], &json!({})).await;
    let problem = stale.expect(412).json();
    assert_eq!(problem["code"], "precondition-failed");
    let state = client.get("/core/counters/c").await.expect(200).json();
    assert_eq!(state["documentVersion"], 1);
    let again = json!({ "documentSelfLink": "c" });
    client.with_headers(Method::POST, "/core/counters", &[("if-none-match", "*")], &again).await.expect(412);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_document_is_gone_and_its_link_is_kept() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let body = json!({ "documentSelfLink": "d", "name": "n" });
    client.post("/core/examples", &body).await.expect(201);
    client.post("/core/examples", &body).await.expect(409);
    let deleted = client.delete("/core/examples/d").await.expect(200).json();
    assert_eq!(
        (deleted["documentUpdateAction"].as_str(), deleted["documentVersion"].as_u64()),
        (Some("DELETE"), Some(1))
    );
    let gone = client.get("/core/examples/d").await.expect(404).json();
    assert_eq!(gone["errorCode"], -2_147_483_646_i64);
    client.patch("/core/examples/d", &json!({ "name": "x" })).await.expect(404);
    client.delete("/core/examples/d").await.expect(200);
    client.delete("/core/examples/never-was").await.expect(200);
    let refused = client.post("/core/examples", &body).await.expect(409).json();
    assert_eq!(refused["errorCode"], -2_147_483_646_i64);
    let pragma = [("pragma", "xn-force-index-update")];
    let reborn = client.with_headers(Method::POST, "/core/examples", &pragma, &body).await.expect(201).json();
    assert_eq!(reborn["documentVersion"], 2);
    client.get("/core/examples/d?documentVersion=0").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_and_options_describe_without_a_state() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let head = client.send(Method::HEAD, "/core/counters/c", &[], "").await.expect("an answer").expect(200);
    assert!(head.body.is_empty() && !head.header("etag").is_empty());
    let options = client.send(Method::OPTIONS, "/core/counters/c", &[], "").await.expect("an answer").expect(200);
    for action in ["GET", "PUT", "PATCH", "DELETE"] {
        assert!(options.header("allow").contains(action), "{}", options.header("allow"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_tags_is_read_as_http_writes_it() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let created = client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let tag = created.header("etag");
    let conditional = |method: Method, name: &'static str, tags: String| async move {
        client.send(method, "/core/counters/c", &[(name, tags.as_str())], "").await.expect("an answer")
    };
    for known in
        [format!("\"a,b\", {tag}"), format!(", W/{tag} ,\"x\""), tag.trim_matches('"').to_owned(), "*".to_owned()]
    {
        let unchanged = conditional(Method::GET, "if-none-match", known).await.expect(304);
        assert_eq!(unchanged.header("etag"), tag);
    }
    conditional(Method::GET, "if-none-match", "\"a,b\"".to_owned()).await.expect(200);
    for broken in [format!("{tag} {tag}"), "\"a".to_owned(), "a\"".to_owned()] {
        conditional(Method::GET, "if-none-match", broken).await.expect(400);
    }
    conditional(Method::GET, "if-match", "*".to_owned()).await.expect(200);
    conditional(Method::DELETE, "if-none-match", "*".to_owned()).await.expect(412);
    conditional(Method::DELETE, "if-match", format!("\"a,b\", {tag}")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_merge_as_xenon_merged_them() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let first = json!({ "documentSelfLink": "m", "name": "n", "counter": 5, "keyValues": { "a": "1", "b": "2" } });
    client.post("/core/examples", &first).await.expect(201);
    let patch = json!({ "counter": 3, "keyValues": { "a": null, "c": "3" }, "unknown": true });
    let merged = client.patch("/core/examples/m", &patch).await.expect(200).json();
    assert_eq!(merged["counter"], 5, "the larger counter stays");
    assert_eq!(merged["keyValues"], json!({ "b": "2", "c": "3" }));
    let strict = "com:vmware:xenon:services:common:ExampleService:StrictUpdateRequest";
    let wrong = json!({ "kind": strict, "name": "x", "documentVersion": 77 });
    client.patch("/core/examples/m", &wrong).await.expect(400);
    let right = json!({ "kind": strict, "name": "x", "documentVersion": 1 });
    assert_eq!(client.patch("/core/examples/m", &right).await.expect(200).json()["name"], "x");
    client.put("/core/examples/m", &json!({ "counter": 1 })).await.expect(400);
    let replaced = client.put("/core/examples/m", &json!({ "name": "fresh" })).await.expect(200).json();
    assert_eq!(
        (replaced["name"].as_str(), replaced.get("keyValues").and_then(|kv| kv.get("b"))),
        (Some("fresh"), None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_updates_survive_a_kill() {
    let mut host = host_with(&["counter", "examples"]).await;
    let client = host.client().clone();
    for n in 0..20 {
        let link = format!("c{n}");
        client.post("/core/counters", &json!({ "documentSelfLink": link, "step": n + 1 })).await.expect(201);
        client.patch(&format!("/core/counters/{link}"), &json!({})).await.expect(200);
    }
    client.delete("/core/counters/c7").await.expect(200);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    for n in (0..20).filter(|n| *n != 7) {
        let found = client.get(&format!("/core/counters/c{n}")).await.expect(200).json();
        assert_eq!((found["count"].as_u64(), found["documentVersion"].as_u64()), (Some(n + 1), Some(1)));
    }
    client.get("/core/counters/c7").await.expect(404);
    let listed = client.get("/core/counters").await.expect(200).json();
    assert_eq!(listed["documentCount"], 19);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_of_an_expired_document_says_nothing_about_the_one_that_follows() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    let soon = u64::try_from(now.as_micros() + 200_000).expect("a time of this age");
    let brief = json!({ "documentSelfLink": "e", "name": "first", "documentExpirationTimeMicros": soon });
    let first = client.post("/core/examples", &brief).await.expect(201);
    let (tag, version) = (first.header("etag").to_owned(), first.json()["documentVersion"].as_u64());
    steward_tests::wait::until("nothing is left of the document", || async {
        let factory = client.get("/core/factories/core/examples").await.expect(200).json();
        (factory["documentCount"] == 0).then_some(())
    })
    .await;
    client.get("/core/examples/e").await.expect(404);
    client.get("/core/examples/e?documentVersion=0").await.expect(404);
    client.delete("/core/examples/e").await.expect(200);
    let anew = json!({ "documentSelfLink": "e", "name": "second" });
    let second = client.post("/core/examples", &anew).await.expect(201);
    assert!(second.json()["documentVersion"].as_u64() > version, "versions go on");
    let none_match = [("if-none-match", tag.as_str())];
    client.with_headers(Method::GET, "/core/examples/e", &none_match, &Value::Null).await.expect(200);
    let lost = json!({ "name": "lost" });
    client.with_headers(Method::PUT, "/core/examples/e", &[("if-match", tag.as_str())], &lost).await.expect(412);
    assert_eq!(client.get("/core/examples/e").await.expect(200).json()["name"], "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_used_anew_inherits_nothing_of_its_expired_document() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    let soon = u64::try_from(now.as_micros() + 200_000).expect("a time of this age");
    let brief = json!({ "documentSelfLink": "e", "name": "first", "documentExpirationTimeMicros": soon });
    client.post("/core/examples", &brief).await.expect(201);
    steward_tests::wait::until("the document has expired", || async {
        (client.get("/core/examples/e").await.status == 404).then_some(())
    })
    .await;
    let anew = json!({ "documentSelfLink": "e", "name": "second" });
    let state = client.post("/core/examples", &anew).await.expect(201).json();
    assert_eq!(state["documentExpirationTimeMicros"], 0);
    assert_eq!(client.get("/core/examples/e").await.expect(200).json()["name"], "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_preconditions_count_and_those_of_older_versions_too() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let link = "/core/examples/e";
    let first = client.post("/core/examples", &json!({ "documentSelfLink": "e", "name": "a" })).await.expect(201);
    let old = first.header("etag").to_owned();
    let new = client.patch(link, &json!({ "name": "b" })).await.expect(200).header("etag").to_owned();
    let with = |method: Method, headers: Vec<(&'static str, String)>, path: String| async move {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        client.with_headers(method, &path, &headers, &json!({ "name": "c" })).await.status
    };
    let any = || "*".to_owned();
    for (method, matching, none_matching, status) in [
        (Method::PATCH, any(), any(), 412),
        (Method::PATCH, any(), new.clone(), 412),
        (Method::PUT, new.clone(), any(), 412),
        (Method::GET, new.clone(), new.clone(), 304),
        (Method::GET, any(), old.clone(), 200),
        (Method::GET, old.clone(), new.clone(), 412),
        (Method::PATCH, any(), old.clone(), 200),
    ] {
        let headers = vec![("if-match", matching.clone()), ("if-none-match", none_matching.clone())];
        let answered = with(method.clone(), headers, link.to_owned()).await;
        assert_eq!(answered, status, "{method} {matching} {none_matching}");
    }
    let version = format!("{link}?documentVersion=0");
    for (name, tag, status) in [
        ("if-none-match", old.clone(), 304),
        ("if-none-match", any(), 304),
        ("if-none-match", new.clone(), 200),
        ("if-match", old, 200),
        ("if-match", new, 412),
    ] {
        assert_eq!(with(Method::GET, vec![(name, tag.clone())], version.clone()).await, status, "{name}: {tag}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_object_says_nothing_and_is_refused_by_whatever_action() {
    let host = host_with(&["counter", "duties", "presence"]).await;
    let client = host.client();
    for factory in ["/core/counters", "/core/diaries", "/presences"] {
        client.post(factory, &json!({ "documentSelfLink": "d", "name": "d" })).await.expect(201);
        let link = format!("{factory}/d");
        for body in ["[1]", "[]", "\"x\"", "3", "null", "true"] {
            for (method, path) in
                [(Method::DELETE, &*link), (Method::PATCH, &*link), (Method::PUT, &*link), (Method::POST, factory)]
            {
                let json = [("content-type", "application/json")];
                let refused = client.send(method.clone(), path, &json, body).await.expect("an answer");
                assert!([400, 405].contains(&refused.status.as_u16()), "{method} {path} {body}: {}", refused.status);
            }
        }
        client.get(&link).await.expect(200);
        client.with_headers(Method::DELETE, &link, &[], &json!({})).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integer_that_is_merged_in_is_one_that_its_guest_can_read() {
    let host = host_with(&["presence"]).await;
    let client = host.client();
    let created = client.post("/presences", &json!({ "documentSelfLink": "a", "name": "Ada" })).await.expect(201);
    let json = [("content-type", "application/json")];
    let mut tag = created.header("etag").to_owned();
    for (mood, stored) in [("2.0", "2"), ("1e0", "1"), ("30e-1", "3"), ("-0.0", "0")] {
        let headers = [json[0], ("if-match", tag.as_str())];
        let body = format!(r#"{{"mood":{mood}}}"#);
        let merged = client.send(Method::PATCH, "/presences/a", &headers, body).await.expect("an answer").expect(200);
        let text = String::from_utf8_lossy(&merged.body).into_owned();
        assert!(text.contains(&format!(r#""mood":{stored},"#)), "{mood}: {text}");
        merged.header("etag").clone_into(&mut tag);
        // What was read can be sent back.
        let again = client.with_headers(Method::PUT, "/presences/a", &[("if-match", &tag)], &merged.json()).await;
        again.expect(200).header("etag").clone_into(&mut tag);
    }
    for wrong in ["2.5", "2.00000000000000000001"] {
        let headers = [json[0], ("if-match", tag.as_str())];
        let body = format!(r#"{{"mood":{wrong}}}"#);
        let refused = client.send(Method::PATCH, "/presences/a", &headers, body).await.expect("an answer").expect(400);
        assert_eq!(refused.json()["errors"][0]["pointer"], "/mood", "{wrong}");
    }
}
