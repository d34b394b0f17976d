//! Requests that browsers send for pages of strangers, and names that are not this node's.

use std::io::{Read, Write};
use std::net::TcpStream;

use http::{Method, Request, Version};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use steward_tests::client::{Answer, Client};

use crate::{host_with, host_with_flags};

/// Sends a request as it is written here; returns status and problem.
async fn raw(client: &Client, request: String) -> (u16, Value) {
    let address = client.base().trim_start_matches("http://").to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.write_all(request.as_bytes()).expect("it is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    });
    let answer = answer.await.expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_default())
}

async fn with_hosts(client: &Client, hosts: &[&str]) -> (u16, Value) {
    let lines: String = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
    raw(client, format!("GET /core/counters HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_another_host_is_refused_whatever_it_asks() {
    let host = host_with_flags(&["counter"], &["--host-names", "api.example,other.example"]).await;
    let client = host.client();
    let port = client.base().rsplit(':').next().expect("a port").to_owned();
    let own =
        ["localhost", "LOCALHOST", "127.0.0.1", "127.0.0.1:1", "127.9.9.9", "[::1]", "api.example", "Other.example:80"];
    for name in own.map(str::to_owned).into_iter().chain([format!("localhost:{port}")]) {
        assert_eq!(with_hosts(client, &[&name]).await.0, 200, "{name}");
    }
    for name in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "10.1.2.3", "[fe80::1]"] {
        let (status, problem) = with_hosts(client, &[name]).await;
        assert_eq!((status, &problem["code"]), (421, &json!("misdirected")), "{name}: {problem}");
        assert!(problem["hints"].to_string().contains("--host-names"), "{problem}");
        assert!(problem["requestId"].is_string());
    }
    let updates = [
        ("POST", "/core/counters"),
        ("POST", "/core/modules"),
        ("DELETE", "/core/management"),
        ("GET", "/metrics"),
        ("OPTIONS", "/core/counters"),
        ("BREW", "/"),
    ];
    for (method, path) in updates {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        assert_eq!(raw(client, request).await.0, 421, "{method} {path}");
    }
    assert_eq!(client.get("/core/counters").await.expect(200).json()["documentCount"], 0);
    assert!(client.get("/metrics").await.expect(200).counted("steward_http_strangers_total") >= 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_its_host_once() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let several: [&[&str]; 9] = [
        &[],
        &["localhost", "localhost"],
        &["localhost", "evil.example"],
        &[""],
        &["a b"],
        &["me@localhost"],
        &["localhost:x"],
        &["[127.0.0.1]"],
        &["[localhost]:80"],
    ];
    for hosts in several {
        let (status, problem) = with_hosts(client, hosts).await;
        assert_eq!((status, &problem["code"]), (400, &json!("bad-request")), "{hosts:?}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with("header Host ")), "{problem}");
    }
    let old = "GET /core/counters HTTP/1.0\r\n\r\n".to_owned();
    assert_eq!(raw(client, old).await.0, 200, "HTTP/1.0 knows no such header");
    let target =
        "GET http://evil.example/core/counters HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned();
    assert_eq!(raw(client, target).await.0, 421, "the target prevails over the header");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_a_path_or_an_address_of_a_scheme_that_is_spoken_here() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    for (method, target, status, code) in [
        ("GET", "http://localhost/core/counters", 200, ""),
        ("GET", "https://localhost/core/counters", 421, "misdirected"),
        ("POST", "https://localhost/core/counters", 421, "misdirected"),
        ("GET", "ftp://localhost/core/counters", 421, "misdirected"),
        ("GET", "http://evil.example/core/counters", 421, "misdirected"),
        ("GET", "http://user:word@localhost/core/counters", 400, "bad-request"),
        ("GET", "localhost:80", 400, "bad-request"),
        ("POST", "localhost:80", 400, "bad-request"),
    ] {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let (answered, problem) = raw(client, request).await;
        assert_eq!((answered, problem["code"].as_str().unwrap_or_default()), (status, code), "{target}: {problem}");
        assert!(!problem.to_string().contains("word@"), "{problem}");
    }
    // An address in full prevails over the header (RFC 9112, section 3.2.2), which still has to be there, once.
    for (hosts, status) in [
        ("Host: evil.example\r\n", 200),
        ("", 400),
        ("Host: localhost\r\nHost: localhost\r\n", 400),
        ("Host: \r\n", 200),
    ] {
        let request = format!("GET http://localhost/core/counters HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let (answered, problem) = raw(client, request).await;
        assert_eq!(answered, status, "{hosts:?}: {problem}");
    }
    for faulty in ["localhost:65536", "localhost:99999", "localhost:8o"] {
        let (status, problem) = with_hosts(client, &[faulty]).await;
        assert_eq!((status, &problem["code"]), (400, &json!("bad-request")), "{faulty}: {problem}");
    }
    let (status, problem) = raw(client, "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n".to_owned()).await;
    assert_eq!((status, &problem["code"]), (405, &json!("method-not-allowed")), "{problem}");
    assert_eq!(problem["detail"], "this host does not support CONNECT");
    assert_eq!(client.get("/core/counters").await.expect(200).json()["documentCount"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_of_http2_is_a_host_too() {
    let host = host_with(&["counter"]).await;
    let base = host.client().base().to_owned();
    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    for (said, status) in [(None, 200), (Some("evil.example"), 400)] {
        let mut request = Request::get(format!("{base}/core/counters")).version(Version::HTTP_2);
        if let Some(said) = said {
            request = request.header("host", said);
        }
        let response =
            hyper.request(request.body(Empty::<Bytes>::new()).expect("a request")).await.expect("a response");
        assert_eq!(response.status().as_u16(), status, "{said:?}");
    }
}

async fn from(client: &Client, origin: &str, method: Method, path: &str, more: &[(&str, &str)]) -> Answer {
    let headers = [&[("origin", origin)], more].concat();
    client.send(method, path, &headers, "").await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_foreign_origin_changes_nothing() {
    let host = host_with_flags(&["counter"], &["--cors-origin", "https://ours.example"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let own = client.base().to_owned();
    for origin in
        ["http://evil.example", "null", "https://ours.example.evil", "http://127.0.0.1:1", "http://ours.example"]
    {
        for (method, path) in [
            (Method::POST, "/core/counters"),
            (Method::PATCH, "/core/counters/c"),
            (Method::PUT, "/core/counters/c"),
            (Method::DELETE, "/core/counters/c"),
            (Method::DELETE, "/core/management"),
            (Method::POST, "/core/modules"),
            (Method::PATCH, "/core/node-groups/default"),
        ] {
            let refused = from(client, origin, method.clone(), path, &[]).await.expect(403);
            assert_eq!(refused.json()["code"], "foreign-origin", "{origin} {method} {path}");
            assert_eq!(refused.header("access-control-allow-origin"), "");
        }
        from(client, origin, Method::GET, "/core/counters/c", &[]).await.expect(200);
    }
    assert_eq!(client.get("/core/counters").await.expect(200).json()["documentCount"], 1);
    assert_eq!(client.get("/core/counters/c").await.expect(200).json()["documentVersion"], 0);
    from(client, &own, Method::PATCH, "/core/counters/c", &[]).await.expect(200);
    let key = [("idempotency-key", "k")];
    from(client, "https://ours.example", Method::PATCH, "/core/counters/c", &key).await.expect(200);
    let again = from(client, "https://ours.example", Method::PATCH, "/core/counters/c", &key).await.expect(200);
    assert_eq!(again.header("idempotency-replayed"), "true");
    let exposed: Vec<&str> = again.header("access-control-expose-headers").split(',').map(str::trim).collect();
    for wanted in [
        "allow",
        "deprecation",
        "etag",
        "idempotency-replayed",
        "link",
        "location",
        "preference-applied",
        "retry-after",
        "sunset",
        "warning",
        "x-request-id",
        "x-steward-copy",
        "x-steward-epoch",
        "x-steward-owner",
        "x-steward-position",
    ] {
        assert!(exposed.contains(&wanted), "{wanted}: {exposed:?}");
    }
    // Those of a copy are there to be exposed.
    let copied = from(client, "https://ours.example", Method::GET, "/core/counters/c?consistency=local", &[]).await;
    assert!(!copied.header("x-steward-position").is_empty() && !copied.header("x-steward-copy").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_a_browser_sends_without_asking_are_no_way_in() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain;charset=UTF-8",
    ] {
        for (path, body) in
            [("/core/counters", ""), ("/core/counters", "{}"), ("/core/query-tasks", "{}"), ("/core/modules", "x")]
        {
            let sent = client.send(Method::POST, path, &[("content-type", media)], body).await.expect("an answer");
            assert_eq!(sent.status, 415, "{media} {path} {body:?}");
        }
    }
    assert_eq!(client.get("/core/counters").await.expect(200).json()["documentCount"], 0);
}
