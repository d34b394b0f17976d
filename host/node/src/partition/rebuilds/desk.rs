//! The desk: what comes in from other nodes about copies that are made anew, and what is under way here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use steward_model::{Member, PartitionId, codec};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::parts::{Parts, Tally};
use super::serve::Sessions;
use super::words::{Ask, Offer};
use crate::failure;
use crate::peer::{Lane, Origin, Service, Topic};

/// Partitions that are made anew on this node at once.
const FETCHED_AT_ONCE: usize = 4;

/// See the head of the module above.
pub(crate) struct Rebuilds {
    pub(super) parts: Parts,
    pub(super) runtime: Handle,
    pub(super) sessions: Sessions,
    /// Held by the sweep that is under way.
    pub(super) sweeping: tokio::sync::Mutex<()>,
    pub(super) places: Semaphore,
    /// Partitions that are made anew here, or wait for a place.
    fetched: Mutex<BTreeSet<PartitionId>>,
    pub(super) tally: Mutex<Tally>,
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
            sweeping: tokio::sync::Mutex::default(),
            places: Semaphore::new(FETCHED_AT_ONCE),
            fetched: Mutex::default(),
            tally: Mutex::default(),
        });
        rebuilds.parts.links.offer(Topic::Rebuilds, Arc::new(Desk(Arc::clone(&rebuilds))));
        rebuilds.sweep_if_needed();
        rebuilds
    }

    pub(super) fn fetched(&self) -> MutexGuard<'_, BTreeSet<PartitionId>> {
        // Each change is one call of a set, which leaves it whole.
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a member that its copy of a partition that is served here lacks more than the log has. May be lost: it is said again.
    pub(in crate::partition) fn offer(&self, partition: PartitionId, to: Member) {
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
