//! What all operations of this node share: clock, partitions, services, what guests may call, and who is told which documents begin and
//! end.

use std::sync::Arc;
use std::time::Duration;

use steward_model::operation::Cause;
use steward_model::problem::Happened;
use steward_model::{Action, Link};
use steward_protocol::cluster::ClusterState;
use steward_sandbox::Imports;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Error;
use super::duties::{Duties, Duty, Places};
use super::error::Copies;
use super::freshness::Freshness;
use super::gate::Gate;
use super::limits::Limits;
use super::request::{Condition, Operation, Purpose, Wait};
use super::seeds::Seeds;
use crate::clock::Clock;
use crate::partition::{Partition, Partitions};
use crate::peer::Links;
use crate::service::{Service, ServiceTable, Starts};
use crate::shutdown::Shutdown;

/// Makes what the guest of a document may call for the sake of an operation; offered by the storey that starts operations.
pub(crate) type ImportsOf = dyn Fn(&Arc<Service>, &Operation) -> Arc<dyn Imports> + Send + Sync;

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existence {
    /// It exists from now on.
    Begins,
    /// It exists no more.
    Ends,
}

/// Is told which documents begin and cease to exist.
pub(crate) type Watcher = dyn Fn(&Arc<Service>, &Link, Existence) + Send + Sync;

/// How long the state store may take to get what is in the log.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// Everything that the road of operations needs.
pub(crate) struct Parts {
    pub clock: Arc<Clock>,
    /// The partitions of this node.
    pub partitions: Arc<Partitions>,
    pub services: Arc<ServiceTable>,
    pub limits: Limits,
    /// Owns the tasks of operations.
    pub shutdown: Shutdown,
    /// The name of this node, as `documentOwner` has it.
    pub owner: String,
    /// What the group has agreed on.
    pub cluster: watch::Receiver<Arc<ClusterState>>,
    /// The connections to other nodes; none on a node without peers.
    pub links: Option<Links>,
    /// Makes what guests may call. Such calls are operations themselves, so it needs the operations, and must not keep them.
    pub imports: Box<ImportsOf>,
    /// Whom to tell of documents that begin and cease to exist.
    pub watcher: Box<Watcher>,
}

/// Runs operations on this node.
pub(crate) struct Operations {
    pub(super) clock: Arc<Clock>,
    pub(super) partitions: Arc<Partitions>,
    pub(super) services: Arc<ServiceTable>,
    pub(super) starts: Starts,
    pub(super) seeds: Seeds,
    duties: Duties,
    pub(super) limits: Limits,
    pub(super) shutdown: Shutdown,
    /// The name of this node, as `documentOwner` has it.
    owner: String,
    pub(super) imports: Box<ImportsOf>,
    watcher: Box<Watcher>,
    pub(super) gate: Gate,
    /// The connections to other nodes; none on a node without peers.
    pub(super) links: Option<Links>,
}

impl Operations {
    /// Returns a road that is made of these parts.
    pub(crate) fn new(parts: Parts) -> Operations {
        let Parts { clock, partitions, services, limits, shutdown, owner, cluster, links, imports, watcher } = parts;
        Operations {
            clock,
            partitions,
            services,
            starts: Starts::default(),
            seeds: Seeds::new(),
            duties: Duties::new(),
            limits,
            shutdown,
            owner,
            imports,
            watcher,
            gate: Gate::new(cluster),
            links,
        }
    }

    pub(super) fn tell_watcher(&self, service: &Arc<Service>, link: &Link, existence: Existence) {
        (self.watcher)(service, link, existence);
    }

    pub(crate) fn partitions(&self) -> &Arc<Partitions> {
        &self.partitions
    }

    pub(crate) fn services(&self) -> &Arc<ServiceTable> {
        &self.services
    }

    /// Returns which documents have been started.
    pub(crate) fn starts(&self) -> &Starts {
        &self.starts
    }

    /// Returns the places of a duty on this node.
    pub(crate) fn places(&self, duty: Duty) -> &Places {
        self.duties.of(duty)
    }

    /// Starts a task whose result a guest waits for, see [`Shutdown::run`].
    pub(crate) fn aside<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.shutdown.run(task)
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Returns the connections to other nodes; none on a node without peers.
    pub(crate) fn links(&self) -> Option<&Links> {
        self.links.as_ref()
    }

    /// Returns the name of this node.
    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    /// Returns the bounds on operations.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns an operation that the host itself starts: without a client, with the usual time to wait.
    pub(crate) fn own(&self, id: String, action: Action, link: Link, cause: Cause, purpose: Purpose) -> Operation {
        Operation {
            id,
            root: None,
            action,
            link,
            query: String::new(),
            headers: Vec::new(),
            body: None,
            principal: String::new(),
            cause,
            purpose,
            deadline: self.clock.now().plus(self.limits.wait),
            wait: Wait { span: self.limits.wait, said: false },
            condition: Condition::default(),
            idempotency_key: None,
            version: None,
            freshness: Freshness::Newest,
            wanted: None,
            first_action: None,
            force: false,
            child: None,
            handed_on: false,
        }
    }

    /// Returns once what answers at `link` is served here, if it is about to be; after the time that operations wait at the longest.
    pub(crate) async fn loaded(&self, link: &Link) {
        // Whoever comes too late is told so by the first stage.
        let _ = tokio::time::timeout(self.limits.wait, self.services.loaded(link)).await;
    }

    /// Returns once the state store of a partition holds everything that is in the log of the partition now, committed or not.
    ///
    /// # Errors
    /// [`Error::Lost`] if a part of it is taken back, [`Error::Behind`] or [`Error::Unavailable`] if it takes too long.
    pub(crate) async fn settled(&self, partition: &Partition) -> Result<(), Error> {
        if let Some(end) = partition.status().replica.end {
            let committed = tokio::time::timeout(SETTLED_WITHIN, partition.committed(end)).await;
            committed.map_err(|_| Error::Unavailable {
                partition: partition.id(),
                reason: "what is in its log is not committed yet".to_owned(),
                seconds: SETTLED_WITHIN.as_secs(),
                happened: Happened::No,
                copies: Copies::of(partition),
            })??;
        }
        Ok(crate::partition::flushed(partition).await?)
    }
}
