//! Requests that say something nobody understands: refused with what may have been meant, and not answered as if they had not said it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;

use crate::host_with;

/// Asks for what is refused with 400; returns the problem.
async fn refused(client: &Client, path: &str) -> Value {
    let answer = client.get(path).await;
    assert_eq!(answer.status, 400, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn query_parameters_that_nobody_reads_are_refused() {
    let host = host_with(&["counter", "greeting"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    for (path, words) in [
        ("/core/counters?room=12", "there is no query parameter room"),
        ("/core/counters?$limt=2", "$limt"),
        ("/core/counters?expnd", "did you mean expand?"),
        ("/core/counters/c?verbose", "there is no query parameter verbose"),
        ("/core/counters/c?documentversion=0", "documentversion"),
        ("/core/counters/c/history?first=1", "first"),
        ("/core/counters/c/stats?x", "there is no query parameter x"),
        ("/core/factories?all", "all"),
        ("/core/management?x=1", "x"),
        ("/?x", "x"),
        ("/metrics?x=1", "there is no query parameter x"),
        ("/health/live?verbose", "verbose"),
        ("/health/ready?verbos", "there is no query parameter verbos here"),
        ("/health/startup?x", "x"),
    ] {
        let problem = refused(client, path).await;
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{path}: {problem}");
    }
    for path in ["/core/counters/c?documentVersion=0", "/core/counters?expand&$limit=2", "/core/factories?expand"] {
        client.get(path).await.expect(200);
    }
    assert_ne!(client.get("/greeting?anything=goes").await.status, 400, "what guests read is theirs");
    let erased = client.delete("/core/counters/c?erase").await.expect(404).json();
    assert_eq!(erased["code"], "not-offered", "it must not be taken for a plain DELETE");
    client.get("/core/counters/c").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_said_once_and_where_they_mean_something() {
    let host = host_with(&["counter", "examples"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    for (method, path, words) in [
        (Method::PATCH, "/core/counters/c?documentVersion=999", "is for GET"),
        (Method::POST, "/core/counters?documentVersion=1", "is for GET"),
        (Method::PUT, "/core/counters/c?documentVersion=0", "is for GET"),
        (Method::DELETE, "/core/counters/c?%64ocumentVersion=0", "is for GET"),
        (Method::DELETE, "/core/counters/c?foo", "there is no query parameter foo"),
    ] {
        let refused = client.with_headers(method.clone(), path, &[], &json!({})).await.expect(400).json();
        assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{method} {path}: {refused}");
    }
    // Where a handler of the service answers, it may read them all, whatever the method.
    client.post("/core/counters", &json!({ "documentSelfLink": "other" })).await.expect(201);
    client.patch("/core/counters/other?foo", &json!({})).await.expect(200);
    for path in [
        "/core/counters/c?documentVersion=0&documentVersion=0",
        "/core/counters?expand&expand",
        "/core/counters?$limit=1&$limit=2",
        "/core/counters/c/history?limit=1&limit=2",
        "/core/counters?expand=x",
        "/core/factories?expand=x",
    ] {
        refused(client, path).await;
    }
    for path in [
        "/core/partitions?verify=ture",
        "/core/partitions?verify=1",
        "/health/ready?verbose=yes",
        "/health/startup?verbose=0",
    ] {
        let problem = refused(client, path).await;
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("write true or false")), "{problem}");
    }
    assert!(client.get("/health/ready?verbose=false").await.expect(200).json()["checks"].is_null());
    assert!(client.get("/health/ready?verbose=true").await.expect(200).json()["checks"].is_array());
    // What was misspelt must not be taken for the thing itself.
    let media = [("content-type", "application/wasm")];
    let typed =
        client.send(Method::POST, "/core/modules?dryRun=flase", &media, "x").await.expect("an answer").expect(400);
    assert!(
        typed.json()["detail"].as_str().is_some_and(|detail| detail.contains("dryRun is \"flase\"")),
        "{:?}",
        typed.json()
    );
    for (path, expands) in [("expand=false", false), ("expand=true", true), ("$limit=1&$expand=false", false)] {
        let listed = client.get(&format!("/core/counters?{path}")).await.expect(200).json();
        assert_eq!(listed["documents"].is_object(), expands, "{path}: {listed}");
    }
    assert_eq!(client.get("/core/counters/c").await.expect(200).json()["documentVersion"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_could_mean_two_things_are_refused() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let keys = [("idempotency-key", "a"), ("idempotency-key", "b")];
    client.with_headers(Method::PATCH, "/core/counters/c", &keys, &json!({})).await.expect(400);
    for types in [["application/json", "text/plain"], ["text/plain", "application/json"], ["application/json"; 2]] {
        let twice = types.map(|media| ("content-type", media));
        let refused =
            client.send(Method::PATCH, "/core/counters/c", &twice, "{}").await.expect("an answer").expect(400);
        assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("Content-Type is there twice")));
    }
    let foreign = [("content-type", "application/json; charset=utf-16")];
    client.send(Method::PATCH, "/core/counters/c", &foreign, "{}").await.expect("an answer").expect(415);
    // What is not understood is another fault than what could be read in two ways.
    let framings =
        [("gzip, chunked", 501), ("chunked, chunked", 400), ("gzip\r\ntransfer-encoding: chunked", 501), ("x", 400)];
    for (framing, status) in framings {
        let base = client.base().trim_start_matches("http://").to_owned();
        let head = "PATCH /core/counters/c HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
        let request = format!("{head}transfer-encoding: {framing}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
        let answer = tokio::task::spawn_blocking(move || said(&base, &request)).await.expect("an answer");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{framing}: {answer}");
    }
    assert_eq!(client.get("/core/counters/c").await.expect(200).json()["documentVersion"], 0, "nothing happened");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_keeps_of_its_own_is_not_changed_under_a_condition() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let factory = "/core/factories/core/counters";
    for (method, path, body) in [
        (Method::DELETE, factory, json!({})),
        (Method::PATCH, factory, json!({ "rollback": true })),
        (Method::PATCH, "/core/node-groups/default", json!({ "membershipQuorum": 1 })),
        (Method::DELETE, "/core/counters/effects", json!({})),
        (Method::POST, "/core/query-tasks", json!({})),
    ] {
        for (header, name) in [("if-match", "If-Match"), ("if-none-match", "If-None-Match")] {
            let answer = client.with_headers(method.clone(), path, &[(header, "\"1-7\"")], &body).await;
            let problem = answer.expect(400).json();
            assert!(problem["message"].as_str().is_some_and(|told| told.contains(name)), "{method} {path}: {problem}");
        }
    }
    let conditions = [("if-none-match", "*")];
    client.send(Method::GET, factory, &conditions, "").await.expect("an answer").expect(200);
    client.post("/core/counters", &json!({})).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_faults_than_can_be_listed_are_refused_all_the_same() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let values: serde_json::Map<String, Value> = (0..50_000).map(|n| (format!("k{n}"), json!(n))).collect();
    let problem = client.post("/core/examples", &json!({ "name": "n", "keyValues": values })).await.expect(400).json();
    assert!(problem.to_string().contains("too many values"), "{}", problem["errors"]);
    let long = json!({ "name": "n", "keyValues": { "k": vec!["x".repeat(5000)] } });
    let problem = client.post("/core/examples", &long).await.expect(400).json();
    assert!(problem.to_string().len() < 3000, "what was found is quoted in short: {problem}");
    client.post("/core/examples", &json!({ "name": "n" })).await.expect(201);
}

/// Sends a request as it is; returns what comes until the other end closes.
fn said(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is closed");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_nobody_has_are_told_those_of_the_resource() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let brew = Method::from_bytes(b"BREW").expect("a method");
    for path in ["/core/counters", "/core/counters/c", "/core/management", "/core/counters/stats"] {
        let offered = client.send(Method::OPTIONS, path, &[], "").await.expect("an answer");
        let refused = client.send(brew.clone(), path, &[], "").await.expect("an answer").expect(405);
        assert_eq!(refused.header("allow"), offered.header("allow"), "{path}");
    }
    client.send(brew, "/core/nowhere", &[], "").await.expect("an answer").expect(404);
    let base = client.base().trim_start_matches("http://").to_owned();
    let whole = "OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = tokio::task::spawn_blocking(move || said(&base, whole)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 204 ") && answer.contains("allow: GET"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_as_a_whole_is_asked_over_http_2_too() {
    let host = host_with(&[]).await;
    let base = host.client().base().trim_start_matches("http://").to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        // Fields without names from the table of HPACK, each with its length: method, path, scheme http, authority.
        let fields = b"\x02\x07OPTIONS\x04\x01*\x86\x01\x09localhost";
        let mut asked = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
        asked.extend_from_slice(&[0, 0, u8::try_from(fields.len()).expect("short"), 1, 5, 0, 0, 0, 1]);
        asked.extend_from_slice(fields);
        let mut stream = TcpStream::connect(base).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        stream.write_all(&asked).expect("it is taken");
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).expect("a frame");
            let mut content = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
            stream.read_exact(&mut content).expect("its content");
            if head[3] == 1 {
                return content;
            }
        }
    });
    let fields = answer.await.expect("an answer");
    assert_eq!(fields[0], 0x89, "the field :status 204 of the table: {fields:x?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_no_state_has_are_refused_with_the_nearest_name() {
    let host = host_with(&["counter", "todo"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    for (query, words) in [
        ("$filter=cuont%20eq%201", "did you mean count?"),
        ("$filter=step%20gt%201%20and%20not%20(nope%20eq%20'x')", "there is no field nope"),
        ("$orderby=nope", "there is no field nope"),
        ("$select=stpe", "did you mean step?"),
        ("$filter=count%20eq%20'12'", "field count is a number and cannot be compared with a text"),
        ("$filter=documentVersion%20eq%20'1'", "field documentVersion is a number"),
        ("$filter=startswith(count,'1')", "field count is a number"),
    ] {
        let problem = refused(client, &format!("/core/counters?{query}")).await;
        assert_eq!(problem["code"], "query", "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{query}: {problem}");
        assert!(problem["field"].is_string(), "{problem}");
    }
    let text = refused(client, "/core/todos?$filter=title%20eq%2012").await;
    assert!(text["detail"].as_str().is_some_and(|detail| detail.contains("single quotes")), "{text}");
    let whole = refused(client, "/core/todos?$filter=items%20eq%20'x'").await;
    let told =
        "field items is a list of objects, which is compared with nothing: name a field inside it, such as items.";
    assert!(whole["detail"].as_str().is_some_and(|detail| detail.starts_with(told)), "{whole}");
    for query in ["$filter=items.text%20eq%20'x'", "$filter=items.item.text%20eq%20'x'", "$filter=title%20ne%20null"] {
        client.get(&format!("/core/todos?{query}")).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn query_tasks_are_held_to_the_fields_of_the_kind_that_they_ask_for() {
    let host = host_with(&["counter", "todo"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c", "step": 7 })).await.expect(201);
    let task = |term: Value| {
        let kind =
            json!({ "occurance": "MUST_OCCUR", "term": { "propertyName": "documentKind", "matchValue": "counter" } });
        let clauses = json!([kind, { "occurance": "MUST_OCCUR", "term": term }]);
        json!({ "taskInfo": { "isDirect": true }, "querySpec": { "query": { "booleanClauses": clauses } } })
    };
    let ask = |term: Value| async move { client.post("/core/query-tasks", &task(term)).await };
    let unknown = ask(json!({ "propertyName": "stpe", "matchValue": "7" })).await.expect(400).json();
    assert!(unknown["detail"].as_str().is_some_and(|detail| detail.contains("did you mean step?")), "{unknown}");
    ask(json!({ "propertyName": "step", "matchValue": "x", "propertyType": "STRING" })).await.expect(400);
    // A value whose type is not said is tried as each that it may have.
    let found = ask(json!({ "propertyName": "step", "matchValue": "7" })).await.expect(200).json();
    assert_eq!(found["results"]["documentLinks"], json!(["/core/counters/c"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_creates_anew_what_was_deleted_is_told_the_number_and_the_header() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let named = |more: Value| {
        let mut body = json!({ "documentSelfLink": "c" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    client.post("/core/counters", &named(json!({}))).await.expect(201);
    client.patch("/core/counters/c", &json!({})).await.expect(200);
    client.delete("/core/counters/c").await.expect(200);
    let problem = client.post("/core/counters", &named(json!({}))).await.expect(409).json();
    assert_eq!((&problem["code"], &problem["currentVersion"]), (&json!("marked-deleted"), &json!(2)), "{problem}");
    let hints = problem["hints"].to_string();
    assert!(hints.contains(r#"\"documentVersion\": 3"#) && hints.contains("Pragma: xn-force-index-update"), "{hints}");
    client.post("/core/counters", &named(json!({ "documentVersion": 3 }))).await.expect(201);
    client.delete("/core/counters/c").await.expect(200);
    let pragma = [("pragma", "xn-force-index-update")];
    client.with_headers(Method::POST, "/core/counters", &pragma, &named(json!({}))).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_body_is_told_at_once() {
    let host = host_with(&["counter", "examples"]).await;
    let client = host.client();
    let pointers = |problem: Value| {
        let mut pointers: Vec<String> = problem["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|error| error["pointer"].as_str().map(str::to_owned))
            .collect();
        pointers.sort_unstable();
        pointers
    };
    let created = client.post("/core/counters", &json!({ "count": "x", "step": 0 })).await.expect(400).json();
    assert!(
        created["detail"].as_str().is_some_and(|detail| detail.starts_with("count must be an integer")),
        "{created}"
    );
    assert_eq!(pointers(created), ["/count", "/step"]);
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let replaced = client.put("/core/counters/c", &json!({ "count": -1, "step": "y" })).await.expect(400).json();
    assert_eq!(pointers(replaced), ["/count", "/step"]);
    let one = client.patch("/core/counters/c", &json!({ "by": 0 })).await.expect(400).json();
    assert_eq!(pointers(one), ["/by"]);
    client.post("/core/examples", &json!({ "documentSelfLink": "e", "name": "n" })).await.expect(201);
    let patched = json!({ "counter": "many", "tags": 7 });
    let patched = client.patch("/core/examples/e", &patched).await.expect(400).json();
    assert_eq!(pointers(patched), ["/counter", "/tags"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_there_is_refused_with_those_that_are() {
    let host = host_with(&["counter", "greeting"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    // It is refused first: what its query, its headers or its body say, nobody would read anyhow.
    let wrong: [(&[(&str, &str)], &str); 8] = [
        (&[], ""),
        (&[("if-match", "junk")], ""),
        (&[("if-none-match", "\"1-0")], ""),
        (&[("prefer", "wait=soon")], ""),
        (&[("x-xenon-rpl-quorum", "most")], ""),
        (&[("idempotency-key", "a"), ("idempotency-key", "b")], ""),
        (&[("content-type", "text/plain")], "x"),
        (&[("content-type", "application/json"), ("content-encoding", "br")], "{"),
    ];
    for (method, path, allowed) in [
        ("POST", "/core/counters/c", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("POST", "/core/counters/c?x=1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("POST", "/core/counters/c?atLeast=1-1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("QUERY", "/core/counters/c?x=1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("DELETE", "/core/counters?x=1", "GET, HEAD, POST, OPTIONS"),
        ("PATCH", "/core/counters/c/stats?x=1", "GET, HEAD, OPTIONS"),
        ("PATCH", "/core/counters/c/effects?x=1", "GET, HEAD, DELETE, OPTIONS"),
        ("PUT", "/core/factories?x=1", "GET, HEAD, POST, OPTIONS"),
        ("PUT", "/core/factories/core/counters?x=1", "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("PATCH", "/core/modules/00ff?x=1", "GET, HEAD, DELETE, OPTIONS"),
        ("GET", "/core/replays?x=1", "POST, OPTIONS"),
        ("PUT", "/core/query-tasks?x=1", "GET, HEAD, POST, QUERY, OPTIONS"),
        ("PUT", "/core/management?x=1", "GET, HEAD, DELETE, OPTIONS"),
        ("DELETE", "/core/node-groups/default?x=1", "GET, HEAD, PATCH, OPTIONS"),
        ("POST", "/core/partitions?lane=odd", "GET, HEAD, OPTIONS"),
        ("PUT", "/core/migrations/core/counters?x=1", "GET, HEAD, POST, OPTIONS"),
        ("POST", "/metrics?x=1", "GET, HEAD, OPTIONS"),
        ("POST", "/health/ready?x=1", "GET, HEAD, OPTIONS"),
        ("POST", "/?x=1", "GET, HEAD, OPTIONS"),
        ("PUT", "/greeting/ada?x=1", "GET, HEAD, POST, OPTIONS"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        for (headers, body) in wrong {
            let answer = client.send(method.clone(), path, headers, body).await.expect("an answer").expect(405);
            assert_eq!(answer.header("allow"), allowed, "{method} {path} {headers:?}");
            let listed: Vec<&str> = allowed.split(", ").collect();
            assert_eq!(answer.json()["allowed"], json!(listed), "{method} {path} {headers:?}");
        }
        let bare = path.split('?').next().expect("a path");
        let options = client.send(Method::OPTIONS, bare, &[], "").await.expect("an answer");
        assert!(options.status.is_success() && options.header("allow") == allowed, "OPTIONS {bare}: {options:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_leads_programs_and_people_on() {
    let host = host_with(&["counter", "presence"]).await;
    let client = host.client();
    let root = client.get("/").await.expect(200).json();
    assert_eq!(root["links"]["templates"]["/core/counters"], "/core/counters/template");
    for (_, link) in root["links"].as_object().expect("links").iter().filter(|(_, link)| link.is_string()) {
        client.get(link.as_str().expect("a link")).await.expect(200);
    }
    let below = client.get("/core").await.expect(200).json();
    let listed = below["documentLinks"].to_string();
    assert!(listed.contains("/core/counters") && !listed.contains("/presences"), "{below}");
    let browser = [("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")];
    let page = client.send(Method::GET, "/", &browser, "").await.expect("an answer").expect(200);
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let text = String::from_utf8_lossy(&page.body).into_owned();
    assert!(text.contains(r#"<a href="/core/counters/template">"#) && text.contains(r#"href="/metrics""#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_no_object_at_any_depth() {
    let host = host_with(&["examples", "duties"]).await;
    let client = host.client();
    client.post("/core/examples", &json!({ "documentSelfLink": "e", "name": "before" })).await.expect(201);
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    for body in [json!([{ "a": "b" }, 99, "pos", ["t"], 0]), json!([])] {
        let problem = client.patch("/core/examples/e", &body).await.expect(400).json();
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("a JSON object")), "{problem}");
    }
    let nested = json!({ "note": "x", "letters": [["/core/diaries/d", "n"]] });
    let problem = client.patch("/core/diaries/d", &nested).await.expect(400).json();
    assert_eq!(problem["errors"][0]["pointer"], "/letters/0", "{problem}");
    assert_eq!(client.get("/core/examples/e").await.expect(200).json()["name"], "before");
    let letters = json!({ "note": "x", "letters": [{ "to": "/core/diaries/d", "note": "n" }] });
    client.patch("/core/diaries/d", &letters).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_itself_takes_objects_where_it_says_so() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let before = client.get("/core/node-groups/default").await.expect(200).json()["membershipQuorum"].clone();
    let term = json!(["documentKind", "x"]);
    for (method, path, body) in [
        (Method::PATCH, "/core/node-groups/default", json!(["UpdateQuorumRequest", 1, true])),
        (Method::POST, "/core/factories", json!(["/core/x", "00"])),
        (Method::POST, "/core/query-tasks", json!([{ "isDirect": true }])),
        (Method::POST, "/core/query-tasks", json!({ "querySpec": [[]] })),
        (Method::POST, "/core/query-tasks", json!({ "querySpec": { "query": { "term": term } } })),
    ] {
        let problem = client.with_headers(method, path, &[], &body).await.expect(400).json();
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("an object")), "{path}: {problem}");
    }
    let after = client.get("/core/node-groups/default").await.expect(200).json()["membershipQuorum"].clone();
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_the_host_are_judged_by_the_host_in_every_update() {
    let host = host_with(&["counter", "examples"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    client.post("/core/examples", &json!({ "documentSelfLink": "e", "name": "n" })).await.expect(201);
    for (method, path) in
        [(Method::PATCH, "/core/counters/c"), (Method::PUT, "/core/counters/c"), (Method::PATCH, "/core/examples/e")]
    {
        for wrong in [json!("x"), json!(1.5), json!(true)] {
            let body = json!({ "documentExpirationTimeMicros": wrong });
            let problem = client.with_headers(method.clone(), path, &[], &body).await.expect(400).json();
            assert_eq!(problem["errors"][0]["pointer"], "/documentExpirationTimeMicros", "{method} {path}: {problem}");
        }
    }
    let sourced = json!({ "documentSelfLink": "s", "documentSourceLink": "/core/elsewhere/a" });
    let created = client.post("/core/counters", &sourced).await.expect(201).json();
    assert_eq!(created["documentSourceLink"].as_str().unwrap_or_default(), "", "{created}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_in_another_character_set_matches_nothing_and_the_others_count() {
    let host = host_with(&["counter"]).await;
    host.client().post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let tag = host.client().get("/core/counters/c").await.expect(200).header("etag").to_owned();
    let base = host.client().base().trim_start_matches("http://").to_owned();
    let request = format!(
        "GET /core/counters/c HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nif-none-match: \"\u{e9}\", {tag}\r\n\r\n"
    );
    let answer = tokio::task::spawn_blocking(move || said(&base, &request)).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 304 "), "{answer}");
}
