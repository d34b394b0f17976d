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

/// How long a node that stops waits for its last commits.
const QUIET_WITHIN: Duration = Duration::from_millis(500);

/// How long it waits for the next owners.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(2);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Pause between two times that partitions are asked to admit nothing. Less than a primary is patient: what one admits while the
/// system group takes its time to name the next would be appended when it does.
const ASK_AGAIN: Duration = Duration::from_millis(300);

/// Gives every partition to another member that can order it, and returns once those have begun, or after a while without them.
pub(crate) async fn give_away(partitions: &Partitions, control: &Arc<dyn ControlLog>, own: Member, clock: &Clock) {
    let asking = async {
        loop {
            for partition in partitions.lane(Lane::Persisted) {
                partitions.tell(clock.now(), partition.id(), Event::LeaveAsked);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    let giving = async {
        quieted(partitions).await;
        control.leave(clock.timestamp()).await;
        taken_over(partitions, control, own).await;
    };
    tokio::select! {
        // All have been asked before the first look at whether they are quiet.
        biased;
        () = asking => {}
        () = giving => {}
    }
}

/// Returns once the updates that are under way are committed. A record that is not committed when another reign begins may be cut,
/// and its client never learns what became of it.
async fn quieted(partitions: &Partitions) {
    let is_quiet = || !partitions.lane(Lane::Persisted).iter().any(|partition| partition.has_uncommitted());
    if !within(QUIET_WITHIN, is_quiet).await {
        tracing::warn!("stopping although not every update is committed: clients of the others may be told so");
    }
}

/// Returns once every partition of a node that is leaving is ordered by another member, if there is one. What the next reigns need
/// from here, promises and the acknowledgement of their markers, they have by then.
async fn taken_over(partitions: &Partitions, control: &Arc<dyn ControlLog>, own: Member) {
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
