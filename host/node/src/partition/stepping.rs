//! Who turns what the log has made durable into commits: the driver's thread, or the log's own.
//!
//! Problem: while updates come in quick succession the log's writer has the next group to write, and somebody else has to
//! see to the last one. When few come, nothing waits to be written, and handing the group to another thread costs two
//! switches of the processor and, where processors sleep, more time than the commit itself. Promise: the writer steps when it
//! has nothing to write and nobody else is stepping; otherwise the driver does. Either way groups are
//! taken one after the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use steward_model::{Lsn, PartitionId, Position};
use steward_replication::Observer;
use steward_replication::completions::DurabilityListener;
use steward_storage::log::{Listener, writer};

use super::{Hands, Partitions};
use crate::clock::Clock;

pub(super) struct Stepping {
    /// Held while groups are taken: a promise in one must be heard of before the records in the next.
    taking: Mutex<()>,
    /// Not owned: the log's thread, which holds this, belongs to the log, which belongs to them.
    partitions: Weak<Partitions>,
    listener: DurabilityListener,
    hands: Arc<Hands>,
    clock: Arc<Clock>,
}

impl Stepping {
    pub(super) fn new(partitions: &Arc<Partitions>, hands: &Arc<Hands>, clock: &Arc<Clock>) -> Stepping {
        let observer: Arc<dyn Observer> = Arc::clone(hands) as Arc<dyn Observer>;
        Stepping {
            taking: Mutex::default(),
            partitions: Arc::downgrade(partitions),
            listener: DurabilityListener::new(Arc::clone(&partitions.shared().completions), observer),
            hands: Arc::clone(hands),
            clock: Arc::clone(clock),
        }
    }

    /// Takes what is durable now.
    pub(super) fn step(&self, partitions: &Partitions) {
        // It guards no value, so a panic leaves nothing half-done in it; the thread that panicked ends the process.
        let _taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.step(self.clock.now());
    }

    fn try_taking(&self) -> Option<MutexGuard<'_, ()>> {
        match self.taking.try_lock() {
            Ok(taking) => Some(taking),
            Err(TryLockError::Poisoned(taking)) => Some(taking.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Listener for Stepping {
    fn persisted(&self, through: Lsn, ends: &[(PartitionId, Position)]) {
        self.listener.persisted(through, ends);
    }

    fn persisted_last(&self, through: Lsn, ends: &[(PartitionId, Position)]) {
        self.listener.note(through, ends);
        match (self.partitions.upgrade(), self.try_taking()) {
            (Some(partitions), Some(_taking)) => {
                partitions.step(self.clock.now());
                if partitions.shared().is_wanting_space() {
                    self.hands.step.wake();
                }
            }
            // Whoever is stepping may have looked before the note was left.
            (Some(_), None) => self.hands.step.wake(),
            // The node is gone; nobody waits.
            (None, _) => {}
        }
    }

    fn failed(&self, error: &writer::Error) {
        self.listener.failed(error);
    }
}
