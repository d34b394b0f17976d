//! Expiry: a document whose time has passed becomes a tombstone, which is forgotten later like every other.
//!
//! Readers do not wait for this. To them, an expired document is gone at once.
//!
//! A partition has one round of removals at a time, and few operations of it are under way at once. All partitions
//! share the places of the node, in the order in which they ask. So a document whose turn does not come holds up its
//! own partition until the deadline of its operation, and no other partition.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use steward_model::operation::Cause;
use steward_model::{Action, Link, Moment, PartitionId};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::operation::{Duty, Operations, Purpose};
use crate::partition::Partition;
use crate::shutdown::Shutdown;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Documents of one partition that are removed in one round.
const EXPIRED_MAX: usize = 256;

/// Operations that one partition has under way at one time.
const PER_PARTITION: usize = 8;

/// How long a document that could not be removed is passed over.
const AGAIN: Duration = Duration::from_secs(10);

/// Documents that are passed over; beyond that all are tried again.
const FAILED_MAX: usize = 10_000;

/// A round that has ended: of which partition, and what it could not remove.
type Ended = (PartitionId, Vec<Link>);

/// Removes expired documents until the host stops.
pub(super) async fn run(operations: &Arc<Operations>, shutdown: &Shutdown) {
    let mut rounds: JoinSet<Ended> = JoinSet::new();
    let mut busy: HashSet<PartitionId> = HashSet::new();
    // Documents that could not be removed are passed over for a while, or they would stand before all others for ever.
    let mut failed: HashMap<Link, Moment> = HashMap::new();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.stopping() => return,
            Some(ended) = rounds.join_next() => {
                let (partition, unremoved) = ended.expect("a round catches the failures of its operations");
                busy.remove(&partition);
                let now = operations.clock().now();
                failed.extend(unremoved.into_iter().map(|link| (link, now)));
                continue;
            }
            _ = look.tick() => {}
        }
        let now = operations.clock().now();
        failed.retain(|_, since| now.since(*since) < AGAIN);
        if failed.len() > FAILED_MAX {
            failed.clear();
        }
        for partition in operations.partitions().all() {
            if busy.contains(&partition.id()) || partition.admits().is_err() {
                continue;
            }
            let links = expired(operations, partition, &failed);
            if !links.is_empty() {
                busy.insert(partition.id());
                rounds.spawn(remove(Arc::clone(operations), partition.id(), links));
            }
        }
    }
}

fn expired(operations: &Operations, partition: &Partition, failed: &HashMap<Link, Moment>) -> Vec<Link> {
    match partition.store().expired(operations.clock().wall_time(), EXPIRED_MAX + failed.len()) {
        Ok(expired) => {
            let links = expired.into_iter().map(|(_, link)| link);
            links.filter(|link| !failed.contains_key(link)).take(EXPIRED_MAX).collect()
        }
        Err(error) => {
            tracing::warn!(partition = %partition.id(), %error, "expired documents cannot be read");
            Vec::new()
        }
    }
}

async fn remove(operations: Arc<Operations>, partition: PartitionId, links: Vec<Link>) -> Ended {
    let own = Arc::new(Semaphore::new(PER_PARTITION));
    let mut under_way = JoinSet::new();
    for link in links {
        // The node's place is asked for last: whoever waits within a partition keeps no place from the others.
        let mine = Arc::clone(&own).acquire_owned().await;
        let place = operations.places(Duty::Expire).place().await;
        let operations = Arc::clone(&operations);
        under_way.spawn(async move {
            let _places = (mine, place);
            let id = format!("expire-{}", link.name());
            let expire = operations.own(id, Action::Delete, link.clone(), Cause::Maintenance, Purpose::Expire);
            match operations.perform(expire).await {
                Ok(_) => None,
                Err(error) => {
                    tracing::warn!(%link, %error, "expired document could not be removed");
                    Some(link)
                }
            }
        });
    }
    let mut unremoved = Vec::new();
    while let Some(ended) = under_way.join_next().await {
        unremoved.extend(ended.ok().flatten());
    }
    (partition, unremoved)
}
