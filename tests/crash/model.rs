//! What clients were told about each document, and whether the host still knows it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use http::Method;
use serde_json::{Value, json};
use steward_tests::client::{Answer, Client};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::Random;

/// Clients that update at the same time; each has documents of its own.
const WRITERS: usize = 8;

/// Documents of one writer.
const DOCUMENTS: u64 = 6;

/// Versions that a counter keeps.
const HISTORY: usize = 1000;

/// What is known about one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// The last acknowledged version.
    version: u64,
    /// The last acknowledged update deleted the document.
    deleted: bool,
    /// An update was sent whose answer did not come: it may be there or not; true in the second place if it deletes.
    open: Option<bool>,
}

type Documents = BTreeMap<String, Known>;

pub(crate) struct Model {
    writers: Vec<Arc<Mutex<Documents>>>,
    seed: u64,
    lives: u64,
    failures: Failures,
}

/// What an answer means that the host has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failures {
    /// The host is wrong: nothing around it failed.
    Never,
    /// The update may be there or not, and its document is left alone until that is known.
    Allowed,
}

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Ends the clients.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.expect("a writer does not panic");
        }
    }
}

impl Model {
    pub(crate) fn new(seed: u64, failures: Failures) -> Model {
        Model { writers: (0..WRITERS).map(|_| Arc::default()).collect(), seed, lives: 0, failures }
    }

    /// Returns how many updates were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        let writers = self.writers.iter().filter_map(|writer| writer.try_lock().ok());
        writers.map(|documents| documents.values().map(|known| known.version + 1).sum::<u64>()).sum()
    }

    /// Starts clients that update until they are stopped or the host is gone.
    pub(crate) fn load(&mut self, client: &Client) -> Load {
        self.lives += 1;
        let (stop, failures) = (Arc::new(AtomicBool::new(false)), self.failures);
        let start = |(number, documents): (usize, &Arc<Mutex<Documents>>)| {
            let random = Random::new(self.seed * 1000 + self.lives * 10 + number as u64);
            let client = Client::new(client.base());
            tokio::spawn(write(client, number, Arc::clone(documents), random, Arc::clone(&stop), failures))
        };
        let writers = self.writers.iter().enumerate().map(start).collect();
        Load { stop, writers }
    }

    /// Compares everything that clients were told with what the host has.
    ///
    /// # Errors
    /// The first thing that does not agree.
    pub(crate) async fn check(&mut self, client: &Client) -> anyhow::Result<()> {
        let mut alive = Vec::new();
        for writer in &self.writers {
            for (link, known) in writer.lock().await.iter_mut() {
                if check_document(client, link, known).await? {
                    alive.push(link.clone());
                }
            }
        }
        alive.sort();
        check_listing(client, &alive).await?;
        let partitions = client.get("/core/partitions?verify=true").await.expect(200).json();
        ensure!(partitions["digestsAgree"] == true, "digests differ from a recomputation: {partitions}");
        Ok(())
    }
}

async fn write(
    client: Client,
    number: usize,
    documents: Arc<Mutex<Documents>>,
    mut random: Random,
    stop: Arc<AtomicBool>,
    failures: Failures,
) {
    while !stop.load(Ordering::Relaxed) {
        let name = format!("w{number}-{}", random.below(DOCUMENTS));
        let link = format!("/core/counters/{name}");
        let known = documents.lock().await.get(&link).copied();
        if known.is_some_and(|known| known.open.is_some()) {
            tokio::task::yield_now().await;
            continue;
        }
        let deletes = known.is_some_and(|known| !known.deleted) && random.below(20) == 0;
        let (method, path, body) = match known {
            Some(known) if known.deleted => (Method::POST, "/core/counters", json!({ "documentSelfLink": name })),
            None => (Method::POST, "/core/counters", json!({ "documentSelfLink": name })),
            Some(_) if deletes => (Method::DELETE, link.as_str(), Value::Null),
            Some(_) => (Method::PATCH, link.as_str(), json!({})),
        };
        let before = known.map_or(0, |known| known.version);
        let sent = Known { version: before, deleted: known.is_some_and(|known| known.deleted), open: Some(deletes) };
        if known.is_some() {
            documents.lock().await.insert(link.clone(), sent);
        }
        let headers = [("content-type", "application/json"), ("pragma", "xn-force-index-update")];
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let answer = client.send(method.clone(), path, &headers, text).await;
        let failed = |answer: &Answer| failures == Failures::Allowed && answer.status.is_server_error();
        let unknown = answer.as_ref().map_or(true, failed);
        if unknown && known.is_none() {
            // A creation of unknown outcome: the document may exist at version 0.
            let open = Known { version: 0, deleted: true, open: Some(false) };
            documents.lock().await.insert(link.clone(), open);
        }
        let Ok(answer) = answer else { return };
        if unknown {
            continue;
        }
        assert!(answer.status.is_success(), "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        let version = answer.json()["documentVersion"].as_u64().expect("an answer shows the version");
        documents.lock().await.insert(link, Known { version, deleted: deletes, open: None });
    }
}

/// Returns whether the document exists, and takes note of what became of an update without an answer.
async fn check_document(client: &Client, link: &str, known: &mut Known) -> anyhow::Result<bool> {
    let answer = client.get(link).await;
    let context = || format!("{link} was known as {known:?}, found {}", String::from_utf8_lossy(&answer.body));
    let found = match answer.status.as_u16() {
        200 => Some(answer.json()),
        404 => None,
        other => anyhow::bail!("{link}: status {other}"),
    };
    let Some(found) = found else {
        ensure!(known.deleted || known.open == Some(true), "lost: {}", context());
        if !known.deleted {
            *known = Known { version: known.version + 1, deleted: true, open: None };
        }
        known.open = None;
        return Ok(false);
    };
    let version = found["documentVersion"].as_u64().with_context(context)?;
    let history = client.get(&format!("{link}/history?limit={HISTORY}")).await.expect(200).json();
    let versions = history["versions"].as_array().with_context(context)?;
    let states: Option<Vec<(u64, u64)>> = versions.iter().map(numbers).collect();
    let states = states.with_context(context)?;
    ensure!(states.first().map(|(newest, _)| *newest) == Some(version), "history begins elsewhere: {states:?}");
    ensure!(states.windows(2).all(|pair| pair[0].0 == pair[1].0 + 1), "versions have gaps: {states:?}");
    // Once an hour a counter takes a step back by itself; clients make steps forward only.
    let is_rest = |pair: &&[(u64, u64)]| pair[0].1 == pair[1].1.saturating_sub(1);
    let rests = states.windows(2).filter(is_rest).filter(|pair| pair[0].0 > known.version).count() as u64;
    let unasked = version.checked_sub(known.version + rests);
    let expected = match known.open {
        None => unasked == Some(0) && !known.deleted,
        // A creation without an answer may begin anew or go on from the tombstone.
        Some(_) => unasked.is_some_and(|unasked| unasked <= 1),
    };
    ensure!(expected, "lost or doubled: {}", context());
    let is_step = |pair: &[(u64, u64)]| pair[0].1 == pair[1].1 + 1;
    ensure!(states.windows(2).all(|pair| is_step(pair) || is_rest(&pair)), "steps are wrong: {states:?}");
    // With all versions kept, the first one has counted nothing.
    let complete = states.len() < HISTORY;
    ensure!(!complete || states.last().is_some_and(|(_, count)| *count == 0), "steps are missing: {states:?}");
    *known = Known { version, deleted: false, open: None };
    Ok(true)
}

/// Returns version and count of a state.
fn numbers(state: &Value) -> Option<(u64, u64)> {
    Some((state["documentVersion"].as_u64()?, state["count"].as_u64()?))
}

async fn check_listing(client: &Client, alive: &[String]) -> anyhow::Result<()> {
    let listed = client.get("/core/counters").await.expect(200).json();
    let links: Vec<&str> =
        listed["documentLinks"].as_array().context("links")?.iter().filter_map(Value::as_str).collect();
    ensure!(links == alive, "listing {links:?} differs from the documents {alive:?}");
    let kind = json!({ "term": { "propertyName": "documentKind", "matchValue": "counter" } });
    let query = json!({ "taskInfo": { "isDirect": true }, "querySpec": { "query": kind } });
    let found = client.post("/core/query-tasks", &query).await.expect(200).json();
    let mut links: Vec<&str> =
        found["results"]["documentLinks"].as_array().context("links")?.iter().filter_map(Value::as_str).collect();
    links.sort_unstable();
    ensure!(links == alive, "query {links:?} differs from the documents {alive:?}");
    Ok(())
}
