//! What two nodes tell each other first, and why one of them refuses.

use std::fmt::{Display, Formatter};

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::group::GroupId;
use steward_model::node::{HostId, StoreId};
use steward_model::{Boot, Member, NodeId};

use super::lane::Lane;

/// The version of the talk between nodes, and the oldest one that is still understood.
pub(super) const VERSIONS: (u16, u16) = (1, 1);

/// One life of the system group, by its random id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incarnation(pub u128);

impl Display for Incarnation {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Oldest and newest version of the talk that the sender understands.
    pub versions: (u16, u16),
    /// Random, for the proofs.
    pub nonce: u128,
    /// Which of the connections this is to be.
    pub lane: Lane,
    /// The cluster; none: the sender belongs to none yet.
    pub group: Option<GroupId>,
    pub incarnation: Option<Incarnation>,
    /// The number of the sender.
    pub node: Option<NodeId>,
    /// Its process start; none: it has not registered yet.
    pub boot: Option<Boot>,
    /// The name its operator gave it.
    pub host: HostId,
    /// Names its data folder.
    pub store: StoreId,
    /// Where it listens to peers.
    pub address: String,
    /// Where it believes the receiver listens.
    pub dialed: String,
    /// The number it believes the receiver has; none: it does not know.
    pub target: Option<NodeId>,
    /// Digest of the sorted list of nodes with which it was started.
    pub list: u128,
}

impl Format for Hello {
    const NAME: &'static str = "hello of a node";
}

impl Hello {
    /// Returns the process start that is at that end of the connection; none if it has not registered yet.
    pub(crate) fn member(&self) -> Option<Member> {
        Some(Member { node: self.node?, boot: self.boot? })
    }

    /// Says whether this node, which says `self`, talks to one that says `theirs`.
    ///
    /// # Errors
    /// [`Refusal`] says why not.
    pub(super) fn examine(&self, theirs: &Hello) -> Result<(), Refusal> {
        let (ours, said) = (self.versions, theirs.versions);
        if ours.0.max(said.0) > ours.1.min(said.1) {
            return Err(Refusal::Version { ours, theirs: said });
        }
        if self.store == theirs.store {
            return Err(Refusal::Myself);
        }
        if let (Some(ours), Some(theirs)) = (self.group, theirs.group)
            && ours != theirs
        {
            return Err(Refusal::Cluster { ours, theirs });
        }
        if let (Some(ours), Some(theirs)) = (self.incarnation, theirs.incarnation)
            && ours != theirs
        {
            return Err(Refusal::Incarnation { ours, theirs });
        }
        // Both ends know the address: one of them is not where it says.
        if self.address == theirs.address {
            return Err(Refusal::Address { address: self.address.clone() });
        }
        if let Some(expected) = self.target.filter(|target| theirs.node != Some(*target)) {
            return Err(Refusal::Node { expected, found: theirs.node, address: self.dialed.clone() });
        }
        if let Some(expected) = theirs.target.filter(|target| self.node != Some(*target)) {
            return Err(Refusal::Node { expected, found: self.node, address: theirs.dialed.clone() });
        }
        Ok(())
    }
}

/// Why a node does not talk to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum Refusal {
    /// They have no version of the talk in common.
    #[error("this node speaks versions {} to {} and the other one {} to {}: upgrade the older one", ours.0, ours.1, theirs.0, theirs.1)]
    Version {
        /// Oldest and newest of whoever refuses.
        ours: (u16, u16),
        /// Those of the other.
        theirs: (u16, u16),
    },
    /// The other side does not know the secret.
    #[error("the other node does not know the cluster secret: give both the same --cluster-secret-file")]
    Secret,
    /// The connection leads back to where it comes from.
    #[error("the address leads back to this node itself")]
    Myself,
    /// They belong to different clusters.
    #[error("the other node belongs to cluster {:032x} and this one to {:032x}: take it off the list, or give it an empty data folder", theirs.0, ours.0)]
    Cluster {
        /// The cluster of whoever refuses.
        ours: GroupId,
        /// That of the other.
        theirs: GroupId,
    },
    /// They belong to different lives of one cluster.
    #[error(
        "the other node belongs to incarnation {theirs} of the cluster and this one to {ours}: one of them was left behind by a forced recovery"
    )]
    Incarnation {
        /// The incarnation of whoever refuses.
        ours: Incarnation,
        /// That of the other.
        theirs: Incarnation,
    },
    /// Two nodes say that they are at the same address.
    #[error("both nodes say that they listen at {address}: give each its own --public-uri or --peer-port")]
    Address { address: String },
    /// Another node is there.
    #[error("node {expected} is expected at {address}, and {} is there", found.map_or_else(|| "a node without a number".to_owned(), |node| format!("node {node}")))]
    Node {
        /// The number that was expected.
        expected: NodeId,
        /// The number of whoever is there.
        found: Option<NodeId>,
        address: String,
    },
    /// A newer process of the same node is connected.
    #[error("boot {} of node {node} is over: boot {} is connected", boot.0, current.0)]
    Boot {
        node: NodeId,
        /// The process start that connects.
        boot: Boot,
        current: Boot,
    },
    /// All places are taken.
    #[error("the other node has no place for another connection now")]
    Crowded,
}
