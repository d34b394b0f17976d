//! Writers and readers of counters on all nodes, whatever happens to those.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::json;
use steward_tests::client::Client;
use tokio::task::JoinHandle;

use crate::history::{History, Told};

/// Pause of a client before it asks again after a failure.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Clients of some counters; each counter has a writer and a reader on every node.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<(usize, History, Longest)>>,
    counters: usize,
}

/// The longest time that a client had to wait between two answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Longest(pub(crate) Duration);

fn path(counter: usize) -> String {
    format!("/core/counters/c{counter}")
}

impl Load {
    /// Creates counters, and begins to work on them through all of these nodes.
    pub(crate) async fn begin(nodes: &[Client], counters: usize) -> Load {
        for counter in 0..counters {
            let body = json!({ "documentSelfLink": format!("c{counter}") });
            nodes[counter % nodes.len()].post("/core/counters", &body).await.expect(201);
        }
        let mut load = Load { over: Arc::default(), clients: Vec::new(), counters };
        load.also_through(nodes);
        load
    }

    /// Goes on through these nodes too.
    pub(crate) fn also_through(&mut self, nodes: &[Client]) {
        for counter in 0..self.counters {
            for node in nodes {
                for adds in [true, false] {
                    let client = Worker { client: node.clone(), counter, adds, over: Arc::clone(&self.over) };
                    self.clients.push(tokio::spawn(client.work()));
                }
            }
        }
    }

    /// Ends the work, and returns the history of each counter, and the longest wait of any client.
    pub(crate) async fn end(self) -> (Vec<History>, Duration) {
        self.over.store(true, Ordering::Release);
        let mut histories: Vec<History> = (0..self.counters).map(|_| History::default()).collect();
        let mut longest = Longest::default();
        for client in self.clients {
            let (counter, history, waited) = client.await.expect("a client does not panic");
            histories[counter].told.extend(history.told);
            histories[counter].unknown.extend(history.unknown);
            histories[counter].refused.extend(history.refused);
            longest = longest.max(waited);
        }
        (histories, longest.0)
    }
}

/// Judges that every request was answered, and for sure.
///
/// # Panics
/// If one was refused, or its outcome is unknown.
pub(crate) fn all_answered(histories: &[History]) {
    let told = histories.iter().flat_map(|history| history.unknown.iter().chain(&history.refused));
    let failed: Vec<&String> = told.collect();
    assert!(failed.is_empty(), "{} requests were not answered: {failed:?}", failed.len());
}

/// Judges what happened to all counters, which are read through `client`; returns how many additions were acknowledged.
///
/// # Panics
/// If something happened that cannot have.
pub(crate) async fn judge(histories: &[History], client: &Client) -> usize {
    let mut acknowledged = 0;
    for (counter, history) in histories.iter().enumerate() {
        let last = client.get(&path(counter)).await.expect(200).json();
        let sum = last["count"].as_u64().expect("a sum");
        if let Err(reason) = history.judge(sum) {
            panic!("counter {counter}: {reason}");
        }
        assert_eq!(last["documentVersion"], sum, "each addition makes a version: {last}");
        acknowledged += history.told.iter().filter(|told| told.adds).count();
    }
    acknowledged
}

struct Worker {
    client: Client,
    counter: usize,
    adds: bool,
    over: Arc<AtomicBool>,
}

impl Worker {
    async fn work(self) -> (usize, History, Longest) {
        let (mut history, mut longest, mut answered) = (History::default(), Longest::default(), None);
        while !self.over.load(Ordering::Acquire) {
            let began = Instant::now();
            match self.ask().await {
                Asked::Told(sum) => {
                    let ended = Instant::now();
                    history.told.push(Told { began, ended, sum, adds: self.adds });
                    if let Some(before) = answered.replace(ended) {
                        longest = longest.max(Longest(ended - before));
                    }
                }
                Asked::Nothing(told) => {
                    history.refused.push(format!("after {:?}: {told}", began.elapsed()));
                    tokio::time::sleep(PAUSE).await;
                }
                Asked::Unknown(told) => {
                    history.unknown.extend(self.adds.then(|| format!("after {:?}: {told}", began.elapsed())));
                    tokio::time::sleep(PAUSE).await;
                }
                // Its own node is away: what it waits for says nothing about the group.
                Asked::Away => {
                    answered = None;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        (self.counter, history, longest)
    }

    async fn ask(&self) -> Asked {
        let headers = [("content-type", "application/json")];
        let method = if self.adds { Method::PATCH } else { Method::GET };
        let body = if self.adds { "{}" } else { "" };
        let path = path(self.counter);
        let asked = self.client.send(method, &path, &headers, body);
        let answer = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if format!("{error:?}").contains("ConnectError") => return Asked::Away,
            Ok(Err(error)) => return Asked::Unknown(format!("{error:?}")),
            Err(_) => return Asked::Unknown("no answer".to_owned()),
        };
        let document = answer.json();
        match answer.status.as_u16() {
            200 => Asked::Told(document["count"].as_u64().expect("a sum")),
            503 if document["outcome"] == "none" => Asked::Nothing(document.to_string()),
            503 => Asked::Unknown(document.to_string()),
            other => panic!("{other}: {document}"),
        }
    }
}

enum Asked {
    Told(u64),
    /// It did not happen: what the client was told.
    Nothing(String),
    /// It may have happened: what the client was told.
    Unknown(String),
    /// Nobody listens at the node.
    Away,
}
