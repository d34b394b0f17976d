//! A node in its system group, as the rest of it sees that; and what it brings with it to get there.

use std::sync::Arc;
use std::time::Duration;

use steward_model::node::NodeStatus;
use steward_model::{Boot, Member, NodeId};
use steward_protocol::cluster::{Command, Refused};
use tokio::net::TcpListener;

use super::control_log::{ControlLog, ProposeError};
use super::standing::View;
use crate::clock::Clock;
use crate::config::PeerAddress;
use crate::peer::{Links, PeerThread, Secret};

/// Pause before the group is told again that this node is up to date.
const REPORT_PAUSE: Duration = Duration::from_millis(50);

/// How this node talks to others.
pub(crate) struct Peers {
    /// Where others connect.
    pub listener: TcpListener,
    /// Where that is, as others are told.
    pub address: PeerAddress,
    /// All nodes with which a cluster may begin, this one among them if it is listed; sorted.
    pub list: Vec<PeerAddress>,
    /// What all of them know.
    pub secret: Secret,
    /// Takes what the node waits for until it is let in and registered.
    pub waits: Arc<dyn Fn(String) + Send + Sync>,
}

/// A node that takes part in its system group.
#[derive(Clone)]
pub(crate) struct System {
    /// Agreement with the group.
    pub control: Arc<dyn ControlLog>,
    /// The number of this node.
    pub node: NodeId,
    pub boot: Boot,
    /// How the group stands.
    pub view: View,
    /// On which other nodes are talked to.
    pub thread: Option<Arc<PeerThread>>,
}

impl System {
    /// Returns the connections to other nodes; none if this node was started without peers.
    pub(crate) fn links(&self) -> Option<&Links> {
        self.view.group.links.as_ref()
    }

    /// Returns this process start as a member of partitions.
    pub(crate) fn member(&self) -> Member {
        Member { node: self.node, boot: self.boot }
    }

    /// Reports that this node is up to date, until the group knows it.
    ///
    /// # Errors
    /// [`ProposeError`] if the group does not want this process.
    pub(crate) async fn report(&self, clock: &Clock) -> Result<(), ProposeError> {
        loop {
            let available = Command::NodeAvailable { node: self.node, boot: self.boot, at: clock.timestamp() };
            match self.control.propose(available).await {
                Ok(_) => return Ok(()),
                // It passes: voters come back, and a node that was fenced while it started is unfenced.
                Err(
                    ProposeError::NoMajority
                    | ProposeError::NoLeader
                    | ProposeError::Refused(Refused::WrongStatus { status: NodeStatus::Unavailable, .. }),
                ) => tokio::time::sleep(REPORT_PAUSE).await,
                Err(error @ (ProposeError::Refused(_) | ProposeError::TooLarge { .. } | ProposeError::Closed)) => {
                    return Err(error);
                }
            }
        }
    }
}
