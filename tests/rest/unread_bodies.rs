//! A request that is refused before its body was read still gets its answer.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use crate::{host_with, host_with_flags};

/// Bytes of a body that fits into no buffer of a socket, so that most of it is on its way when the host refuses.
const LARGE: usize = 16 << 20;

/// How long a client waits for its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Sends a whole request before it reads anything, as simple clients do, and returns the response as text.
fn write_then_read(stream: &mut TcpStream, head: &str, body: &[u8]) -> String {
    stream.set_read_timeout(Some(ANSWER_WITHIN)).expect("a timeout");
    stream.write_all(head.as_bytes()).expect("the head is taken");
    for piece in body.chunks(64 << 10) {
        stream.write_all(piece).expect("the body is taken");
    }
    let mut read = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).expect("the answer");
        assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&read);
        let length = |head: &str| {
            let line = head.lines().find(|line| line.starts_with("content-length:"))?;
            line.split_once(':')?.1.trim().parse::<usize>().ok()
        };
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= length(head).unwrap_or(0)
        {
            return text.into_owned();
        }
    }
}

fn head(request: &str, more: &str, body: usize) -> String {
    let mut head = format!("{request} HTTP/1.1\r\nhost: localhost\r\n{more}");
    let _ = write!(head, "content-length: {body}\r\n\r\n");
    head
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_all_before_reading_gets_the_refusal_and_keeps_the_connection() {
    let host = host_with_flags(&["examples"], &["--max-request-bytes", "64KiB"]).await;
    let address = host.client().base().trim_start_matches("http://").to_owned();
    let exchanges = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let body = vec![b' '; LARGE];
        let json = "content-type: application/json\r\n";
        for (request, headers, status) in [
            ("POST /core/examples", json, 413),
            ("POST /core/examples", "content-encoding: lzma\r\n", 415),
            ("POST /core/examples", "content-type: application/merge-patch+json\r\n", 415),
            ("POST /core/examples", "idempotency-key:\r\n", 400),
            ("TRACE /core/examples", "", 405),
            ("GET /core/examples", "", 200),
        ] {
            let answer = write_then_read(&mut stream, &head(request, headers, LARGE), &body);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request} {headers}: {answer}");
        }
        let created = write_then_read(&mut stream, &head("POST /core/examples", json, 12), br#"{"name":"n"}"#);
        assert!(created.starts_with("HTTP/1.1 201 "), "{created}");
    });
    exchanges.await.expect("all are answered");
    assert_eq!(host.client().get("/core/examples").await.expect(200).json()["documentCount"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_first_whether_to_send_a_body_is_refused_without_it() {
    let host = host_with(&["examples"]).await;
    let address = host.client().base().trim_start_matches("http://").to_owned();
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let asks = "content-type: application/json\r\nexpect: 100-continue\r\n";
        let refused = write_then_read(&mut stream, &head("POST /core/examples", asks, LARGE), b"");
        assert!(refused.starts_with("HTTP/1.1 413 "), "the body is never asked for: {refused}");
    });
    exchange.await.expect("refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_head_decides_is_refused_before_the_body_is_asked_for() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    client.post("/core/examples", &json!({ "name": "n", "documentSelfLink": "e" })).await.expect(201);
    let address = client.base().trim_start_matches("http://").to_owned();
    let exchanges = tokio::task::spawn_blocking(move || {
        let json = "content-type: application/json\r\n";
        for (request, headers, status) in [
            ("POST /core/exampels", json, 404),
            ("PATCH /core/examples/none", json, 404),
            ("PUT /core/examples", json, 405),
            ("POST /core/query-task", json, 404),
            ("PUT /core/query-tasks", json, 405),
            ("POST /core/examples", "content-type: text/plain\r\n", 415),
            ("POST /core/examples", "", 415),
            ("POST /core/query-tasks", "", 415),
            ("POST /core/modules", json, 415),
            ("POST /core/examples", "content-type: application/json\r\ncontent-encoding: br\r\n", 415),
            ("POST /core/examples?consistency=local", json, 400),
            ("PATCH /core/examples/e", "content-type: application/json\r\nif-match: \"9-9\"\r\n", 412),
            ("PATCH /core/examples/none", "content-type: application/json\r\nif-match: *\r\n", 404),
        ] {
            let mut stream = TcpStream::connect(&address).expect("a connection");
            let asks = format!("{headers}expect: 100-continue\r\n");
            let answer = write_then_read(&mut stream, &head(request, &asks, 12), b"");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request} {headers}: {answer}");
            // The client may send its body or not; so nothing else can follow on this connection, and that is said.
            assert!(answer.contains("\r\nconnection: close\r\n"), "{request}: {answer}");
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).expect("it is closed");
            assert!(rest.is_empty(), "{request}: {:?}", String::from_utf8_lossy(&rest));
        }
        let mut stream = TcpStream::connect(&address).expect("a connection");
        let asks = format!("{json}expect: 100-continue\r\n");
        for (request, status) in [("PATCH /core/examples/e", 200), ("POST /core/examples", 201)] {
            let asked = write_then_read(&mut stream, &head(request, &asks, 12), b"");
            assert!(asked.starts_with("HTTP/1.1 100 "), "{asked}");
            stream.write_all(br#"{"name":"m"}"#).expect("the body is taken");
            let answer = write_then_read(&mut stream, "", b"");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "and the connection goes on: {answer}");
        }
    });
    exchanges.await.expect("all are answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_here_meets_is_expected_in_vain_and_said_at_once() {
    let host = host_with(&["examples"]).await;
    let address = host.client().base().trim_start_matches("http://").to_owned();
    let exchanges = tokio::task::spawn_blocking(move || {
        for expected in
            ["100-continue, foo", "foo", "100-continue\r\nexpect: foo", "100-continue\r\nexpect: 100-continue"]
        {
            let mut stream = TcpStream::connect(&address).expect("a connection");
            let asks = format!("content-type: application/json\r\nexpect: {expected}\r\n");
            let answer = write_then_read(&mut stream, &head("POST /core/examples", &asks, 12), b"");
            assert!(answer.starts_with("HTTP/1.1 417 ") && answer.contains(r#""code":"expectation""#), "{answer}");
        }
        let mut stream = TcpStream::connect(&address).expect("a connection");
        let asks = "content-type: application/json\r\nexpect: 100-Continue\r\n";
        let asked = write_then_read(&mut stream, &head("POST /core/examples", asks, 12), b"");
        assert!(asked.starts_with("HTTP/1.1 100 "), "in any case: {asked}");
    });
    exchanges.await.expect("all are answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_reach_clients_of_http_2_too() {
    let host = host_with(&["examples"]).await;
    let base = host.client().base().to_owned();
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    for round in 0..8 {
        let body = Full::new(Bytes::from(vec![b' '; LARGE]));
        let request = Request::post(format!("{base}/core/examples")).header("content-type", "application/json");
        let response = client.request(request.body(body).expect("a request")).await.expect("a response");
        assert_eq!(response.status().as_u16(), 413, "round {round}");
    }
    host.client().post("/core/examples", &json!({ "name": "n" })).await.expect(201);
}
