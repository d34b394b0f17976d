//! Kills the host between the commit of an effect, its sending, its answer and its settlement: no effect is lost, and
//! none is applied twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::variable::number;
use steward_tests::wait;

use crate::{Random, host_with};

/// Kills of one run when nothing else is said.
const KILLS: u64 = 100;

/// Longest time between a start and the kill after it, in milliseconds.
const LIFE_MILLIS_MAX: u64 = 200;

/// Documents that send effects, and documents that get them.
const RELAYS: usize = 4;
const TARGETS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn effects_are_carried_out_exactly_once_across_kills() {
    let kills = number("STEWARD_CRASH_EFFECT_KILLS", KILLS);
    let mut random = Random::new(number("STEWARD_CRASH_SEED", 1) + 77);
    let mut host = host_with(&["counter", "relay"], &[]).await;
    for target in 0..TARGETS {
        host.client().post("/core/counters", &json!({ "documentSelfLink": format!("t{target}") })).await.expect(201);
    }
    for relay in 0..RELAYS {
        host.client().post("/core/relays", &json!({ "documentSelfLink": format!("r{relay}") })).await.expect(201);
    }
    for kill in 0..kills {
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..RELAYS)
            .map(|relay| tokio::spawn(send(Client::new(host.client().base()), relay, Arc::clone(&stop))))
            .collect();
        // The instant of the kill is the point of the test, not a wait for something.
        tokio::time::sleep(Duration::from_millis(random.below(LIFE_MILLIS_MAX))).await;
        host.kill();
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            sender.await.expect("a sender does not panic");
        }
        tokio::task::block_in_place(|| host.restart()).unwrap_or_else(|error| panic!("kill {kill}: {error:#}"));
    }
    settled(host.client()).await;
    let sent = total(host.client(), "/core/relays", "sent").await;
    let received = total(host.client(), "/core/counters", "count").await;
    assert_eq!(sent, received, "effects were lost or applied twice over {kills} kills");
    assert!(sent > kills, "only {sent} effects were sent");
    println!("{kills} kills, {sent} effects, each applied once");
}

async fn send(client: Client, relay: usize, stop: Arc<AtomicBool>) {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        let body = json!({ "to": format!("/core/counters/t{}", turn % TARGETS), "by": 1 }).to_string();
        let headers = [("content-type", "application/json")];
        let path = format!("/core/relays/r{relay}");
        if client.send(Method::PATCH, &path, &headers, body).await.is_err() {
            return;
        }
        turn += 1;
    }
}

/// Returns once no effect is pending.
async fn settled(client: &Client) {
    wait::until("all effects are settled", || async {
        let partitions = client.get("/core/partitions").await.json();
        (partitions["pendingEffects"] == 0).then_some(())
    })
    .await;
}

async fn total(client: &Client, factory: &str, field: &str) -> u64 {
    let listed = client.get(&format!("{factory}?expand")).await.expect(200).json();
    let documents = listed["documents"].as_object().expect("documents are expanded");
    documents.values().filter_map(|document: &Value| document[field].as_u64()).sum()
}
