//! What is true of every cluster state, and of every step from one to the next.
//!
//! Tests check both after every command; a node checks [`check`] on states that come from outside: a genesis, a file.

use serde::{Deserialize, Serialize};
use steward_model::group::HostId;
use steward_model::{Link, NodeId, PartitionId};

use super::group::{NodeStatus, Role};
use super::state::ClusterState;
use super::table::Row;

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

/// Checks one state.
///
/// # Errors
/// The first [`Violation`] found: a bug of ours or damage, never a fault of a client.
pub fn check(state: &ClusterState) -> Result<(), Violation> {
    if state.is_blank() {
        return Err(Violation::NoIncarnation);
    }
    let partitions = usize::from(state.partitions_per_lane) * 2;
    let rows = state.table.rows.len();
    if rows != 0 && rows != partitions {
        return Err(Violation::Incomplete { rows, partitions });
    }
    for (partition, row) in state.table.rows() {
        check_row(state, partition, row)?;
    }
    check_group(state)?;
    check_registry(state)
}

fn check_row(state: &ClusterState, partition: PartitionId, row: &Row) -> Result<(), Violation> {
    if row.write_quorum == 0 || row.recovery_quorum == 0 {
        return Err(Violation::QuorumZero(partition));
    }
    if u64::from(row.write_quorum) + u64::from(row.recovery_quorum) <= row.in_sync.len() as u64 {
        return Err(Violation::QuorumsMiss(partition));
    }
    if !row.in_sync.contains(&row.primary) {
        return Err(Violation::PrimaryNotInSync(partition));
    }
    if row.epoch.incarnation != state.incarnation.counter {
        return Err(Violation::ForeignEpoch(partition));
    }
    for member in &row.in_sync {
        let fits = |node: &super::group::Node| node.role == Role::Peer && member.boot <= node.boot;
        let once = row.in_sync.iter().filter(|other| other.node == member.node).count() == 1;
        if !once || !state.node(member.node).is_some_and(fits) {
            return Err(Violation::Member { partition, node: member.node });
        }
    }
    Ok(())
}

fn check_group(state: &ClusterState) -> Result<(), Violation> {
    let group = &state.group;
    for node in group.nodes() {
        if node.id > group.last_id || node.id == NodeId(0) {
            return Err(Violation::NodeNumber(node.id));
        }
        let counts = |other: &&super::group::Node| other.host == node.host && other.status != NodeStatus::Replaced;
        if group.nodes().filter(counts).count() > 1 {
            return Err(Violation::HostTwice(node.host.clone()));
        }
    }
    let (quorum, majority) = (group.quorum(), group.majority());
    if quorum.value == 0 || (!quorum.pinned && quorum.value != majority) {
        return Err(Violation::Quorum { value: quorum.value, expected: majority });
    }
    Ok(())
}

fn check_registry(state: &ClusterState) -> Result<(), Violation> {
    for factory in state.registry.factories() {
        let installed = factory.mounted.as_ref().is_none_or(|mounted| state.module(&mounted.module).is_some());
        let newest = factory.history.last().map(|revision| (revision.number, revision.module));
        let expected = Some((factory.revision, factory.mounted.as_ref().map(|mounted| mounted.module)));
        if !installed || newest != expected {
            return Err(Violation::Factory(factory.path.clone()));
        }
    }
    Ok(())
}

/// Checks one step: numbers that make late messages harmless never fall, and the table's tells every change.
///
/// # Errors
/// The first [`Violation`] found: a bug of ours.
pub fn check_step(before: &ClusterState, after: &ClusterState) -> Result<(), Violation> {
    let fell = |what: String| Err(Violation::Fell(what));
    for (partition, old) in before.table.rows() {
        let kept = after.row(partition).is_some_and(|new| {
            let same_reign = new.epoch == old.epoch && new.primary == old.primary;
            (new.epoch > old.epoch || same_reign) && (new.version > old.version || new == old)
        });
        if !kept {
            return fell(format!("epoch or version of partition {partition}"));
        }
    }
    for old in before.group.nodes() {
        if after.node(old.id).is_some_and(|new| new.boot < old.boot || (new.version <= old.version && new != old)) {
            return fell(format!("boot or version of node {}", old.id));
        }
    }
    for old in before.registry.factories() {
        if after.factory(&old.path).is_none_or(|new| new.revision < old.revision) {
            return fell(format!("revision of factory {}", old.path));
        }
    }
    if before.group.last_id > after.group.last_id {
        return fell("last node number".to_owned());
    }
    let counted = after.table_version() > before.table_version();
    if counted != (before.table.rows != after.table.rows) {
        return fell("table version".to_owned());
    }
    Ok(())
}
