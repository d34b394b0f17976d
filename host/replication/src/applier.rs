//! Brings the state stores up to what is committed: one atomic batch per partition and run.
//!
//! Runs are gathered for a while, so that a document that changes a thousand times a second is not written a thousand
//! times, and that what each batch costs is shared by many updates. Nobody waits for that: reads look into what is not
//! applied yet, and a caller that needs the store to be current now hurries it.
//!
//! A store that refuses a batch has told nothing about what it did: the next attempt begins with what the store says then.
//! What waits is bounded in bytes: beyond it, no further update is admitted.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use steward_model::PartitionId;
use steward_storage::index::IndexPlan;

use crate::observer::{Observer, unpoisoned};
use crate::partition::ProposeError;
use crate::partitions::Partitions;

/// Says which fields of documents are indexed.
pub type IndexSource = Arc<dyn IndexPlan + Send + Sync>;

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<PartitionId>,
    queued: BTreeSet<PartitionId>,
    /// Records that were committed since the last run was taken.
    records: usize,
    /// Bytes of all records that are committed and not applied.
    bytes: u64,
    hurry: bool,
}

/// The partitions whose state stores are behind.
#[derive(Debug)]
pub struct Applying {
    queue: Mutex<Queue>,
    bytes_max: u64,
}

/// What waits for the state stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Partitions with committed records that are not applied.
    pub partitions: usize,
    /// Records committed since the last run.
    pub records: usize,
    /// Bytes of records that are not applied.
    pub bytes: u64,
    /// Somebody waits for the stores to be current.
    pub hurry: bool,
}

impl Applying {
    /// Returns an empty queue that admits updates as long as less than `bytes_max` wait.
    pub(crate) fn new(bytes_max: u64) -> Applying {
        Applying { queue: Mutex::default(), bytes_max }
    }

    /// Takes note that a partition has `records` more committed records of `bytes` to apply.
    pub(crate) fn committed(&self, partition: PartitionId, records: usize, bytes: u64, observer: &dyn Observer) {
        let waiting = {
            let mut queue = unpoisoned(self.queue.lock());
            if queue.queued.insert(partition) {
                queue.waiting.push_back(partition);
            }
            queue.records += records;
            queue.bytes += bytes;
            queue.records
        };
        observer.apply_wanted(waiting);
    }

    /// Refuses an update if the state stores are too far behind.
    pub(crate) fn check(&self) -> Result<(), ProposeError> {
        let bytes = unpoisoned(self.queue.lock()).bytes;
        match bytes > self.bytes_max {
            true => Err(ProposeError::Behind { bytes, most: self.bytes_max }),
            false => Ok(()),
        }
    }

    /// Has what waits applied at once.
    pub(crate) fn hurry(&self, observer: &dyn Observer) {
        unpoisoned(self.queue.lock()).hurry = true;
        observer.apply_hurried();
    }

    /// Returns what waits.
    pub fn backlog(&self) -> Backlog {
        let queue = unpoisoned(self.queue.lock());
        let Queue { records, bytes, hurry, .. } = *queue;
        Backlog { partitions: queue.waiting.len(), records, bytes, hurry }
    }

    fn take(&self) -> Vec<PartitionId> {
        let mut queue = unpoisoned(self.queue.lock());
        // A caller that hurries waits for what is taken now, and for nothing that comes later.
        (queue.hurry, queue.records) = (false, 0);
        queue.queued.clear();
        queue.waiting.drain(..).collect()
    }

    fn again(&self, partition: PartitionId) {
        let mut queue = unpoisoned(self.queue.lock());
        if queue.queued.insert(partition) {
            queue.waiting.push_back(partition);
        }
    }

    pub(crate) fn applied(&self, bytes: u64) {
        let mut queue = unpoisoned(self.queue.lock());
        queue.bytes = queue.bytes.saturating_sub(bytes);
    }
}

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
