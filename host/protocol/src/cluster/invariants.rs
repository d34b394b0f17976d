//! What is true of every cluster state, and of every step from one state to the next.
//!
//! Debug builds check every step, and tests every state. A node checks [`check`] on states that come from outside: the first
//! state of an incarnation, and a system snapshot on disk.

use steward_model::{NodeId, PartitionId};

use super::group::{NodeStatus, Role};
use super::state::ClusterState;
use super::table::Row;
pub use super::violation::Violation;

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

/// Checks one step: numbers that make late messages harmless never fall, and the table's tells every change. The first state of
/// an incarnation follows none.
///
/// # Errors
/// The first [`Violation`] found: a bug of ours.
pub(super) fn check_step(before: &ClusterState, after: &ClusterState) -> Result<(), Violation> {
    if before.is_blank() {
        return Ok(());
    }
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
