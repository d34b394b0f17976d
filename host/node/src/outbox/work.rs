//! Who looks which documents have something to send, and starts the work on them.

use std::sync::Arc;
use std::time::Duration;

use steward_model::Timestamp;
use steward_protocol::cluster::ClusterState;
use steward_replication::courier::deliver;
use tokio::sync::watch;

use super::outside::Outside;
use super::places::Places;
use crate::operation::Operations;
use crate::outward::Outward;
use crate::partition::{Claim, Hands, Partition};
use crate::query::Queries;
use crate::shutdown::Shutdown;

/// Documents of one partition that are claimed at one look.
const CLAIMED_MAX: usize = 1024;

/// Longest sleep between two looks at the partitions.
const LOOK: Duration = Duration::from_secs(1);

/// Carries out the effects of this node, see [`crate::outbox`].
pub(crate) struct Outbox {
    pub(super) operations: Arc<Operations>,
    pub(super) queries: Arc<Queries>,
    hands: Arc<Hands>,
    /// What the group has agreed on.
    pub(super) cluster: watch::Receiver<Arc<ClusterState>>,
    pub(super) outside: Outside,
    pub(super) shutdown: Shutdown,
    pub(super) places: Places,
}

impl Outbox {
    /// Starts carrying out effects of the partitions that this node serves.
    pub(crate) fn start(
        operations: Arc<Operations>,
        queries: Arc<Queries>,
        hands: Arc<Hands>,
        cluster: watch::Receiver<Arc<ClusterState>>,
        outward: Outward,
        shutdown: &Shutdown,
    ) {
        let (outside, places) = (Outside::new(outward), Places::default());
        let outbox =
            Arc::new(Outbox { operations, queries, hands, cluster, outside, shutdown: shutdown.clone(), places });
        shutdown.spawn("outbox", async move { outbox.run().await });
    }

    async fn run(self: Arc<Outbox>) {
        let mut mounts = self.operations.services().watch();
        loop {
            let next = self.dispatch();
            let now = self.operations.clock().steady_time();
            let sleep = match next {
                Some(due) => Duration::from_micros(due.0.saturating_sub(now.0).max(1_000).unsigned_abs()).min(LOOK),
                None => LOOK,
            };
            tokio::select! {
                () = self.shutdown.stopping() => return,
                () = self.hands.effects_added() => {}
                Ok(()) = mounts.changed() => self.let_go(*mounts.borrow_and_update()),
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Lets go of the effects that were held for want of a module: it may be among the services that are mounted now.
    fn let_go(&self, mounts: u64) {
        for partition in self.operations.partitions().all() {
            partition.with_outbox(|outbox| outbox.let_go(mounts));
        }
    }

    /// Starts work on the documents that have an effect to send, and returns when the next one will have.
    fn dispatch(self: &Arc<Outbox>) -> Option<Timestamp> {
        let now = self.operations.clock().steady_time();
        let mut next: Option<Timestamp> = None;
        for partition in self.operations.partitions().all() {
            let (claimed, due) = partition.with_outbox(|outbox| {
                let claimed = outbox.claim(now, CLAIMED_MAX);
                (claimed, outbox.next_due())
            });
            for claim in claimed {
                let (outbox, partition) = (Arc::clone(self), Arc::clone(partition));
                self.shutdown.spawn("effects", async move { outbox.work(&partition, claim).await });
            }
            next = [next, due].into_iter().flatten().min();
        }
        next
    }

    /// Carries out what a document has pending, in order, as long as the claim on it lasts.
    async fn work(&self, partition: &Partition, claim: Claim) {
        // `handle-start` comes before everything else that a document does at a new owner. One that cannot be started now is
        // before its next handler; its effects were decided long ago and go out all the same.
        if let Err(error) = self.operations.begin(&claim.link).await {
            tracing::debug!(link = %claim.link, %error, "document could not be started before its effects");
        }
        deliver(self, partition, claim).await;
        self.hands.look_at_effects();
    }
}
