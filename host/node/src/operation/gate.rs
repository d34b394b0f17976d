//! The group gate: no update begins while fewer nodes are available than the quorum demands.
//!
//! Such an update waits and is not executed. So does one whose client wants more nodes than are available. It goes on when a node
//! returns, or when an operator lowers the quorum.

use std::sync::Arc;
use std::time::Duration;

use steward_model::operation::Cause;
use steward_protocol::cluster::ClusterState;
use steward_protocol::cluster::group::{Node, NodeStatus, Role};
use tokio::sync::watch;

use super::limits::Limits;
use super::{Error, Operation};
use crate::clock::Clock;
use crate::partition::Wanted;
use crate::telemetry::queues::Queue;

/// How long an update of a client waits for the quorum when the client does not say.
const QUORUM_WAIT: Duration = Duration::from_secs(15 * 60);

/// Follows how many nodes are available, and how many are needed.
pub(super) struct Gate {
    cluster: watch::Receiver<Arc<ClusterState>>,
}

/// How the group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Availability {
    available: u32,
    quorum: u32,
}

impl Availability {
    /// Returns how the group stands to an operation for which `wanted` nodes shall hold its update.
    fn of(state: &ClusterState, wanted: u32) -> Availability {
        let serves =
            state.group().nodes().filter(|node| node.role == Role::Peer && node.status == NodeStatus::Available);
        let available = u32::try_from(serves.count()).unwrap_or(u32::MAX);
        Availability { available, quorum: state.quorum().value.max(wanted) }
    }

    fn is_open(self) -> bool {
        self.available >= self.quorum
    }
}

impl Gate {
    pub(super) fn new(cluster: watch::Receiver<Arc<ClusterState>>) -> Gate {
        Gate { cluster }
    }

    /// Returns what the group has agreed on, as far as this node knows.
    pub(super) fn state(&self) -> Arc<ClusterState> {
        Arc::clone(&self.cluster.borrow())
    }

    /// Returns once the group has agreed on what `wanted` looks for.
    pub(super) async fn until(&self, mut wanted: impl FnMut(&ClusterState) -> bool) {
        // The sender lives as long as the node.
        let _ = self.cluster.clone().wait_for(|state| wanted(state)).await;
    }

    /// Returns how many nodes an operation wants to hold its update, beyond the quorum of the group.
    fn wanted(&self, operation: &Operation) -> Result<u32, Error> {
        let Some(Wanted::Members(wanted)) = operation.wanted else { return Ok(0) };
        let state = self.cluster.borrow();
        let is_member = |node: &&Node| node.role == Role::Peer && node.status != NodeStatus::Replaced;
        let nodes = u32::try_from(state.group().nodes().filter(is_member).count()).unwrap_or(u32::MAX);
        match wanted.get() {
            wanted if wanted > nodes => Err(Error::TooFewNodes { wanted, nodes }),
            wanted => Ok(wanted),
        }
    }

    /// Returns once the quorum is met, and moves the operation's deadline by the time that took.
    ///
    /// # Errors
    /// [`Error::NoQuorum`] when the operation has waited as long as it may, [`Error::TooFewNodes`] at once if it would wait for ever;
    /// nothing has happened then.
    pub(super) async fn pass(&self, clock: &Clock, limits: &Limits, operation: &mut Operation) -> Result<(), Error> {
        let wanted = self.wanted(operation)?;
        let is_open = |state: &ClusterState| Availability::of(state, wanted).is_open();
        if is_open(&self.cluster.borrow()) {
            return Ok(());
        }
        let began = clock.now();
        let said = operation.deadline.since(began);
        // A client that has said how long it waits waits that long and no longer.
        let usual = said + Duration::from_secs(1) >= limits.wait && !operation.wait.said;
        let patient = operation.cause == Cause::Client && usual;
        let span = if patient { said.max(QUORUM_WAIT) } else { said };
        let _queued = Queue::Quorum.enter();
        let mut cluster = self.cluster.clone();
        let open = cluster.wait_for(|state| is_open(state));
        if tokio::time::timeout(span, open).await.is_ok() {
            // The time spent here is not taken from what the rest of the road may take.
            operation.deadline = clock.now().plus(said);
            return Ok(());
        }
        let Availability { available, quorum } = Availability::of(&self.cluster.borrow(), wanted);
        let seconds = clock.now().since(began).as_secs();
        Err(Error::NoQuorum { available, quorum, seconds })
    }
}
