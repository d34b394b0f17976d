//! Sweeping away what is left of copies that do not count, one sweep at a time.

use std::sync::Arc;

use steward_model::Lane;
use steward_storage::documents::{Error, Sweep};
use steward_storage::keys::Space;

use super::desk::Rebuilds;
use crate::failure;

/// Rows that are looked at in one batch.
const ROWS: usize = 4096;

impl Rebuilds {
    /// Begins a sweep if rows of copies that do not count are left.
    pub(super) fn sweep_if_needed(self: &Arc<Rebuilds>) {
        let (rebuilds, stop) = (Arc::clone(self), self.parts.shutdown.clone());
        self.parts.shutdown.spawn("sweep of old copies", async move {
            tokio::select! {
                () = stop.stopping() => {}
                () = rebuilds.sweep() => {}
            }
        });
    }

    /// Removes what is left, as far as the state store takes it: whoever finds it in the way tries again.
    pub(super) async fn sweep(&self) {
        let _only_one = self.sweeping.lock().await;
        let mut sweep = Sweep::default();
        let (store, partitions) = (Arc::clone(&self.parts.store), Arc::clone(&self.parts.partitions));
        let copies = Arc::clone(&partitions);
        let look = move || copies.lane(Lane::Persisted).iter().any(|copy| !matches!(copy.has_leftovers(), Ok(false)));
        if !self.runtime.spawn_blocking(|| failure::contain(look)).await.unwrap_or(false) {
            return;
        }
        while !sweep.is_done() {
            let (store, partitions) = (Arc::clone(&store), Arc::clone(&partitions));
            // A step at a time, so that a node that stops need not wait for all of them.
            let step = move || -> Result<Sweep, Error> {
                let is_kept =
                    |copy: Space| !partitions.has(copy.partition) || partitions.get(copy.partition).keeps(copy);
                sweep.step(&*store, &is_kept, ROWS)?;
                Ok(sweep)
            };
            sweep = match self.runtime.spawn_blocking(|| failure::contain(step)).await {
                Ok(Ok(sweep)) => sweep,
                Ok(Err(error)) => return tracing::warn!(%error, "what is left of old copies is not removed yet"),
                Err(_) => return,
            };
        }
        tracing::debug!("what was left of old copies is removed");
    }
}
