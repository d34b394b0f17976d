//! Expiry: documents whose time has passed are removed with all their versions, tombstones too.
//!
//! Readers do not wait for this: an expired document is gone for them at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use steward_model::operation::Cause;
use steward_model::{Action, Link, Moment};

use crate::operation::{Operations, Purpose};
use crate::partition::Partition;
use crate::shutdown::Shutdown;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Documents of one partition that are removed at one look.
const EXPIRED_MAX: usize = 256;

/// How long a document that could not be removed is passed over.
const AGAIN: Duration = Duration::from_secs(10);

/// Documents that are passed over; beyond that all are tried again.
const FAILED_MAX: usize = 10_000;

/// Removes expired documents until the host stops.
pub(super) async fn run(operations: &Arc<Operations>, shutdown: &Shutdown) {
    // Documents that could not be removed are passed over for a while, or they would stand before all others for ever.
    let mut failed: HashMap<Link, Moment> = HashMap::new();
    loop {
        tokio::select! {
            () = shutdown.stopping() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = operations.clock().now();
        failed.retain(|_, since| now.since(*since) < AGAIN);
        if failed.len() > FAILED_MAX {
            failed.clear();
        }
        for partition in operations.table().all() {
            if partition.admits().is_ok() {
                let unremoved = remove(operations, partition, &failed).await;
                failed.extend(unremoved.into_iter().map(|link| (link, now)));
            }
        }
    }
}

async fn remove(operations: &Arc<Operations>, partition: &Partition, failed: &HashMap<Link, Moment>) -> Vec<Link> {
    let expired = match partition.store().expired(operations.clock().wall_time(), EXPIRED_MAX + failed.len()) {
        Ok(expired) => expired,
        Err(error) => {
            tracing::error!(partition = %partition.id(), %error, "expired documents cannot be read");
            return Vec::new();
        }
    };
    let mut under_way = tokio::task::JoinSet::new();
    for (_, link) in expired.into_iter().filter(|(_, link)| !failed.contains_key(link)).take(EXPIRED_MAX) {
        let operations = Arc::clone(operations);
        under_way.spawn(async move {
            let id = format!("expire-{}", link.name());
            let expire = operations.own(id, Action::Delete, link, Cause::Maintenance, Purpose::Expire);
            let link = expire.link.clone();
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
    unremoved
}
