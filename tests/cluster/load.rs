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
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// How long a client waits for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Clients of some counters; each counter has a writer and a reader on every node.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<(usize, History, Longest)>>,
    /// Where the counters are.
    paths: Vec<String>,
}

/// The longest time that a client had to wait between two answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Longest(pub(crate) Duration);

impl Load {
    /// Creates counters, and begins to work on them through all of these nodes.
    pub(crate) async fn begin(nodes: &[Client], counters: usize) -> Load {
        Load::begin_on(nodes, "/core/counters", (0..counters).map(|counter| format!("c{counter}"))).await
    }

    /// Creates documents of these names that count, and begins to work on them through all of these nodes.
    pub(crate) async fn begin_on(nodes: &[Client], factory: &str, names: impl Iterator<Item = String>) -> Load {
        let mut load = Load { over: Arc::default(), clients: Vec::new(), paths: Vec::new() };
        for (node, name) in nodes.iter().cycle().zip(names) {
            node.post(factory, &json!({ "documentSelfLink": name })).await.expect(201);
            load.paths.push(format!("{factory}/{name}"));
        }
        load.also_through(nodes);
        load
    }

    /// Goes on through these nodes too.
    pub(crate) fn also_through(&mut self, nodes: &[Client]) {
        for (counter, path) in self.paths.iter().enumerate() {
            for node in nodes {
                for adds in [true, false] {
                    let (client, path, over) = (node.clone(), path.clone(), Arc::clone(&self.over));
                    self.clients.push(tokio::spawn(Worker { client, counter, path, adds, over }.work()));
                }
            }
        }
    }

    /// Ends the work, and returns the history of each counter, and the longest wait of any client.
    pub(crate) async fn end(self) -> (Vec<History>, Duration) {
        self.over.store(true, Ordering::Release);
        let named = |path| History { path, ..History::default() };
        let mut histories: Vec<History> = self.paths.into_iter().map(named).collect();
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
    for history in histories {
        let last = client.get(&history.path).await.expect(200).json();
        let sum = last["count"].as_u64().expect("a sum");
        if let Err(reason) = history.judge(sum) {
            panic!("{}: {reason}", history.path);
        }
        let versions = last["documentVersion"].as_u64().expect("a version");
        // Handlers that start at a new owner may make some, too.
        let has_others = history.path.starts_with("/core/ledgers/") && versions > sum;
        assert!(versions == sum || has_others, "each addition makes a version: {last}");
        acknowledged += history.told.iter().filter(|told| told.adds).count();
    }
    acknowledged
}

struct Worker {
    client: Client,
    counter: usize,
    path: String,
    adds: bool,
    over: Arc<AtomicBool>,
}

impl Worker {
    async fn work(self) -> (usize, History, Longest) {
        let (mut history, mut longest, mut answered) = (History::default(), Longest::default(), None);
        while !self.over.load(Ordering::Acquire) {
            let began = Instant::now();
            match self.ask().await {
                Asked::Told { sum, by } => {
                    let ended = Instant::now();
                    history.told.push(Told { began, ended, sum, adds: self.adds, by });
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
        let asked = self.client.send(method, &self.path, &headers, body);
        let answer = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if format!("{error:?}").contains("ConnectError") => return Asked::Away,
            Ok(Err(error)) => return Asked::Unknown(format!("{error:?}")),
            Err(_) => return Asked::Unknown("no answer".to_owned()),
        };
        let document = answer.json();
        match answer.status.as_u16() {
            200 => {
                let who = ["x-steward-owner", "x-steward-epoch", "x-request-id"].map(|name| answer.header(name));
                let by = format!("{} asked, {who:?}, version {}", self.client.base(), document["documentVersion"]);
                Asked::Told { sum: document["count"].as_u64().expect("a sum"), by }
            }
            503 if document["outcome"] == "none" => Asked::Nothing(document.to_string()),
            503 => Asked::Unknown(document.to_string()),
            other => panic!("{other}: {document}"),
        }
    }
}

enum Asked {
    Told {
        sum: u64,
        by: String,
    },
    /// It did not happen: what the client was told.
    Nothing(String),
    /// It may have happened: what the client was told.
    Unknown(String),
    /// Nobody listens at the node.
    Away,
}
