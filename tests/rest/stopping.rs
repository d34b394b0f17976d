//! How a host ends while guests run.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use steward_tests::host::Host;
use steward_tests::wait;

use crate::host_with_flags;

/// Far longer than a stop may take.
const DEADLINE: &str = "120s";

/// The grace, the moment after it, and the time that a busy machine takes for both.
const ENDED_WITHIN: Duration = Duration::from_secs(30);

/// Returns a host with a short grace in which a guest loops for as long as it may.
async fn looping() -> (Host, TcpStream) {
    let host = host_with_flags(&["misbehave"], &["--shutdown-grace", "1s", "--guest-deadline", DEADLINE]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let mut stream = TcpStream::connect(client.base().trim_start_matches("http://")).expect("a connection");
    let request = "PATCH /core/misbehave/m HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{\"do\":\"loop\"}";
    stream.write_all(request.as_bytes()).expect("it is taken");
    wait::until("the loop has the turn", || async {
        let hasty = [("prefer", "wait=1")];
        let answer = client.with_headers(Method::PATCH, "/core/misbehave/m", &hasty, &json!({})).await;
        (answer.status == 503).then_some(())
    })
    .await;
    (host, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_ends_in_order_a_moment_after_the_grace_though_a_guest_loops() {
    let (mut host, _stream) = looping().await;
    let began = Instant::now();
    let in_order = tokio::task::block_in_place(|| host.stop()).expect("a status");
    assert!(in_order && began.elapsed() < ENDED_WITHIN, "{:?}, {}", began.elapsed(), host.log());
    assert!(!host.log().contains("panicked"), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_a_client_stops_does_not_wait_for_guests_either() {
    let (mut host, _stream) = looping().await;
    let began = Instant::now();
    host.client().with_headers(Method::DELETE, "/core/management", &[], &Value::Null).await.expect(202);
    let in_order = tokio::task::block_in_place(|| host.ended()).expect("a status");
    assert!(in_order && began.elapsed() < ENDED_WITHIN, "{:?}, {}", began.elapsed(), host.log());
    assert!(!host.log().contains("panicked"), "{}", host.log());
}
