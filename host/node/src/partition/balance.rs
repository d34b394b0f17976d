//! Hands partitions to the members that should own them, a few at a time.
//!
//! Problem: a node that joins or returns owns nothing, and one that was there all the time owns everything. Promise: each owner
//! hands on what another available member of the in-sync set should own by the placement, which all nodes compute alike; never more
//! than a few partitions at once, and none while the system group cannot decide, because a partition that is being handed on
//! admits nothing.
//!
//! Source: host/docs/protocol.md, "Hand-off, stop, volatile lane". Left out: weights by load.

use std::sync::Arc;
use std::time::Duration;

use steward_model::{Lane, Member, PartitionId};
use steward_protocol::cluster::ClusterState;
use steward_protocol::placement::elect;
use steward_protocol::replica::Event;
use steward_replication::Partitions;

use crate::clock::Clock;
use crate::cluster::ControlLog;
use crate::shutdown::Shutdown;

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Partitions that are handed on at one look, at most.
const PARTITIONS_MAX: usize = 32;

/// Hands on what others should own, until the host drains: then the system group takes everything from this node at once.
pub(crate) fn balance(
    partitions: &Arc<Partitions>,
    control: &Arc<dyn ControlLog>,
    clock: &Arc<Clock>,
    own: Member,
    shutdown: &Shutdown,
) {
    let (partitions, control, clock) = (Arc::clone(partitions), Arc::clone(control), Arc::clone(clock));
    let stop = shutdown.clone();
    shutdown.spawn("balance", async move {
        loop {
            tokio::select! {
                () = stop.draining() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            if misplaced(&control.state(), &partitions, own).next().is_none() {
                continue;
            }
            // Nothing is handed on that the group would not take over in a moment.
            let Ok(state) = control.newest().await else { continue };
            for (partition, to) in misplaced(&state, &partitions, own).take(PARTITIONS_MAX) {
                partitions.tell(clock.now(), partition, Event::HandOffAsked { to });
            }
        }
    });
}

/// Returns the partitions of `own` that another member should own, and which.
fn misplaced<'a>(
    state: &'a ClusterState,
    partitions: &'a Partitions,
    own: Member,
) -> impl Iterator<Item = (PartitionId, Member)> + 'a {
    partitions.lane(Lane::Persisted).iter().filter_map(move |partition| {
        let row = state.row(partition.id()).filter(|row| row.primary == own)?;
        // Asked all the same, this node would admit nothing until the group has refused.
        if !state.can_be_handed_over(partition.id()) {
            return None;
        }
        let members =
            row.in_sync.iter().copied().filter(|member| *member == own || state.group().is_available(*member));
        let chosen = elect::candidate(partition.id(), members).filter(|chosen| *chosen != own)?;
        Some((partition.id(), chosen))
    })
}
