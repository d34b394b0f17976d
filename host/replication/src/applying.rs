//! The partitions whose state stores are behind, and how far.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Mutex;

use steward_model::PartitionId;
use steward_model::mutation::{self, Mutation};

use crate::observer::{Observer, unpoisoned};
use crate::partition::ProposeError;

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

/// The queue of partitions whose state stores are behind.
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
        match bytes > self.bytes_max && !mutation::is(Mutation::UnappliedUnbounded) {
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

    pub(crate) fn take(&self) -> Vec<PartitionId> {
        let mut queue = unpoisoned(self.queue.lock());
        // A caller that hurries waits for what is taken now, and for nothing that comes later.
        (queue.hurry, queue.records) = (false, 0);
        queue.queued.clear();
        queue.waiting.drain(..).collect()
    }

    pub(crate) fn again(&self, partition: PartitionId) {
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
