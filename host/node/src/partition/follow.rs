//! Tells the partitions what the system group says about them, now and at each change.

use std::sync::Arc;

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
    let state = cluster.borrow_and_update().clone();
    partitions.cluster_changed(clock.now(), &state);
    let (partitions, clock, stop) = (Arc::clone(partitions), Arc::clone(clock), shutdown.clone());
    shutdown.spawn("table", async move {
        let mut seen = state.table_version();
        loop {
            tokio::select! {
                () = stop.stopping() => return,
                changed = cluster.changed() => if changed.is_err() { return },
            }
            let state = cluster.borrow_and_update().clone();
            if state.table_version() != seen {
                seen = state.table_version();
                partitions.cluster_changed(clock.now(), &state);
            }
        }
    });
}

/// Returns once this node serves every partition.
pub(crate) async fn all_serving(partitions: &Partitions) {
    for partition in partitions.all() {
        partition.serving().until(|serving| serving.is_some()).await;
    }
}
