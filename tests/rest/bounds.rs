//! What one client or one guest may take of a node: bounded, counted, and refused in words.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;

use serde_json::json;
use steward_tests::{build, wait};

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

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_do_not_end_hold_no_more_memory_than_they_may() {
    let flags = ["--body-bytes", "2MiB", "--module-bytes", "2MiB", "--max-request-bytes", "1MiB"];
    let host = host_with_flags(&["examples"], &flags).await;
    let client = host.client();
    let place = client.base().trim_start_matches("http://").to_owned();
    let unfinished = || {
        let mut stream = TcpStream::connect(&place).expect("a connection");
        let head = "POST /core/examples HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000001\r\n\r\n";
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&[b' '; 1_000_000])).expect("it is taken");
        stream
    };
    let held = [unfinished(), unfinished()];
    wait::until("the bodies have arrived", || async {
        let metrics = client.get("/metrics").await.expect(200);
        (metrics.measured("steward_http_body_bytes") >= 2e6).then_some(metrics)
    })
    .await;
    let large = json!({ "name": "x".repeat(200_000) });
    let refused = client.post("/core/examples", &large).await.expect(503);
    assert_eq!(refused.header("retry-after"), "1");
    let problem = refused.json();
    assert_eq!(problem["code"], "overloaded", "{problem}");
    assert!(problem["hints"].to_string().contains("--body-bytes"), "{problem}");
    // What is small goes on, and so does everything when the others are gone.
    client.post("/core/examples", &json!({ "name": "small" })).await.expect(201);
    let metrics = client.get("/metrics").await.expect(200);
    assert_eq!(metrics.counted("steward_http_bodies_refused_total"), 1);
    drop(held);
    wait::until("there is room again", || async {
        (client.post("/core/examples", &large).await.status == 201).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_are_bounded_and_health_is_answered_beyond() {
    let host = host_with_flags(&["misbehave"], &["--requests", "1", "--guest-deadline", "30s"]).await;
    let client = host.client().clone();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let busy = tokio::spawn({
        let client = client.clone();
        async move { client.patch("/core/misbehave/m", &json!({ "do": "loop" })).await }
    });
    wait::until("it is under way", || async {
        let metrics = client.get("/metrics").await.expect(200);
        (metrics.measured("steward_http_requests_under_way") as u64 == 1).then_some(())
    })
    .await;
    let problem = client.get("/core/misbehave/m").await.expect(503).json();
    assert_eq!(problem["code"], "overloaded", "{problem}");
    assert!(problem["hints"].to_string().contains("--requests"), "{problem}");
    client.get("/health/live").await.expect(200);
    busy.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_for_a_document_are_counted() {
    let host = host_with_flags(&["misbehave"], &["--guest-deadline", "30s"]).await;
    let client = host.client();
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let mut busy = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let client = client.clone();
        busy.spawn(async move { client.patch("/core/misbehave/m", &json!({ "do": "loop" })).await });
    }
    wait::until("one is at work and two wait", || async {
        let metrics = client.get("/metrics").await.expect(200);
        (metrics.measured("steward_waiting{queue=\"document\"}") as u64 == 2).then_some(())
    })
    .await;
    busy.abort_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_has_much_to_send_adds_no_more_than_it_may() {
    // A document may have a sixteenth.
    let host = host_with_flags(&["duties"], &["--pending-effects", "160"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    client.post("/core/diaries", &json!({ "documentSelfLink": "other" })).await.expect(201);
    let timers = |count: usize| {
        let timer = json!({ "to": "/core/diaries/other", "note": "n", "delayMillis": 3_600_000 });
        json!({ "note": "asked", "letters": vec![timer; count] })
    };
    client.patch("/core/diaries/d", &timers(6)).await.expect(200);
    let refused = client.patch("/core/diaries/d", &timers(5)).await.expect(429);
    assert_eq!(refused.header("retry-after"), "1");
    let problem = refused.json();
    assert_eq!(problem["code"], "too-many-effects");
    assert!(
        problem["detail"].as_str().is_some_and(|text| text.starts_with("/core/diaries/d has 6 effects")),
        "{problem}"
    );
    assert!(problem["hints"].to_string().contains("--pending-effects"), "{problem}");
    let diary = client.get("/core/diaries/d").await.expect(200).json();
    assert_eq!(diary["notes"], json!(["asked"]), "nothing of the refused update is there");
    // What adds nothing is taken, and so is what others add.
    client.patch("/core/diaries/d", &json!({ "note": "more" })).await.expect(200);
    client.patch("/core/diaries/d", &timers(4)).await.expect(200);
    client.patch("/core/diaries/other", &timers(9)).await.expect(200);
    let metrics = client.get("/metrics").await.expect(200);
    let pending = "steward_effects_pending{service=\"/core/diaries\",kind=\"timer\"}";
    assert_eq!(metrics.measured(pending) as u64, 19);
    // An operator gives them up, and the document may have others.
    let dropped = client.delete("/core/diaries/d/effects").await.expect(200).json();
    assert_eq!(dropped["givenUpCount"], 10, "{dropped}");
    assert_eq!(client.get("/core/diaries/d/effects").await.expect(200).json()["pendingCount"], 0);
    assert_eq!(client.get("/core/diaries/other/effects").await.expect(200).json()["pendingCount"], 9);
    client.patch("/core/diaries/d", &timers(10)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_drops_what_all_documents_of_a_factory_have_to_send() {
    let host = host_with_flags(&["duties", "misbehave"], &[]).await;
    let client = host.client();
    let letter = |tag: &str| json!({ "to": "/core/diaries/d0", "note": "n", "delayMillis": 3_600_000, "tag": tag });
    for number in 0..20 {
        client.post("/core/diaries", &json!({ "documentSelfLink": format!("d{number}") })).await.expect(201);
        let letters = json!({ "letters": [letter("a"), letter("b"), letter("b")] });
        client.patch(&format!("/core/diaries/d{number}"), &letters).await.expect(200);
    }
    client.delete("/core/misbehave/effects?tga=b").await.expect(400);
    assert_eq!(client.delete("/core/misbehave/effects").await.expect(200).json()["givenUpCount"], 0);
    let tagged = client.delete("/core/diaries/effects?tag=b").await.expect(200).json();
    assert_eq!(tagged["givenUpCount"], 40, "{tagged}");
    assert_eq!(client.get("/core/diaries/effects").await.expect(200).json()["pendingCount"], 20);
    let base = client.base().to_owned();
    let dropped = tokio::task::spawn_blocking(move || {
        let mut steward = Command::new(build::steward().expect("steward builds"));
        steward.env("STEWARD_URL", base).args(["effects", "/core/diaries", "--drop", "--yes"]);
        steward.output().expect("steward runs")
    });
    let dropped = dropped.await.expect("no panic");
    let printed = String::from_utf8_lossy(&dropped.stdout).into_owned();
    assert!(printed.starts_with("Gave up 20 of /core/diaries"), "{printed}");
    assert_eq!(client.get("/core/diaries/effects").await.expect(200).json()["pendingCount"], 0);
    // What was given up is not sent later either, nor counted against whoever sends next.
    let metrics = client.get("/metrics").await.expect(200);
    assert_eq!(metrics.measured("steward_effects_pending{service=\"/core/diaries\",kind=\"timer\"}") as u64, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_answers_each_effect_with_more_ends_at_its_bound() {
    let host = host_with_flags(&["duties"], &["--pending-effects", "1600"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "hydra" })).await.expect(201);
    client.post("/core/diaries", &json!({ "documentSelfLink": "witness" })).await.expect(201);
    let head = json!({ "to": "/core/diaries/hydra", "note": "n", "heads": 3 });
    client.patch("/core/diaries/hydra", &json!({ "letters": [head] })).await.expect(200);
    wait::until("it has all that it may have", || async {
        let pending = client.get("/core/diaries/hydra/effects").await.expect(200).json();
        (pending["pendingCount"].as_u64().unwrap_or(0) >= 98).then_some(())
    })
    .await;
    // Others send meanwhile.
    let letter = json!({ "to": "/core/diaries/witness", "note": "came" });
    client.patch("/core/diaries/witness", &json!({ "letters": [letter] })).await.expect(200);
    wait::until("a letter of another document comes", || async {
        let witness = client.get("/core/diaries/witness").await.expect(200).json();
        (witness["notes"] == json!(["came"])).then_some(())
    })
    .await;
    client.delete("/core/diaries/hydra/effects").await.expect(200);
    wait::until("nothing is pending after it was given up", || async {
        client.delete("/core/diaries/hydra/effects").await.expect(200);
        let pending = client.get("/core/diaries/hydra/effects").await.expect(200).json();
        (pending["pendingCount"] == 0).then_some(())
    })
    .await;
}
