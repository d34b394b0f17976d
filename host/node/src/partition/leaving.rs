//! Giving all partitions of a node away before it stops, so that its end costs nobody a request.
//!
//! ```text
//!  admit no more, everywhere ─► what is under way commits ─► the group names others (BeginLeave) ─► these have begun ─► stop
//! ```
//!
//! Source: host/docs/protocol.md, "Hand-off, stop, volatile lane".

use std::sync::Arc;
use std::time::Duration;

use steward_model::{Lane, Member};
use steward_protocol::replica::Event;
use steward_replication::Partitions;

use crate::clock::Clock;
use crate::cluster::ControlLog;

/// How long a node that stops waits for its last commits. Less than a primary goes on admitting nothing: what is still left of
/// that is for the system group to decide in.
const QUIET_WITHIN: Duration = Duration::from_millis(500);

/// How long it waits for the next owners.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(2);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Has every partition that another member could order admit no more updates, and returns once those that are under way are
/// committed. A record that is not committed when another reign begins may be cut, and its client never learns what became of
/// it.
pub(crate) async fn quieted(partitions: &Partitions, clock: &Clock) {
    for partition in partitions.lane(Lane::Persisted) {
        partitions.tell(clock.now(), partition.id(), Event::LeaveAsked);
    }
    let is_quiet = || !partitions.lane(Lane::Persisted).iter().any(|partition| partition.has_uncommitted());
    if !within(QUIET_WITHIN, is_quiet).await {
        tracing::warn!("stopping although not every update is committed: clients of the others may be told so");
    }
}

/// Returns once every partition of a node that is leaving is ordered by another member, if there is one. What the next reigns need
/// from here, promises and the acknowledgement of their markers, they have by then.
pub(crate) async fn taken_over(partitions: &Partitions, control: &Arc<dyn ControlLog>, own: Member) {
    let is_taken_over = || {
        let state = control.state();
        partitions.lane(Lane::Persisted).iter().all(|partition| {
            let Some(row) = state.row(partition.id()) else { return true };
            let is_alone = row.in_sync.iter().all(|member| member.node == own.node);
            is_alone || (row.primary != own && partition.has_committed_in(row.epoch))
        })
    };
    if !within(TAKEN_OVER_WITHIN, is_taken_over).await {
        tracing::warn!("stopping although not every partition has another owner yet");
    }
}

/// Returns true once `is_so`, false after `span`.
async fn within(span: Duration, is_so: impl Fn() -> bool) -> bool {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(span, waiting).await.is_ok()
}
