//! Brings the state stores up to the commit offsets: one thread, one atomic batch per partition and run.
//!
//! Runs are gathered for a while, so that a document that changes a thousand times a second is not written a thousand
//! times, and that what each batch costs is shared by many updates. Nobody waits for that: reads look into what is not
//! applied yet, and whoever needs the store to be current now calls [`Applier::hurry`].

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use steward_model::update::{Entry, Record};
use steward_model::{Lane, Offset, PartitionId};
use steward_storage::index::IndexPlan;

use super::{Partition, Table};
use crate::telemetry::metrics as telemetry;

/// How long committed updates are gathered at the longest before they are applied.
const GATHER: Duration = Duration::from_millis(200);

/// So many are not gathered any longer.
const GATHERED_MAX: usize = 4096;

/// How long the applier waits after a failed batch before it tries again.
const RETRY: Duration = Duration::from_millis(500);

/// Says which fields of documents are indexed.
pub type IndexSource = Arc<dyn IndexPlan + Send + Sync>;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<PartitionId>,
    queued: BTreeSet<PartitionId>,
    records: usize,
    hurry: bool,
    stop: bool,
}

/// Hands committed updates to the thread that applies them.
pub struct Applier {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Default for Applier {
    fn default() -> Applier {
        Applier { queue: Mutex::new(Queue::default()), changed: Condvar::new() }
    }
}

impl Applier {
    /// Takes note that a partition has `records` more committed updates to apply.
    pub(super) fn committed(&self, partition: PartitionId, records: usize) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.queued.insert(partition) {
            queue.waiting.push_back(partition);
        }
        let before = queue.records;
        queue.records += records;
        // The thread waits for the first record, and then for so many that it should begin.
        if before == 0 || (before < GATHERED_MAX && queue.records >= GATHERED_MAX) {
            self.changed.notify_one();
        }
    }

    /// Makes the applier apply what waits at once.
    pub fn hurry(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).hurry = true;
        self.changed.notify_all();
    }

    /// Ends the thread after it has applied what waits.
    pub fn stop(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.changed.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).stop
    }

    fn take(&self) -> Option<Vec<PartitionId>> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while queue.waiting.is_empty() {
            if queue.stop {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let gathering = |queue: &mut Queue| !queue.hurry && !queue.stop && queue.records < GATHERED_MAX;
        let waited = self.changed.wait_timeout_while(queue, GATHER, gathering);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        // Whoever hurries waits for what is taken now, and for nothing that comes later.
        (queue.hurry, queue.records) = (false, 0);
        queue.queued.clear();
        Some(queue.waiting.drain(..).collect())
    }

    /// Starts the thread. It ends after [`Applier::stop`], or when the table is gone.
    ///
    /// # Errors
    /// Those of the system when it has no thread to give.
    pub fn start(table: &Arc<Table>, index: IndexSource) -> std::io::Result<std::thread::JoinHandle<()>> {
        let table: Weak<Table> = Arc::downgrade(table);
        let shared = table.upgrade().map(|table| Arc::clone(table.shared()));
        std::thread::Builder::new().name("applier".into()).spawn(move || {
            let Some(shared) = shared else { return };
            while let Some(partitions) = shared.applier.take() {
                let Some(table) = table.upgrade() else { return };
                let refused: Vec<PartitionId> =
                    partitions.into_iter().filter(|id| !table.get(*id).apply(&*index)).collect();
                if !refused.is_empty() {
                    if shared.applier.is_stopping() {
                        // The log has everything; the next start applies it.
                        tracing::warn!(partitions = refused.len(), "stopping with updates that are only in the log");
                        return;
                    }
                    refused.into_iter().for_each(|id| shared.applier.committed(id, 1));
                    std::thread::sleep(RETRY);
                }
            }
        })
    }
}

impl Partition {
    /// Applies what is committed to the state store in one batch. Returns false if the store refused; nothing is lost then.
    pub(super) fn apply(&self, index: &(dyn IndexPlan + Send + Sync)) -> bool {
        let run = std::mem::take(&mut self.lock().unapplied);
        let Some(end) = run.last().map(|record| record.position.offset) else { return true };
        match self.store.apply(&run, index) {
            Ok(_) => {
                telemetry::applied(self.id.lane, run.len());
                self.forget(&run, end);
                true
            }
            Err(error) => {
                tracing::warn!(partition = %self.id, %error, records = run.len(), "state store refused a run, trying again");
                let mut state = self.lock();
                let later = std::mem::replace(&mut state.unapplied, run);
                state.unapplied.extend(later);
                false
            }
        }
    }

    fn forget(&self, run: &[Record], end: Offset) {
        let mut state = self.lock();
        for record in run {
            if let Entry::Update(update) = &record.entry {
                let link = &update.document.link;
                if let Some(presence) = state.recent.applied(end, link) {
                    self.remember(link, &presence);
                }
            }
        }
        if self.id.lane == Lane::Persisted {
            while state.oldest_unapplied.front().is_some_and(|(offset, _)| *offset <= end) {
                state.oldest_unapplied.pop_front();
            }
        }
        // Under the lock: a reader that compares what is applied must not see the old value beside the new cache.
        self.applied.send_replace(Some(end));
    }
}
