//! How long a request waits, and that its answer says so: `Prefer: wait` (RFC 7240).

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::{Answer, Client};
use steward_tests::wait;

use crate::{host_with, host_with_flags};

/// Far longer than anybody here waits.
const DEADLINE: &str = "120s";

async fn preferring(client: &Client, method: Method, path: &str, prefer: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("prefer", prefer)];
    client.send(method, path, &headers, body.to_owned()).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_as_long_as_its_client_says_and_tells_how_long_that_was() {
    let host = host_with_flags(&["misbehave"], &["--shutdown-grace", "1s", "--guest-deadline", DEADLINE]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let mut stream = TcpStream::connect(client.base().trim_start_matches("http://")).expect("a connection");
    let loops = "PATCH /core/misbehave/m HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{\"do\":\"loop\"}";
    stream.write_all(loops.as_bytes()).expect("it is taken");
    wait::until("the loop has the turn", || async {
        let answer = preferring(client, Method::PATCH, "/core/misbehave/m", "wait=0", "{}").await;
        (answer.status == 503).then_some(())
    })
    .await;
    // Names are in any case, parameters belong to their preference, and of two the first one counts.
    for prefer in ["wait=2", "respond-async; wait=9, Wait=2, wait=50", "handling=\"a,wait=50\", wait=\"2\""] {
        let began = Instant::now();
        let late = preferring(client, Method::PATCH, "/core/misbehave/m", prefer, "{}").await;
        assert_eq!(late.header("preference-applied"), "wait=2");
        let problem = late.expect(503).json();
        assert!(problem["detail"].as_str().is_some_and(|told| told.starts_with("waited 2 s for ")), "{problem}");
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_how_long_to_wait_is_told_that_it_was_heard_wherever_somebody_waits() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let task =
        json!({ "querySpec": { "query": { "term": { "propertyName": "count", "matchValue": "1" } } } }).to_string();
    for (method, path, body) in [
        (Method::GET, "/core/counters/c", ""),
        (Method::HEAD, "/core/counters/c", ""),
        (Method::PATCH, "/core/counters/c", "{}"),
        (Method::PUT, "/core/counters/c", "{}"),
        (Method::POST, "/core/counters", "{}"),
        (Method::GET, "/core/counters", ""),
        (Method::GET, "/core/counters?$filter=count%20gt%200", ""),
        (Method::POST, "/core/query-tasks", &task),
    ] {
        let answer = preferring(client, method.clone(), path, "wait=7", body).await;
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.status);
        assert_eq!(answer.header("preference-applied"), "wait=7", "{method} {path}");
    }
    let both = preferring(client, Method::PATCH, "/core/counters/c", "return=minimal, wait=7", "{}").await;
    assert_eq!(both.header("preference-applied"), "return=minimal, wait=7");
    let longest = preferring(client, Method::GET, "/core/counters/c", "wait=100000", "").await;
    assert_eq!(longest.header("preference-applied"), "wait=900");
    for path in ["/core/management", "/core/counters/c/stats"] {
        let at_once = preferring(client, Method::GET, path, "wait=7", "").await;
        assert_eq!(at_once.header("preference-applied"), "", "{path}: nothing there waits");
    }
    let plain = client.with_headers(Method::GET, "/core/counters/c", &[], &Value::Null).await;
    assert_eq!(plain.header("preference-applied"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_is_on_its_way_is_not_given_up_for_a_short_wait() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let created = preferring(client, Method::POST, "/core/counters", "wait=0", r#"{"documentSelfLink":"c"}"#).await;
    created.expect(201);
    for count in 1..=50 {
        let changed = preferring(client, Method::PATCH, "/core/counters/c", "wait=0", r#"{"by":1}"#).await;
        assert_eq!(changed.expect(200).json()["count"], count);
    }
}
