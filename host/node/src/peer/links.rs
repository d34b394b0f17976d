//! All connections of this node: who may have one, which of them stands, and what is offered over them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use steward_model::group::GroupId;
use steward_model::node::{HostId, StoreId};
use steward_model::{Boot, NodeId};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hello::{Hello, Incarnation, Refusal, VERSIONS};
use super::lane::{Lane, Topic};
use super::link::{Error, Link, Offered, Service};
use super::refusals::{Refusals, RefusedPeer};
use super::secret::Secret;
use super::thread::Tasks;
use crate::config::PeerAddress;

/// Connections of nodes without a number that may stand at once.
const GUESTS_MAX: usize = 16;

/// Who this node is. Group and numbers come when it has joined, the boot when it has registered.
#[derive(Debug, Clone)]
pub(crate) struct Ourselves {
    /// The name its operator gave it.
    pub host: HostId,
    /// Names its data folder.
    pub store: StoreId,
    /// Where it listens to peers, as others are told.
    pub address: PeerAddress,
    /// Digest of the sorted list of nodes with which it was started.
    pub list: u128,
    /// The cluster and its incarnation.
    pub cluster: Option<(GroupId, Incarnation)>,
    pub node: Option<NodeId>,
    pub boot: Option<Boot>,
}

/// A node that is known, whether it can be reached or not.
pub(super) struct Peer {
    pub(super) address: PeerAddress,
    /// Ends those who dial it.
    pub(super) dialing: CancellationToken,
}

/// Connections that stand, and nodes to which there should be some.
#[derive(Default)]
pub(super) struct Table {
    pub(super) peers: BTreeMap<NodeId, Peer>,
    pub(super) links: BTreeMap<(NodeId, Lane), Link>,
}

/// Cheap to clone; all clones are the same.
#[derive(Clone)]
pub(crate) struct Links {
    shared: Arc<Shared>,
}

struct Shared {
    ourselves: Mutex<Ourselves>,
    /// Counts what was said of `ourselves`: a connection is good for what was said when it was made.
    identity: AtomicU64,
    secret: Secret,
    tasks: Tasks,
    table: Mutex<Table>,
    services: [OnceLock<Arc<dyn Service>>; Topic::ALL.len()],
    refusals: Refusals,
    guests: Arc<Semaphore>,
}

impl Links {
    /// Returns the connections of a node, of which there are none yet; they are served by `tasks`.
    pub(crate) fn new(tasks: Tasks, ourselves: Ourselves, secret: Secret) -> Links {
        let shared = Shared {
            ourselves: Mutex::new(ourselves),
            identity: AtomicU64::new(0),
            secret,
            tasks,
            table: Mutex::default(),
            services: Default::default(),
            refusals: Refusals::default(),
            guests: Arc::new(Semaphore::new(GUESTS_MAX)),
        };
        Links { shared: Arc::new(shared) }
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        // Each change leaves both maps whole before anything that could panic.
        self.shared.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns who this node is.
    pub(crate) fn ourselves(&self) -> Ourselves {
        self.shared.ourselves.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says who this node is from now on. Connections that were told otherwise end, and are made anew.
    pub(crate) fn identify(&self, change: impl FnOnce(&mut Ourselves)) {
        change(&mut self.shared.ourselves.lock().unwrap_or_else(PoisonError::into_inner));
        // Before the table is looked at: a connection that enters it later finds that it was told otherwise, see `stand`.
        self.shared.identity.fetch_add(1, Ordering::AcqRel);
        let links = std::mem::take(&mut self.table().links);
        links.values().for_each(Link::close);
    }

    /// Returns which of the things said of this node is true now; asked before a connection is made, and told to
    /// [`Links::stand`].
    pub(super) fn identity(&self) -> u64 {
        self.shared.identity.load(Ordering::Acquire)
    }

    /// Lets `service` take the messages of a topic from now on.
    pub(crate) fn offer(&self, topic: Topic, service: Arc<dyn Service>) {
        if self.shared.services[topic as usize].set(service).is_err() {
            tracing::error!(%topic, "topic is offered twice, the first service keeps it");
        }
    }

    pub(super) fn offered(&self) -> Offered {
        let links = self.clone();
        Arc::new(move |topic| links.shared.services[topic as usize].get().cloned())
    }

    /// Returns the tasks that serve the connections.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks().spawn(task);
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.shared.secret
    }

    pub(super) fn refusals(&self) -> &Refusals {
        &self.shared.refusals
    }

    pub(super) fn guests(&self) -> &Arc<Semaphore> {
        &self.shared.guests
    }

    /// Returns what this node says of itself to one that it dials, or that dials it.
    pub(super) fn hello(&self, lane: Lane, dialed: &str, target: Option<NodeId>) -> Hello {
        let ourselves = self.ourselves();
        Hello {
            versions: VERSIONS,
            nonce: Uuid::new_v4().as_u128(),
            lane,
            group: ourselves.cluster.map(|(group, _)| group),
            incarnation: ourselves.cluster.map(|(_, incarnation)| incarnation),
            node: ourselves.node,
            boot: ourselves.boot,
            host: ourselves.host,
            store: ourselves.store,
            address: ourselves.address.to_string(),
            dialed: dialed.to_owned(),
            target,
            list: ourselves.list,
        }
    }

    /// Says whether a node may connect, as far as connections that stand tell.
    ///
    /// # Errors
    /// [`Refusal::Boot`] if a newer process of it is connected.
    pub(super) fn admit(&self, theirs: &Hello) -> Result<(), Refusal> {
        let Some(node) = theirs.node else { return Ok(()) };
        let table = self.table();
        let standing = table.links.get(&(node, theirs.lane)).filter(|link| !link.is_closed());
        match (theirs.boot, standing.and_then(|link| link.origin().boot)) {
            (Some(boot), Some(current)) if boot < current => Err(Refusal::Boot { node, boot, current }),
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }

    /// Makes `link` the connection to `node`; an older one ends. `told` is the identity that was true when it was made: if this
    /// node is called otherwise by now, the connection ends, for the other side would know it under the old name for ever.
    pub(super) fn stand(&self, node: NodeId, link: &Link, told: u64) {
        let before = self.table().links.insert((node, link.origin().lane), link.clone());
        if let Some(before) = before {
            before.close();
        }
        if self.identity() != told {
            link.close();
        }
    }

    /// Takes note that `link` has ended.
    pub(super) fn fall(&self, node: NodeId, link: &Link) {
        let mut table = self.table();
        let place = (node, link.origin().lane);
        if table.links.get(&place).is_some_and(|standing| standing.is(link)) {
            table.links.remove(&place);
        }
    }

    fn link(&self, node: NodeId, lane: Lane) -> Option<Link> {
        self.table().links.get(&(node, lane)).filter(|link| !link.is_closed()).cloned()
    }

    /// Returns the nodes to which a connection of `lane` stands.
    pub(crate) fn connected(&self, lane: Lane) -> BTreeSet<NodeId> {
        let stands = |((node, of), link): (&(NodeId, Lane), &Link)| (*of == lane && !link.is_closed()).then_some(*node);
        self.table().links.iter().filter_map(stands).collect()
    }

    /// Returns whom this node does not talk to, or who does not talk to it, and why.
    pub(crate) fn refused(&self) -> Vec<RefusedPeer> {
        self.refusals().all()
    }

    /// Sends a message to which there is no answer; it may be lost.
    pub(crate) fn notify(&self, node: NodeId, lane: Lane, topic: Topic, body: Vec<u8>) {
        if let Some(link) = self.link(node, lane) {
            link.notify(topic, body);
        }
    }

    /// Sends a message to which there is no answer, as soon as the connection has room for it; lost without a connection.
    pub(crate) async fn send(&self, node: NodeId, lane: Lane, topic: Topic, body: Vec<u8>) {
        if let Some(link) = self.link(node, lane) {
            link.send(topic, body).await;
        }
    }

    /// Sends a request and returns its answer.
    ///
    /// # Errors
    /// [`Error`] says why there is none, and whether the request may have been carried out.
    pub(crate) async fn request(
        &self,
        node: NodeId,
        lane: Lane,
        topic: Topic,
        body: Vec<u8>,
        within: Duration,
    ) -> Result<Bytes, Error> {
        let link = self.link(node, lane).ok_or(Error::NotConnected)?;
        link.request(topic, body, within).await
    }

    /// Ends all connections, and makes no more.
    pub(crate) fn stop(&self) {
        self.tasks().stop();
        let links = std::mem::take(&mut self.table().links);
        links.values().for_each(Link::close);
    }
}
