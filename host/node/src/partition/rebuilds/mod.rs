//! Copies that are made anew, over the links between nodes.
//!
//! Problem: a node that joins late, or was away for long, lacks more than the logs of the others have, in hundreds of partitions at
//! once; what it needs instead may be all documents there are. Promise: who reigns says so to whoever lacks it, and that node fetches
//! the documents a piece at a time, a few partitions at once; neither side ever keeps more in memory than the largest document and
//! some megabytes. Whatever breaks off is begun anew when the primary says it again.
//!
//! ```text
//!  primary                                     the node that lacks
//!  Request::Rebuild ─ offer ──────────────────►  place among few
//!                   ◄───────────────── begin ─┐
//!  snapshot ──────── head ───────────────────►│  Partition::begin_rebuild
//!                   ◄────────────────── more ─┤  …
//!  portion ───────── piece ──────────────────►│  Rebuild::take, at last Rebuild::finish
//! ```
//!
//! What is left of copies that were replaced or given up is swept away afterwards, and at the start of a node.

mod fetch;
mod serve;
mod sweeper;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use steward_model::codec::{self, Format};
use steward_model::{Member, PartitionId};
use steward_replication::Partitions;
use steward_replication::applier::IndexSource;
use steward_storage::state::StateStore;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::failure;
use crate::peer::{Lane, Links, Origin, Service, Topic};
use crate::shutdown::Shutdown;
use fetch::Tally;
use serve::Sessions;
use sweeper::Sweeper;

/// Partitions that are made anew on this node at once.
const FETCHED_AT_ONCE: usize = 4;

/// A copy of whoever is told lacks more than the log of whoever says it has.
#[derive(Debug, Serialize, Deserialize)]
struct Offer {
    /// Another boot of the node has other copies.
    to: Member,
    partition: PartitionId,
}

impl Format for Offer {
    const NAME: &'static str = "offer of a copy";
}

/// What a node asks that makes a copy anew.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Ask {
    /// What the copy is as a whole, from now on for all pieces.
    Begin(PartitionId),
    /// The next piece.
    More(PartitionId),
}

impl Format for Ask {
    const NAME: &'static str = "question about a copy";
}

/// Bytes of a portion of documents.
#[derive(Debug, Serialize, Deserialize)]
struct Piece {
    #[serde(with = "steward_model::codec::bytes_run")]
    bytes: Bytes,
    /// The portion is complete with it.
    is_end: bool,
}

impl Format for Piece {
    const NAME: &'static str = "piece of a copy";
}

/// What the parts of a node are that rebuilding needs.
pub(crate) struct Parts {
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) links: Links,
    pub(crate) own: Member,
    pub(crate) clock: Arc<Clock>,
    pub(crate) index: IndexSource,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) shutdown: Shutdown,
}

/// See the head of this module.
pub(crate) struct Rebuilds {
    parts: Parts,
    runtime: Handle,
    sessions: Sessions,
    sweeper: Sweeper,
    places: Semaphore,
    /// Partitions that are made anew here, or wait for a place.
    fetched: Mutex<BTreeSet<PartitionId>>,
    tally: Mutex<Tally>,
}

impl Rebuilds {
    /// Begins to answer other nodes, and to sweep away what earlier starts have left.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(crate) fn start(parts: Parts) -> Arc<Rebuilds> {
        let rebuilds = Arc::new(Rebuilds {
            parts,
            runtime: Handle::current(),
            sessions: Sessions::default(),
            sweeper: Sweeper::default(),
            places: Semaphore::new(FETCHED_AT_ONCE),
            fetched: Mutex::default(),
            tally: Mutex::default(),
        });
        rebuilds.parts.links.offer(Topic::Rebuilds, Arc::new(Desk(Arc::clone(&rebuilds))));
        rebuilds.sweep_if_needed();
        rebuilds
    }

    fn fetched(&self) -> MutexGuard<'_, BTreeSet<PartitionId>> {
        // Each change is one call of a set, which leaves it whole.
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a member that its copy of a partition that is served here lacks more than the log has. May be lost: it is said again.
    pub(super) fn offer(&self, partition: PartitionId, to: Member) {
        let (links, offer) = (self.parts.links.clone(), codec::encode(&Offer { to, partition }));
        self.parts.links.tasks().spawn(async move {
            links.send(to.node, Lane::Urgent, Topic::Rebuilds, offer).await;
        });
    }
}

/// Takes what other nodes say.
struct Desk(Arc<Rebuilds>);

impl Service for Desk {
    fn notice(&self, from: &Origin, body: Bytes) {
        let Some(member) = from.member() else { return };
        match codec::decode::<Offer>(&body) {
            Ok(offer) if offer.to == self.0.parts.own && self.0.parts.partitions.has(offer.partition) => {
                Rebuilds::fetch_from(&self.0, member.node, offer.partition);
            }
            Ok(offer) => tracing::debug!(to = %offer.to, "offer for another boot of this node ignored"),
            Err(error) => tracing::warn!(peer = %from.host, %error, "offer of another node cannot be read"),
        }
    }

    fn request(&self, from: &Origin, body: Bytes) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let (rebuilds, member) = (Arc::clone(&self.0), from.member());
        let work = move || {
            let member = member.ok_or("only a node of the group is given copies")?;
            let ask = codec::decode::<Ask>(&body).map_err(|error| error.to_string())?;
            rebuilds.sessions.answer(&rebuilds.parts, member, ask)
        };
        let task = self.0.runtime.spawn_blocking(|| failure::contain(work));
        Box::pin(async { task.await.unwrap_or_else(|_| Err("the copy could not be read".to_owned())) })
    }
}
