//! Why the system group refuses a command. A refused command has changed nothing.

use serde::{Deserialize, Serialize};
use steward_model::module::Digest;
use steward_model::node::NodeStatus;
use steward_model::{Boot, Link, Member, NodeId, PartitionId};

use super::row::Row;
use super::service::Service;
use super::violation::Violation;
use crate::liveness::Evidence;

/// Why a command changed nothing. The proposer reads the newest state and decides again, or tells its client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refused {
    /// The first command of an incarnation is missing.
    #[error("the system group has no state yet: its first command must install one")]
    NoGenesis,
    /// The incarnation has begun already.
    #[error("the system group has a state already: only its first command may install one")]
    GenesisExists,
    /// The state to install contradicts itself.
    #[error("the state to install contradicts itself: {0}")]
    GenesisInvalid(Violation),
    /// No such node is registered.
    #[error("node {node} is not registered")]
    UnknownNode {
        /// The number that nobody has.
        node: NodeId,
    },
    /// The node has started again since.
    #[error("boot {} of node {node} is over: it runs boot {}", boot.0, current.0)]
    StaleBoot {
        /// The node that was meant.
        node: NodeId,
        /// The process start that the command was decided on.
        boot: Boot,
        /// The one that runs.
        current: Boot,
    },
    /// A node in this state cannot do that.
    #[error("node {node} is {status}, so it cannot do that")]
    WrongStatus {
        /// The node that was meant.
        node: NodeId,
        /// The state that forbids it.
        status: NodeStatus,
    },
    /// Too few of those that report suspect the node.
    #[error("node {node} is not fenced: {evidence}")]
    Evidence {
        /// The node that was to be fenced.
        node: NodeId,
        /// What was said against it.
        evidence: Evidence,
    },
    /// A primary must be a member that serves.
    #[error("member {member} is not available, so it cannot be named primary")]
    NotAvailable {
        /// The member that was to be named.
        member: Member,
    },
    /// Observers hold nothing that counts.
    #[error("node {node} is an observer, so it cannot be an in-sync member")]
    Observer {
        /// The observer that was to be a member.
        node: NodeId,
    },
    /// The quorum would be 0.
    #[error("quorum 0 would acknowledge updates that nobody holds: it must be 1 or more")]
    QuorumZero,
    /// No peer has registered yet.
    #[error("partition {partition} does not exist or has no replicas yet")]
    NotAssigned {
        /// The partition without a row.
        partition: PartitionId,
    },
    /// The reign is over, or has not begun.
    #[error("partition {partition} is in epoch {}", row.epoch)]
    StaleEpoch {
        /// The partition that was meant.
        partition: PartitionId,
        /// Its row as it stands.
        row: Box<Row>,
    },
    /// The row has changed since.
    #[error("row of partition {partition} is at version {}", row.version)]
    StaleVersion {
        /// The partition that was meant.
        partition: PartitionId,
        /// Its row as it stands.
        row: Box<Row>,
    },
    /// A primary must be an in-sync member.
    #[error("node {node} is not in the in-sync set of partition {partition}")]
    NotInSync {
        /// The partition that was meant.
        partition: PartitionId,
        /// The node that was to be named.
        node: NodeId,
    },
    /// There is nothing to move.
    #[error("node {node} is the primary of partition {partition} already")]
    AlreadyPrimary {
        /// The partition that was meant.
        partition: PartitionId,
        /// The node that was to be named, and is.
        node: NodeId,
    },
    /// Fewer members than acknowledgements, or no acknowledgement at all.
    #[error("write quorum {write_quorum} of partition {partition} must be between 1 and its {members} members")]
    QuorumOutOfReach {
        /// The partition that was meant.
        partition: PartitionId,
        /// How many members there would be.
        members: u32,
        /// How many of them would have to acknowledge.
        write_quorum: u32,
    },
    /// The primary must count itself.
    #[error("primary {primary} of partition {partition} is not among the members to be")]
    PrimaryLeftOut {
        /// The partition that was meant.
        partition: PartitionId,
        /// The member that may not be left out.
        primary: Member,
    },
    /// The node would take replicas with it.
    #[error("node {node} holds a replica of partition {partition} that counts: move its replicas first")]
    HoldsReplicas {
        /// The node that cannot go, or cannot become an observer.
        node: NodeId,
        /// The first of the partitions in whose in-sync set it is.
        partition: PartitionId,
    },
    /// No such module is installed.
    #[error("module {} is not installed", digest.short())]
    UnknownModule {
        /// The name that no installed module has.
        digest: Digest,
    },
    /// The module answers somewhere.
    #[error("module {} answers at {path}: unmount the factory or move it to another module first", digest.short())]
    ModuleMounted {
        /// The module that cannot go.
        digest: Digest,
        /// The first of the paths at which it answers.
        path: Link,
    },
    /// Something answers there already.
    #[error("{path} has a factory already, at revision {revision}: move or unmount that one")]
    PathTaken {
        /// The path that was asked for.
        path: Link,
        /// The newest revision of the factory.
        revision: u64,
    },
    /// Nothing answers there.
    #[error("no factory is mounted at {path}")]
    NotMounted {
        /// The path at which nothing answers.
        path: Link,
    },
    /// Somebody else was quicker.
    #[error("factory {path} is at revision {current}, and the request was decided on revision {revision}")]
    StaleRevision {
        /// The path of the factory.
        path: Link,
        /// The revision that the command was decided on.
        revision: u64,
        /// The newest revision of the factory.
        current: u64,
    },
    /// Documents would be left behind.
    #[error("factory {path} keeps {from}, and the new module {to}: unmount it first; its documents then stay unseen")]
    ServiceDiffers {
        /// The path of the factory.
        path: Link,
        /// What the factory is.
        from: Service,
        /// What it would become.
        to: Service,
    },
    /// A factory and a document would have the same self-link.
    #[error("{path} cannot be mounted: it and the factory {other} would hide documents from each other")]
    Overlap {
        /// The path that was asked for.
        path: Link,
        /// The factory that is there already.
        other: Link,
    },
    /// What the node holds may be needed.
    #[error(
        "node {node} holds one of the copies of partition {partition}: without it {left} would be left, and {needed} must be there to \
         find every acknowledged update again: start the node again, or wait until its other copies have been fed"
    )]
    CopiesNeeded {
        /// The node that cannot go.
        node: NodeId,
        /// The first of the partitions for which it is needed.
        partition: PartitionId,
        /// How many members would be left.
        left: u32,
        /// How many must promise before a reign.
        needed: u32,
    },
    /// What the node holds may be needed to commit anything at all.
    #[error(
        "without node {node} {left} copies of partition {partition} would count, and {needed} must hold an update: wait until more nodes are \
         AVAILABLE, or lower the quorum first: steward quorum {left}"
    )]
    QuorumNeeded {
        /// The node that cannot go.
        node: NodeId,
        /// The first of the partitions for which it is needed.
        partition: PartitionId,
        /// How many members would be left.
        left: u32,
        /// How many must hold an update.
        needed: u32,
    },
    /// The next reign could not begin, and would take reads with it that the present one answers.
    #[error(
        "partition {partition} is not handed over: {needed} of its members must serve before another reign can begin"
    )]
    TooFewServe {
        /// The partition that was meant.
        partition: PartitionId,
        /// How many must serve.
        needed: u32,
    },
}
