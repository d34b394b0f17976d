//! Services that break: one call fails, with words that help its author, and the next one is served.

use futures_util::future::join_all;
use serde_json::{Value, json};
use steward_tests::client::Client;

use crate::Examination;
use crate::languages::{Language, Word};

/// Flags of a host on which a call that never returns is given up soon.
const IMPATIENT: [&str; 2] = ["--guest-deadline", "4s"];

/// What never returns, in all languages.
const LOOPS: Word = ("loop", &["guest-deadline"]);

/// How many of them compute at the same time; the smallest machine has one worker more.
const AT_ONCE: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_breaks_is_told_with_file_and_line_and_harms_no_other() {
    let examination = Examination::begin(&IMPATIENT).await;
    let client = examination.host.client();
    let mounted = examination.mount("failing", |language| language.failing.made).await;
    for (language, factory) in &mounted {
        client.post(factory, &json!({ "documentSelfLink": "a" })).await.expect(201);
        let failing = language.failing;
        let problem = fails(client, language, factory, failing.breaks, 500).await;
        let place = format!("{}:", failing.file);
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(&place)), "{problem}");
        fails(client, language, factory, failing.hoards, 500).await;
        fails(client, language, factory, failing.recurses, 500).await;
    }
    // Each of them takes the whole time that it is given, so several take it together: as many as a host has workers for.
    for together in mounted.chunks(AT_ONCE) {
        join_all(together.iter().map(|(language, factory)| fails(client, language, factory, LOOPS, 504))).await;
    }
}

/// Tells a service to fail, and returns the problem; the next request is served.
async fn fails(client: &Client, language: &Language, factory: &str, (word, codes): Word, status: u16) -> Value {
    let link = format!("{factory}/a");
    let answer = client.patch(&link, &json!({ language.failing.field: word })).await;
    assert_eq!(answer.status, status, "{}, {word}: {}", language.name, String::from_utf8_lossy(&answer.body));
    let problem = answer.json();
    assert!(codes.contains(&problem["code"].as_str().unwrap_or_default()), "{}, {word}: {problem}", language.name);
    client.patch(&link, &json!({})).await.expect(200);
    problem
}
