//! The commands of the system group, and how they end.
//!
//! A command is one entry of the system log. It carries what it was decided on (a boot, an epoch, a version, a
//! revision) and everything that is not a function of the cluster state (times, random ids), so that applying it is
//! deterministic and a late one is refused.
//!
//! The order of variants and fields is part of the log format: they are only ever appended, under a new format version.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::group::{HostId, StoreId};
use steward_model::module::Digest;
use steward_model::{Boot, Epoch, Link, NodeId, PartitionId, Timestamp};

use super::group::{NodeStatus, Role};
use super::invariants::Violation;
use super::registry::{Authorship, GuestModule, Mounted, Service};
use super::state::ClusterState;
use super::table::{Member, Row};

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
    /// A node that has left or was replaced is forgotten.
    RemoveNode {
        /// The node to forget; it must have left, or have been replaced.
        node: NodeId,
        /// Its last process start.
        boot: Boot,
        /// When that was asked for.
        at: Timestamp,
    },
    /// A partition gets another primary.
    MovePrimary {
        /// The partition whose row changes.
        partition: PartitionId,
        /// The reign to end; in another one the command is refused.
        epoch: Epoch,
        /// The node to name, an available member of the in-sync set.
        to: NodeId,
    },
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
}

impl Format for Command {
    const NAME: &'static str = "command of the system group";
}

/// What a node says of itself when its process has started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The name its operator gave it.
    pub host: HostId,
    /// The id in its data folder: a wiped disk is another store.
    pub store: StoreId,
    /// The URI under which others reach it.
    pub address: String,
    /// What it is in the group for.
    pub role: Role,
    /// Where it stands, in the operator's words; empty: not said.
    pub location: String,
    /// The quorum its operator asks for; none: whatever the group has.
    pub quorum: Option<u32>,
    /// When the process started.
    pub at: Timestamp,
}

/// For whom a quorum is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// For every node that is present, and those to come.
    Group,
    /// For one node, until the group's value changes.
    Node(NodeId),
}

/// A change of one row by its primary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alteration {
    /// The partition whose row changes.
    pub partition: PartitionId,
    /// The reign of the primary that asks.
    pub epoch: Epoch,
    /// The version of the row that it was decided on.
    pub version: u64,
    /// The members to be.
    pub in_sync: BTreeSet<Member>,
    /// The acknowledgements needed from now on.
    pub write_quorum: u32,
}

/// What shall answer at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Where it shall answer.
    pub path: Link,
    /// The revision of the factory that this was decided on; 0: there was none.
    pub revision: u64,
    /// What it shall run.
    pub mounted: Mounted,
    /// Who asked for it.
    pub authorship: Authorship,
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
    /// Rows were altered, or not: the new version of each, in the order of the alterations.
    Altered(Vec<Result<u64, Refused>>),
    /// A factory has a new revision.
    Revised {
        /// The number of the newest revision, from 1.
        revision: u64,
    },
}

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
}
