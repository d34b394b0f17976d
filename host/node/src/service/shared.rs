//! Guest modules of the whole group: what this node does not keep, another one does.
//!
//! Problem: a factory is decided for all nodes at once, and its module was uploaded to one of them. Promise: bytes that are
//! missing or damaged here are fetched from whoever has them; they count only under their own digest, so it does not matter
//! who that is. Before a module is registered, as many nodes as hold an update have it on their disks.
//!
//! Source: host/docs/protocol.md, D12.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use steward_model::codec::{self, Format, bytes_run};
use steward_model::module::Digest;
use steward_model::{Link, NodeId};
use tokio::runtime::Handle;

use super::ServiceTable;
use super::modules::Modules;
use super::store::{ModuleFolder, ModuleStore, StoreError};
use crate::failure;
use crate::peer::{Lane, Links, Origin, Service, Topic};

/// Pause before all nodes are asked for a module once more.
const PAUSE: Duration = Duration::from_millis(50);

/// How long is asked for a module, of all nodes together.
const FETCHED_WITHIN: Duration = Duration::from_secs(10);

/// How long another node looks for a change of a factory that it is asked to show.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);

/// How long another node may take to fetch and keep a module, besides compiling it.
const KEPT_WITHIN: Duration = Duration::from_secs(10);

/// What another node is asked.
#[derive(Debug, Serialize, Deserialize)]
enum Ask {
    /// The bytes with this digest.
    Get(Digest),
    /// To compile these, and to keep them.
    Keep(#[serde(with = "bytes_run")] Bytes),
    /// To say when this revision of a factory is served there, or, without one, when nothing is.
    Show { path: Link, revision: Option<u64> },
}

impl Format for Ask {
    const NAME: &'static str = "question about a guest module";
}

/// The modules of the group, behind those of this node.
pub(crate) struct GroupModules {
    own: Arc<ModuleFolder>,
    links: Links,
    runtime: Handle,
}

impl GroupModules {
    /// Returns the modules of the group; `own` keeps those of this node.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(crate) fn new(own: Arc<ModuleFolder>, links: Links) -> GroupModules {
        GroupModules { own, links, runtime: Handle::current() }
    }

    /// Asks the other nodes until one has the module. A node that has just started may not be connected to any of them yet.
    async fn fetch(&self, digest: Digest) -> Option<Bytes> {
        let asking = async {
            loop {
                for node in self.links.connected(Lane::Bulk) {
                    if let Some(bytes) = self.ask(node, digest).await {
                        return bytes;
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::time::timeout(FETCHED_WITHIN, asking).await.ok()
    }

    async fn ask(&self, node: NodeId, digest: Digest) -> Option<Bytes> {
        let question = codec::encode(&Ask::Get(digest));
        match self.links.request(node, Lane::Bulk, Topic::Modules, question, FETCHED_WITHIN).await {
            Ok(bytes) if Digest::of(&bytes) == digest => return Some(bytes),
            Ok(bytes) => {
                let (found, digest) = (Digest::of(&bytes), digest.short());
                tracing::warn!(%node, %found, digest, "another module than was asked for");
            }
            Err(error) => tracing::debug!(%node, %error, digest = digest.short(), "guest module not fetched"),
        }
        None
    }
}

impl ModuleStore for GroupModules {
    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.own.put(bytes)
    }

    fn get(&self, digest: Digest) -> Result<Bytes, StoreError> {
        let lacking = match self.own.get(digest) {
            Err(lacking @ (StoreError::Missing { .. } | StoreError::Damaged { .. })) => lacking,
            settled => return settled,
        };
        // On a thread that may block: every call of a store does.
        let Some(bytes) = self.runtime.block_on(self.fetch(digest)) else { return Err(lacking) };
        tracing::info!(digest = digest.short(), bytes = bytes.len(), "guest module fetched from another node");
        self.own.put(&bytes)?;
        Ok(bytes)
    }

    fn has(&self, digest: Digest) -> bool {
        self.own.has(digest)
    }

    fn list(&self) -> Result<Vec<Digest>, StoreError> {
        self.own.list()
    }

    fn remove_unwanted(&self, wanted: &dyn Fn(Digest) -> bool, age: Duration) -> Result<Vec<Digest>, StoreError> {
        self.own.remove_unwanted(wanted, age)
    }
}

/// How many other nodes keep a module, and why each of the rest does not.
pub(crate) struct Kept {
    pub nodes: usize,
    pub refusals: Vec<String>,
}

/// Has other nodes compile and keep a module. Each may compile it for `deadline`: the first module of a language
/// comes with its interpreter, which takes most of a minute where all nodes are one machine.
pub(crate) async fn keep_elsewhere(links: &Links, bytes: &Bytes, deadline: Duration) -> Kept {
    let within = deadline + KEPT_WITHIN;
    let question = codec::encode(&Ask::Keep(bytes.clone()));
    let asked = links.connected(Lane::Bulk).into_iter().map(|node| {
        let question = question.clone();
        async move { (node, links.request(node, Lane::Bulk, Topic::Modules, question, within).await) }
    });
    let mut answers: FuturesUnordered<_> = asked.collect();
    let mut kept = Kept { nodes: 0, refusals: Vec::new() };
    while let Some((node, answer)) = answers.next().await {
        match answer {
            Ok(_) => kept.nodes += 1,
            Err(error) => {
                tracing::warn!(%node, %error, "guest module is not kept there");
                kept.refusals.push(format!("node {node}: {error}"));
            }
        }
    }
    kept
}

/// Waits until all of these nodes serve a revision of a factory, or without one until none serves any; returns false if one does not say so in time.
pub(crate) async fn shown_elsewhere(
    links: &Links,
    nodes: impl Iterator<Item = NodeId>,
    (path, revision): (&Link, Option<u64>),
    within: Duration,
) -> bool {
    let question = codec::encode(&Ask::Show { path: path.clone(), revision });
    let asked = nodes.map(|node| {
        let question = question.clone();
        async move {
            let answer = links.request(node, Lane::Bulk, Topic::Modules, question, within).await;
            answer.inspect_err(|error| tracing::debug!(%node, %error, "a change of a factory does not show there yet"))
        }
    });
    futures_util::future::join_all(asked).await.iter().all(Result::is_ok)
}

/// Answers what other nodes ask about modules and what runs them.
pub(crate) struct ModuleAnswers {
    own: Arc<ModuleFolder>,
    modules: Arc<Modules>,
    services: Arc<ServiceTable>,
    runtime: Handle,
}

impl ModuleAnswers {
    /// Returns the one who answers; it reads and compiles on threads of the caller's runtime.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(crate) fn new(
        own: Arc<ModuleFolder>,
        modules: Arc<Modules>,
        services: Arc<ServiceTable>,
    ) -> Arc<ModuleAnswers> {
        Arc::new(ModuleAnswers { own, modules, services, runtime: Handle::current() })
    }
}

impl Service for ModuleAnswers {
    fn request(&self, _: &Origin, body: Bytes) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let (own, modules, services) = (Arc::clone(&self.own), Arc::clone(&self.modules), Arc::clone(&self.services));
        // Read there as well: a module is long, and all nodes are heard on the thread of the caller.
        let task = self.runtime.spawn(failure::contained(async move {
            match codec::decode(&body).map_err(|error| error.to_string())? {
                Ask::Get(digest) => {
                    let get = move || own.get(digest).map(|bytes| bytes.to_vec()).map_err(|error| error.to_string());
                    looked_at(get).await
                }
                Ask::Keep(bytes) => {
                    looked_at(move || {
                        modules.keep_for_others(&bytes).map(|()| Vec::new()).map_err(|error| error.to_string())
                    })
                    .await
                }
                Ask::Show { path, revision } => {
                    let shown = tokio::time::timeout(SHOWN_WITHIN, services.shown(&path, revision)).await;
                    shown.map(|()| Vec::new()).map_err(|_| format!("{path} does not show the change yet"))
                }
            }
        }));
        Box::pin(async { task.await.unwrap_or_else(|_| Err(NOT_LOOKED_AT.to_owned())) })
    }
}

/// What is said where work on a module has ended in a panic.
const NOT_LOOKED_AT: &str = "the module could not be looked at";

/// Reads or compiles a module on a thread that may block.
async fn looked_at(work: impl FnOnce() -> Result<Vec<u8>, String> + Send + 'static) -> Result<Vec<u8>, String> {
    let task = tokio::task::spawn_blocking(|| failure::contain(work));
    task.await.unwrap_or_else(|_| Err(NOT_LOOKED_AT.to_owned()))
}
