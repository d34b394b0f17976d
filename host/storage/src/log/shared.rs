//! What the threads of the log, and those who append, work on together.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use steward_model::Moment;

use super::append::Queue;
use super::disk::Disk;
use super::group::Identity;
use super::ledger::{Ledger, Noted};
use super::listener::{Error, Listener};
use super::segment::Segment;
use super::segment_index::SegmentIndex;

/// Tells the time: a moment that never falls.
pub type Clock = dyn Fn() -> Moment + Send + Sync;

/// What the log has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Groups written; as many fsyncs.
    pub groups: u64,
    /// Frames written; divided by the groups, how many share an fsync.
    pub frames: u64,
    /// Bytes written, with headers and padding.
    pub bytes: u64,
    /// Duration of all fsyncs together, in microseconds.
    pub sync_micros_total: u64,
    /// Duration of the longest fsync, in microseconds.
    pub sync_micros_max: u64,
}

/// What belongs to a log, whoever works on it.
pub(crate) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) identity: Identity,
    pub(super) segment_bytes: u64,
    pub(super) clock: Arc<Clock>,
    pub(super) queue: Mutex<Queue>,
    pub(super) work: Condvar,
    pub(super) spare_wanted: Condvar,
    pub(super) progress: Condvar,
    pub(super) persisted: AtomicU64,
    pub(super) next_segment: AtomicU64,
    pub(super) index: Mutex<SegmentIndex>,
    /// Segments that are no longer in the index, and whose files are still to be removed.
    pub(super) trimming: Mutex<VecDeque<Segment>>,
    pub(super) ledger: Option<Arc<dyn Ledger>>,
    pub(super) noted: Mutex<Noted>,
    pub(super) stats: Mutex<Stats>,
}

/// Locks; a thread that panicked leaves nothing half-done behind, because all changes under these locks are total.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        locked(&self.queue)
    }

    pub(super) fn index(&self) -> MutexGuard<'_, SegmentIndex> {
        locked(&self.index)
    }

    pub(super) fn stats(&self) -> MutexGuard<'_, Stats> {
        locked(&self.stats)
    }

    /// Changes what the ledger says, for good.
    ///
    /// # Errors
    /// Those of the ledger: it says what it said before, or the new.
    pub(super) fn note_segments(&self, change: impl FnOnce(&mut Noted)) -> std::io::Result<()> {
        let mut noted = locked(&self.noted);
        let mut changed = *noted;
        change(&mut changed);
        if let Some(ledger) = self.ledger.as_ref().filter(|_| changed != *noted) {
            changed.write(ledger.as_ref())?;
        }
        *noted = changed;
        Ok(())
    }

    /// Changes the queue, and wakes those who got what they waited for once it is unlocked.
    pub(super) fn change_queue<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.queue();
        let answer = change(&mut queue);
        let woken = queue.reservations.take_woken();
        // A waker may poll on the spot, and that takes the same lock.
        drop(queue);
        woken.into_iter().for_each(Waker::wake);
        answer
    }

    pub(super) fn now(&self) -> Moment {
        (self.clock)()
    }

    pub(super) fn wait_for_work<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.work.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait_for_spare_wanted(&self, queue: MutexGuard<'_, Queue>, at_most: Option<Duration>) {
        // Waking up for no reason is harmless: the caller looks again.
        match at_most {
            Some(span) => drop(self.spare_wanted.wait_timeout(queue, span)),
            None => drop(self.spare_wanted.wait(queue)),
        }
    }

    pub(super) fn fail(&self, listener: &dyn Listener, error: &Error) {
        let first = self.change_queue(|queue| {
            queue.closed = true;
            let first = !std::mem::replace(&mut queue.failed, true);
            queue.grant();
            first
        });
        self.wake_all();
        if first {
            listener.failed(error);
        }
    }

    pub(super) fn wake_all(&self) {
        self.work.notify_all();
        self.spare_wanted.notify_all();
        self.progress.notify_all();
    }
}
