//! The node's observer of the driver: it counts facts, and wakes the threads and tasks that have work.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use steward_model::PartitionId;
use steward_model::update::{Change, Entry};
use steward_replication::{Fact, Left, Observer};
use tokio::sync::Notify;

use crate::telemetry::{group, metrics as telemetry};

/// So many committed updates are not gathered any longer.
pub(super) const GATHERED_MAX: usize = 4096;

/// What the applier waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Awaited {
    /// Nothing: it is at work, and looks by itself afterwards.
    Nothing = 0,
    /// The first committed update.
    First = 1,
    /// So many that they are not gathered any longer.
    Many = 2,
}

/// Wakes one thread.
#[derive(Debug, Default)]
pub(super) struct Wakeup {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wakeup {
    pub(super) fn wake(&self) {
        // The flag is set in one assignment: whoever panicked left a whole one.
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    /// Returns once it was woken since the last time, or after `at_most`.
    pub(super) fn wait(&self, at_most: Duration) {
        let woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(woken, at_most, |woken| !*woken);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

#[derive(Debug, Default)]
pub(crate) struct Hands {
    pub(super) step: Wakeup,
    pub(super) apply: Wakeup,
    pub(super) read: Wakeup,
    awaited: AtomicU8,
    effects_added: Notify,
    wishes_left: Notify,
}

impl Hands {
    /// Returns once a partition has new effects to carry out.
    pub(crate) async fn effects_added(&self) {
        self.effects_added.notified().await;
    }

    /// Wakes whoever waits for effects, as if there were new ones.
    pub(crate) fn look_at_effects(&self) {
        self.effects_added.notify_one();
    }

    /// Returns once a copy wants something of the system group.
    pub(super) async fn wishes_left(&self) {
        self.wishes_left.notified().await;
    }

    /// Wakes the driver: letters of other nodes have come in.
    pub(super) fn look_at_mail(&self) {
        self.step.wake();
    }

    /// Says what the applier waits for: whoever commits next must not wake it for less.
    pub(super) fn applier_awaits(&self, awaited: Awaited) {
        self.awaited.store(awaited as u8, Ordering::SeqCst);
    }
}

impl Observer for Hands {
    fn observed(&self, partition: PartitionId, fact: &Fact<'_>) {
        match fact {
            Fact::Proposed(_) => telemetry::proposed(partition.lane),
            Fact::Applied { records } => telemetry::applied(partition.lane, records.len()),
            Fact::Committed { records, reign, .. } => {
                group::committed(partition.lane, records.len(), reign.is_some());
                let is_end = |entry: &Entry| match entry {
                    Entry::Update(update) => update.change == Change::Renewal && update.document.ended_by_expiry(),
                    Entry::Marker | Entry::Forget { .. } => false,
                };
                records.iter().filter(|record| is_end(&record.entry)).for_each(|_| telemetry::expired());
            }
            Fact::Activated(_) => group::reign_begun(partition.lane),
            Fact::SteppedDown { .. } => group::reign_ended(partition.lane),
            Fact::Truncated { records, .. } => group::cut(partition.lane, *records),
            Fact::MarkerAppended(_) | Fact::Copied(_) | Fact::MadeAnew { .. } | Fact::Refused(_) => {}
        }
        tracing::trace!(%partition, %fact, "replica");
    }

    fn effects_added(&self) {
        self.effects_added.notify_one();
    }

    fn step_wanted(&self) {
        self.step.wake();
    }

    fn mail_left(&self, what: Left) {
        match what {
            Left::Letter => self.step.wake(),
            Left::Request => self.wishes_left.notify_one(),
            Left::Read => self.read.wake(),
        }
    }

    fn apply_wanted(&self, records: usize) {
        let awaited = self.awaited.load(Ordering::SeqCst);
        let is_awaited = awaited == Awaited::First as u8 || (awaited == Awaited::Many as u8 && records >= GATHERED_MAX);
        if is_awaited {
            self.apply.wake();
        }
    }

    fn apply_hurried(&self) {
        self.apply.wake();
    }
}
