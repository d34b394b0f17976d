//! What one client or one guest may take of a node: bounded, counted, and refused in words.

use std::io::Write;
use std::net::TcpStream;

use serde_json::json;
use steward_tests::wait;

use crate::host_with_flags;

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_hold_no_more_memory_than_they_may() {
    // Each answer is more than the buffers of a socket take, and two are more than the node may hold.
    let host = host_with_flags(&["examples"], &["--answer-bytes", "32MiB"]).await;
    let client = host.client();
    for number in 0..24 {
        let body = json!({ "documentSelfLink": format!("n{number}"), "name": "x".repeat(900_000) });
        client.post("/core/examples", &body).await.expect(201);
    }
    client.get("/core/examples?expand").await.expect(200);
    let mut silent = TcpStream::connect(client.base().trim_start_matches("http://")).expect("a connection");
    silent.write_all(b"GET /core/examples?expand HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is taken");
    wait::until("its answer is held", || async {
        (client.get("/metrics").await.expect(200).measured("steward_http_answer_bytes") > 2e7).then_some(())
    })
    .await;
    let refused = client.get("/core/examples?expand").await.expect(503);
    assert_eq!(refused.header("retry-after"), "1");
    let problem = refused.json();
    assert_eq!(problem["code"], "overloaded");
    assert!(problem["hints"].to_string().contains("--answer-bytes"), "{problem}");
    client.get("/core/examples/n1").await.expect(200);
    client.patch("/core/examples/n1", &json!({ "counter": 1 })).await.expect(200);
    let metrics = client.get("/metrics").await.expect(200);
    assert_eq!(metrics.counted("steward_http_answers_refused_total"), 1);
    drop(silent);
    wait::until("it is let go", || async { (client.get("/core/examples?expand").await.status == 200).then_some(()) })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_logs_without_end_writes_no_more_than_it_may() {
    let host = host_with_flags(&["upgrade-before"], &["--guest-log-lines", "3"]).await;
    let client = host.client();
    client.post("/core/ledgers", &json!({ "documentSelfLink": "l" })).await.expect(201);
    for _ in 0..60 {
        client.patch("/core/ledgers/l", &json!({ "work": 0 })).await.expect(200);
    }
    let dropped = client.get("/metrics").await.expect(200).counted("steward_guest_lines_dropped_total");
    assert!(dropped > 0, "60 lines take less than 20 seconds");
    let written = host.log().matches("guest: work begins").count() as u64;
    assert_eq!(written + dropped, 60);
    wait::until("the log tells what is missing", || async {
        client.patch("/core/ledgers/l", &json!({ "work": 0 })).await.expect(200);
        host.log().contains("log lines of guests were dropped").then_some(())
    })
    .await;
}
