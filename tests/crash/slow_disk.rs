//! A slow disk: while one fsync takes seconds, clients send more than the log may hold in memory. Afterwards everything
//! goes on.

use std::time::Duration;

use http::Method;
use serde_json::json;
use steward_tests::client::Client;
use steward_tests::disk::{Call, Fault, Wrong};
use steward_tests::wait;

use crate::rig::{Rig, component};

/// How long the slow fsync takes.
const SLOW: Duration = Duration::from_secs(2);

/// Clients, the bytes of the document of each, and its updates: together more than waits for the log at any time.
const CLIENTS: u64 = 8;
const DOCUMENT_BYTES: usize = 900_000;
const UPDATES: u64 = 30;

/// How long running operations may go on after a stop.
const GRACE: &str = "5s";

/// Longest time that the process takes to end: its grace, and what a busy machine needs for the rest.
const END_WITHIN: Duration = Duration::from_secs(30);

async fn update(client: Client, number: u64) {
    for turn in 0..UPDATES {
        let headers = [("content-type", "application/json"), ("prefer", "wait=0")];
        let body = json!({ "counter": turn }).to_string();
        let path = format!("/core/examples/d{number}");
        let answer = client.send(Method::PATCH, &path, &headers, body).await.expect("an answer");
        // Taken, or refused because too much is under way.
        assert!(answer.status.is_success() || answer.status.is_server_error(), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_fsync_under_large_updates_delays_and_stops_nothing() {
    let Some(mut rig) = Rig::new(&["--shutdown-grace", GRACE]) else { return };
    let examples = component("examples").await;
    rig.start().expect("the host starts");
    let client = rig.host.client().clone();
    client.deploy(&examples, None).await;
    let text = "x".repeat(DOCUMENT_BYTES);
    for number in 0..CLIENTS {
        let body = json!({ "documentSelfLink": format!("d{number}"), "name": text });
        client.post("/core/examples", &body).await.expect(201);
    }
    let data = rig.host.data();
    let log = format!("{}/log-*/*.log", data.file_name().expect("a name").to_string_lossy());
    rig.disk.set_faults(vec![Fault::once(Call::SyncFile, &log, 0, Wrong::Slow(SLOW))]);
    let clients: Vec<_> = (0..CLIENTS).map(|number| tokio::spawn(update(Client::new(client.base()), number))).collect();
    for task in clients {
        task.await.expect("every update is answered");
    }
    assert_eq!(rig.disk.struck(), 1, "one fsync was slow");

    client.get("/health/live").await.expect(200);
    wait::until("updates are taken again", || async {
        let answer = client.patch("/core/examples/d0", &json!({ "counter": UPDATES })).await;
        (answer.status == 200).then_some(())
    })
    .await;
    client.get("/core/examples").await.expect(200);
    rig.host.ask_to_stop().expect("the host can be asked");
    let host = std::sync::Mutex::new(&mut rig.host);
    let ended = || async { host.lock().is_ok_and(|mut host| !host.runs()).then_some(()) };
    let stopped = tokio::time::timeout(END_WITHIN, wait::until("the process ends", ended)).await;
    assert!(stopped.is_ok(), "the host did not end within {END_WITHIN:?} after SIGTERM");
}
