//! Expiry: documents whose time has passed are removed with all their versions, tombstones too.
//!
//! Readers do not wait for this: an expired document is gone for them at once.

use std::sync::Arc;
use std::time::Duration;

use steward_model::Action;
use steward_model::operation::Cause;

use crate::operation::{Operations, Purpose};
use crate::partition::Partition;
use crate::shutdown::Shutdown;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Documents of one partition that are removed at one look.
const EXPIRED_MAX: usize = 256;

/// Removes expired documents until the host stops.
pub(super) async fn run(operations: &Arc<Operations>, shutdown: &Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.stopping() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        for partition in operations.table().all() {
            if partition.admits().is_ok() {
                remove(operations, partition).await;
            }
        }
    }
}

async fn remove(operations: &Arc<Operations>, partition: &Partition) {
    let expired = match partition.store().expired(operations.clock().wall_time(), EXPIRED_MAX) {
        Ok(expired) => expired,
        Err(error) => {
            tracing::error!(partition = %partition.id(), %error, "expired documents cannot be read");
            return;
        }
    };
    let mut under_way = tokio::task::JoinSet::new();
    for (_, link) in expired {
        let operations = Arc::clone(operations);
        under_way.spawn(async move {
            let id = format!("expire-{}", link.name());
            let expire = operations.own(id, Action::Delete, link, Cause::Maintenance, Purpose::Expire);
            let link = expire.link.clone();
            if let Err(error) = operations.perform(expire).await {
                tracing::warn!(%link, %error, "expired document could not be removed");
            }
        });
    }
    while under_way.join_next().await.is_some() {}
}
