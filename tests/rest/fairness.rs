//! Guests that loop: how much time the node and other services still get.

use std::time::{Duration, Instant};

use serde_json::json;
use steward_tests::client::Client;

use crate::host_with_flags;

/// Within this time a node that lives says so, nearly always.
const LIVE_WITHIN: Duration = Duration::from_millis(100);

/// And always: shorter than any loop, and long enough for a machine that is busy with other tests.
const LIVE_WITHIN_ALWAYS: Duration = Duration::from_millis(600);

/// How long calls took.
#[derive(Debug)]
struct Took {
    median: Duration,
    most: Duration,
    longest: Duration,
}

/// Makes calls one after the other; `most` is what 19 of 20 did not exceed.
async fn timed<F: Future<Output = ()>>(calls: usize, mut call: impl FnMut() -> F) -> Took {
    let mut took = Vec::new();
    for _ in 0..calls {
        let began = Instant::now();
        call().await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    Took { median: took[calls / 2], most: took[calls * 19 / 20], longest: took[calls - 1] }
}

async fn live(client: &Client) {
    client.get("/health/live").await.expect(200);
}

async fn count(client: &Client) {
    client.patch("/core/counters/c", &json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_that_loop_to_their_deadline_hold_up_neither_the_node_nor_other_services() {
    let host = host_with_flags(&["misbehave", "counter"], &["--guest-deadline", "2s"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let links: Vec<String> = (0..100).map(|n| format!("/core/misbehave/m{n}")).collect();
    for (n, link) in links.iter().enumerate() {
        client.post("/core/misbehave", &json!({ "documentSelfLink": format!("m{n}") })).await.expect(201);
        // The module proves quick, and so does each document's call begin.
        client.patch(link, &json!({})).await.expect(200);
    }
    for _ in 0..200 {
        client.patch(&links[0], &json!({})).await.expect(200);
    }
    let calm = timed(100, || count(client)).await;
    let mut loops = tokio::task::JoinSet::new();
    for link in links {
        let client = client.clone();
        loops.spawn(async move {
            let answer = client.patch(&link, &json!({ "do": "loop" })).await;
            (
                answer.status.as_u16(),
                answer.json()["code"].as_str().unwrap_or_default().to_owned(),
                answer.header("retry-after").to_owned(),
            )
        });
    }
    let live = timed(300, || live(client)).await;
    let busy = timed(300, || count(client)).await;
    let told = format!("alive {live:?}; PATCH calm {calm:?}, busy {busy:?}");
    assert!(!loops.is_empty());
    assert!(live.most < LIVE_WITHIN && live.longest < LIVE_WITHIN_ALWAYS, "{told}");
    // Twice, and what the scheduler of a machine with two processors takes for three busy threads.
    assert!(busy.median < calm.median * 2 + Duration::from_millis(20), "{told}");
    eprintln!("{told}");
    while let Some(ended) = loops.join_next().await {
        match ended.expect("no panic") {
            (504, code, _) => assert_eq!(code, "guest-deadline"),
            (503, code, retry) => assert!(code == "overloaded" && !retry.is_empty(), "{code} {retry}"),
            (status, code, _) => panic!("{status} {code}"),
        }
    }
}
