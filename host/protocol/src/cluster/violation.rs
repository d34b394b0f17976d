//! The invariants of the cluster state, as errors: what `invariants.rs` reports when one of them does not hold.

use serde::{Deserialize, Serialize};
use steward_model::node::HostId;
use steward_model::{Link, NodeId, PartitionId};

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Violation {
    /// Epochs need a first part above zero.
    #[error("the incarnation has no counter")]
    NoIncarnation,
    /// A partition has no row, or a row no partition.
    #[error("the table has {rows} rows, and the lanes {partitions} partitions")]
    Incomplete {
        /// Rows in the table.
        rows: usize,
        /// Partitions of both lanes together.
        partitions: usize,
    },
    /// An acknowledgement must mean something.
    #[error("partition {0}: a quorum is 0")]
    QuorumZero(PartitionId),
    /// Members that acknowledge and members that promise must overlap, or a commit can be lost.
    #[error("partition {0}: a commit and a recovery may miss each other")]
    QuorumsMiss(PartitionId),
    /// The primary counts itself.
    #[error("partition {0}: the primary is not in the in-sync set")]
    PrimaryNotInSync(PartitionId),
    /// A member must be a registered peer, once, and no process start that is yet to come.
    #[error("partition {partition}: node {node} cannot be a member")]
    Member {
        /// The partition whose row lists it.
        partition: PartitionId,
        /// The node that is unregistered, an observer, listed twice, or ahead of its boot.
        node: NodeId,
    },
    /// An epoch of another incarnation.
    #[error("partition {0}: the epoch is of another incarnation")]
    ForeignEpoch(PartitionId),
    /// One host id, one node that counts.
    #[error("host {0} has more than one node that was not replaced")]
    HostTwice(HostId),
    /// A number could be given out twice.
    #[error("node {0} has a number that was never given out")]
    NodeNumber(NodeId),
    /// The quorum of the group.
    #[error("the quorum is {value}, and it must be {expected} or more")]
    Quorum {
        /// The value in the state.
        value: u32,
        /// What it must be.
        expected: u32,
    },
    /// A factory runs a module that is not installed, or miscounts.
    #[error("factory {0}: module or revision is wrong")]
    Factory(Link),
    /// Something fell that may only rise.
    #[error("{0} fell")]
    Fell(String),
}
