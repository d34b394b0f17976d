//! The commands of the system group, and how they end.
//!
//! A command is one entry of the system log. It carries what its proposer knew when it decided: a boot, an epoch, a
//! version or a revision. So a command that comes too late is refused. It also carries everything that the cluster
//! state does not determine (times, random ids). So it has the same effect on every node.
//!
//! The order of variants and fields is part of the log format: new ones are only ever appended, under a new format
//! version.

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::module::Digest;
use steward_model::{Boot, Link, NodeId, Timestamp};

pub use super::group::{Registration, Scope};
pub use super::refused::Refused;
pub use super::registry::Deployment;
use super::registry::{Authorship, GuestModule};
pub use super::row::{Alteration, Move};
use super::state::ClusterState;
use crate::liveness::Evidence;

/// One entry of the system log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Begins an incarnation with a whole state, so that late joiners need nothing out of band.
    InstallGenesis(Box<ClusterState>),
    /// A process of a node has started.
    RegisterNode(Registration),
    /// A node has brought its replicas up to date.
    NodeAvailable {
        /// The node whose replicas are up to date.
        node: NodeId,
        /// Its process start; of another one the command is refused.
        boot: Boot,
        /// The time of day at the node, for the row.
        at: Timestamp,
    },
    /// An operator chooses the quorum.
    SetQuorum {
        /// The number to pin; none: follow the majority again, or for one node: take the group's.
        value: Option<u32>,
        /// The whole group, or one node that differs for a while.
        scope: Scope,
        /// The time of day of the request.
        at: Timestamp,
    },
    /// A node gives up its duties in order to stop.
    BeginLeave {
        /// The node that stops.
        node: NodeId,
        /// Its process start; of another one the command is refused.
        boot: Boot,
        /// The time of day at the node.
        at: Timestamp,
    },
    /// A node that will not come back is forgotten; its copies count no longer.
    RemoveNode {
        /// The node to forget; it must have left, be silent, or have been replaced.
        node: NodeId,
        /// Its last process start.
        boot: Boot,
        /// When that was asked for.
        at: Timestamp,
    },
    /// Partitions get other primaries; each is decided on its own.
    MovePrimaries(Vec<Move>),
    /// Primaries change who counts; each row is decided on its own.
    AlterInSync(Vec<Alteration>),
    /// A guest module comes in; the same bytes again change nothing.
    RegisterModule(GuestModule),
    /// A guest module goes.
    RemoveModule {
        /// The name of the module; nothing may be mounted that runs it.
        digest: Digest,
    },
    /// A guest module begins to answer at a path.
    MountFactory(Deployment),
    /// Another guest module, or the same with other settings, takes over a path.
    MoveFactory(Deployment),
    /// Nothing answers at a path any more; its documents stay.
    UnmountFactory {
        /// The path at which nothing is to answer any more.
        path: Link,
        /// The revision that this was decided on.
        revision: u64,
        /// Who asked for it.
        authorship: Authorship,
    },
    /// A setting of the whole cluster; the last one counts.
    SetConfig {
        /// The name of the setting.
        key: String,
        /// Its value; none: the default again.
        value: Option<String>,
    },
    /// A node is silent: it owns nothing until it reports again.
    FenceNode {
        /// The silent node.
        node: NodeId,
        /// Its process start; of another one the command is refused.
        boot: Boot,
        /// Why it is believed to be gone.
        evidence: Evidence,
        /// The time of day at the leader.
        at: Timestamp,
    },
    /// A node that was fenced is there after all, in the same process.
    Unfence {
        /// The node that reports.
        node: NodeId,
        /// Its process start; of another one the command is refused.
        boot: Boot,
        /// The time of day at the node.
        at: Timestamp,
    },
}

impl Format for Command {
    const NAME: &'static str = "command of the system group";
    const VERSION: u8 = 3;
    // The state with which a group begins stands in the first command, and an older reader does not know its shape.
    const READABLE_FROM: u8 = 3;
}

/// How a command that was accepted ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Applied {
    /// It is done, and there is nothing to say about it.
    Done,
    /// A node was registered.
    Registered {
        /// Its number, new or known.
        node: NodeId,
        /// The number of the process start, greater than all before.
        boot: Boot,
    },
    /// Rows were altered, or not: the new version of each, in the order of the alterations or moves.
    Altered(Vec<Result<u64, Refused>>),
    /// A factory has a new revision.
    Revised {
        /// The number of the newest revision, from 1.
        revision: u64,
    },
}
