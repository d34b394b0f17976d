//! Brings the state stores up to what is committed: one atomic batch per partition and run.
//!
//! Runs are gathered for a while, so that a document that changes a thousand times a second is not written a thousand
//! times, and that what each batch costs is shared by many updates. Nobody waits for that: reads look into what is not
//! applied yet, and a caller that needs the store to be current now hurries it.
//!
//! A store that refuses a batch has told nothing about what it did: the next attempt begins with what the store says then.
//! What waits is bounded in bytes: beyond it, no further update is admitted.

use std::sync::Arc;

use steward_model::PartitionId;
use steward_storage::index::IndexPlan;

pub use crate::applying::{Applying, Backlog};
use crate::partitions::Partitions;

/// Says which fields of documents are indexed.
pub type IndexSource = Arc<dyn IndexPlan + Send + Sync>;

impl Partitions {
    /// Applies what is committed, and returns how many partitions' stores refused; those are tried again by the next call.
    pub fn apply(&self, index: &(dyn IndexPlan + Send + Sync)) -> usize {
        let waiting = self.shared().applying.take();
        // Each for itself: a partition whose store refuses holds up none of the others.
        let refused: Vec<PartitionId> = waiting.into_iter().filter(|id| !self.get(*id).apply(index)).collect();
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
