//! Tells the partitions what the system group says about them, now and at each change.

use std::sync::Arc;

use steward_model::{Lane, Member};
use steward_protocol::cluster::ClusterState;
use steward_replication::Partitions;

use crate::clock::Clock;
use crate::cluster::ControlLog;
use crate::shutdown::Shutdown;

/// Tells the partitions what the system group says about them, now and whenever it changes.
pub(crate) fn follow(
    control: &Arc<dyn ControlLog>,
    partitions: &Arc<Partitions>,
    clock: &Arc<Clock>,
    shutdown: &Shutdown,
) {
    let mut cluster = control.watch();
    let mut told = cluster.borrow_and_update().clone();
    partitions.cluster_changed(clock.now(), None, &told);
    let (partitions, clock, stop) = (Arc::clone(partitions), Arc::clone(clock), shutdown.clone());
    shutdown.spawn("table", async move {
        loop {
            tokio::select! {
                () = stop.stopping() => return,
                changed = cluster.changed() => if changed.is_err() { return },
            }
            let state = cluster.borrow_and_update().clone();
            partitions.cluster_changed(clock.now(), Some(&told), &state);
            told = state;
        }
    });
}

/// Returns once the process start `own` has brought its copies up to date: it serves every partition for which it is named, and
/// its copies count in all others whose primary could have fed them.
pub(crate) async fn all_here(partitions: &Partitions, control: &Arc<dyn ControlLog>, own: Member) {
    for partition in partitions.all() {
        let mut cluster = control.watch();
        let is_elsewhere = |state: &Arc<ClusterState>| state.row(partition.id()).is_none_or(|row| row.primary != own);
        tokio::select! {
            _ = partition.serving().until(|serving| serving.is_some()) => {}
            _ = cluster.wait_for(is_elsewhere) => {}
        }
    }
    let mut cluster = control.watch();
    // The sender lives as long as the node.
    let _ = cluster.wait_for(|state| lacking(state, partitions, own) == 0).await;
}

/// Returns in how many persisted partitions the copy of `own` does not count although it could.
fn lacking(state: &ClusterState, partitions: &Partitions, own: Member) -> usize {
    let is_fed = |primary: Member| {
        state.node(primary.node).is_some_and(|node| node.member() == primary && node.status.is_present())
    };
    let rows = partitions.lane(Lane::Persisted).iter().filter_map(|partition| state.row(partition.id()));
    rows.filter(|row| !row.in_sync.contains(&own) && is_fed(row.primary)).count()
}
