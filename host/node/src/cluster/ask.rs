//! What a node asks the leader of the system group, and is answered.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::group::GroupId;
use steward_model::{Boot, Member, NodeId, Timestamp};
use steward_protocol::cluster::command::Registration;
use steward_protocol::cluster::{Applied, Command, Refused};

/// A question to the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ask {
    /// Have this decided.
    Propose(Command),
    /// Up to which entry must a state reach that shows everything decided before this question?
    Newest,
    /// Register a process start; a node that is new becomes a member of the system group.
    Register {
        /// What the node says of itself.
        registration: Registration,
        /// Where it listens to peers.
        address: String,
        /// True if its data folder has never asked before.
        first: bool,
    },
    /// A node stops in order: take its duties in the system group from it.
    Leave {
        /// Which process start.
        member: Member,
        /// The time of day at the node.
        at: Timestamp,
    },
}

impl Format for Ask {
    const NAME: &'static str = "question to the leader of the system group";
}

/// An answer of the leader, or of one who does not lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Said {
    /// The command was decided and applied as this entry.
    Applied {
        /// What came of it.
        applied: Applied,
        index: u64,
    },
    /// The command was decided, and changed nothing.
    Refused(Refused),
    /// The entry that was asked for.
    Newest { index: u64 },
    /// The node is registered.
    Registered(Box<Registered>),
    /// The data folder says that it is new, and its store is known.
    KnownStore {
        /// Under which number.
        node: NodeId,
    },
    /// The node that was asked does not lead.
    NotLeader {
        /// Who does, if that is known.
        leader: Option<NodeId>,
        /// Where that one listens to peers.
        address: Option<String>,
    },
    /// It was not decided in time, and may be yet.
    Undecided,
}

impl Display for Said {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Said::Applied { applied, index } => write!(f, "{applied} as entry {index}"),
            Said::Refused(refused) => write!(f, "refused: {refused}"),
            Said::Newest { index } => write!(f, "entry {index} is the newest"),
            Said::Registered(registered) => write!(f, "registered node {}.{}", registered.node, registered.boot.0),
            Said::KnownStore { node } => write!(f, "the store is that of node {node}"),
            Said::NotLeader { .. } => f.write_str("another node leads"),
            Said::Undecided => f.write_str("not decided in time"),
        }
    }
}

impl Format for Said {
    const NAME: &'static str = "answer of the leader of the system group";
}

/// What a node has to know to take part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registered {
    pub group: GroupId,
    /// The random id of its incarnation.
    pub incarnation: u128,
    /// The number of the node.
    pub node: NodeId,
    pub boot: Boot,
    /// Where all nodes listen to peers.
    pub members: BTreeMap<NodeId, String>,
    /// The entry of the registration.
    pub index: u64,
}
