//! Brings the state stores up to what is committed: one atomic batch per partition and run.
//!
//! Problem: if each update were written by itself, a document that changes a thousand times a second would be written a
//! thousand times, and each write would cost a batch of its own.
//!
//! Promise: runs are gathered for a while, so many updates share the cost of one batch. Nobody waits for that: readers
//! also look into the records that are not applied yet; a caller that needs the store to be current now hurries the
//! applier. If a store refuses a batch, nobody knows what it did of it; the next attempt begins with what the store
//! says then.
//!
//! What waits is bounded in bytes. Beyond the bound, no further update is admitted.

use std::sync::Arc;

use steward_model::PartitionId;
use steward_storage::index::IndexPlan;

pub use crate::applying::{Applying, Backlog};
use crate::partitions::Partitions;

/// Says which fields of documents are indexed.
pub type IndexSource = Arc<dyn IndexPlan + Send + Sync>;

impl Partitions {
    /// Applies what is committed, and returns how many partitions' stores refused; those are tried again by the next call. Calls
    /// `between` after each partition, which may take its time: nothing is held meanwhile.
    pub fn apply(&self, index: &(dyn IndexPlan + Send + Sync), mut between: impl FnMut()) -> usize {
        let mut refused = Vec::new();
        for id in self.shared().applying.take() {
            // Each for itself: a partition whose store refuses holds up none of the others.
            if !self.get(id).apply(index) {
                refused.push(id);
            }
            between();
        }
        refused.iter().for_each(|id| self.shared().applying.again(*id));
        if refused.is_empty() {
            self.shared().store_took_all();
        }
        refused.len()
    }

    /// Applies what is committed in one partition; for simulations that stop between two. Returns false if there was nothing
    /// to apply or the store refused.
    pub fn apply_one(&self, partition: PartitionId, index: &(dyn IndexPlan + Send + Sync)) -> bool {
        self.get(partition).apply(index)
    }
}
