//! What the driver reports while it works, and which failures end the process.

use std::sync::{LockResult, MutexGuard};

use steward_model::update::Record;
use steward_model::{Epoch, Offset, PartitionId, Position};
use steward_protocol::replica::{Effect, Event, LineageError};
use steward_storage::documents;
use steward_storage::log::{append, writer};

/// Something that has happened to a copy of a partition. Metrics count facts, log lines print them, and the invariants of the
/// simulation judge them.
#[derive(Debug, Clone, Copy)]
pub enum Fact<'a> {
    /// An update was taken, at its place.
    Proposed(Position),
    /// A reign began with its marker.
    MarkerAppended(Position),
    /// A record that another member has ordered stands in the log.
    Copied(Position),
    /// Records are committed through this offset; those that were not known to be before.
    Committed {
        /// The offset of the last of them.
        through: Offset,
        /// All of them, in their order.
        records: &'a [Record],
        /// The reign of this copy that has committed them; none: it has heard of it from another member's.
        reign: Option<Epoch>,
    },
    /// The copy serves as primary.
    Activated(Epoch),
    /// The reign ended, with so many updates under way whose outcome this node does not know.
    SteppedDown {
        /// The epoch that is over.
        epoch: Epoch,
        /// Whose clients are told that the outcome is unknown.
        under_way: usize,
    },
    /// Records were cut off the end of the log: another reign ordered something else there.
    Truncated {
        /// What the log ends with now.
        after: Option<Position>,
        /// How many were cut.
        records: usize,
    },
    /// The state store holds everything through the last of these records.
    Applied {
        /// The records of the batch.
        records: &'a [Record],
    },
    /// The copy was made anew out of the primary's.
    MadeAnew {
        /// The last record that it holds.
        at: Option<Position>,
    },
    /// The state store did not take a batch; it will be tried again.
    Refused(&'a documents::Error),
}

impl std::fmt::Display for Fact<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = |records: &[Record]| records.last().map_or(Position::default(), |record| record.position);
        match self {
            Fact::Proposed(position) => write!(f, "took the update at {position}"),
            Fact::MarkerAppended(position) => write!(f, "began a reign at {position}"),
            Fact::Copied(position) => write!(f, "copied {position}"),
            Fact::Committed { through, records, .. } => {
                write!(f, "committed up to {through}, {} records", records.len())
            }
            Fact::Activated(epoch) => write!(f, "began to serve epoch {epoch}"),
            Fact::SteppedDown { epoch, under_way } => write!(f, "gave up epoch {epoch}, {under_way} updates under way"),
            Fact::Truncated { after: Some(after), records } => write!(f, "cut {records} records after {after}"),
            Fact::Truncated { after: None, records } => write!(f, "cut all {records} records"),
            Fact::Applied { records } => write!(f, "applied up to {}, {} records", end(records), records.len()),
            Fact::MadeAnew { at: Some(at) } => write!(f, "made anew up to {at}"),
            Fact::MadeAnew { at: None } => f.write_str("made anew, empty"),
            Fact::Refused(error) => write!(f, "failed to apply: {error}"),
        }
    }
}

/// Why a node must not go on: what it would do next could contradict what it has promised.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The commit log does not take what a replica core believes to be in it.
    #[error("commit log refused an admitted frame of partition {partition}: {source}")]
    Log {
        /// The partition whose frame it is.
        partition: PartitionId,
        /// The refusal, which no admitted frame should meet.
        source: append::Error,
    },
    /// A copy was taken whose lineage is none.
    #[error("partition {partition} was made anew out of a copy whose lineage is damaged: {error}")]
    Lineage {
        /// The partition.
        partition: PartitionId,
        /// What is wrong with it.
        error: LineageError,
    },
    /// Nobody knows what of the state store is on the disk, or it lacks what only a start reads out of the log again.
    #[error("state store cannot be relied on: {0}")]
    Store(documents::Error),
}

/// What a step has left in the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// A message to another member: see [`Mail::take_letters`](crate::mail::Mail::take_letters).
    Letter,
    /// Something for the system group: see [`Mail::take_requests`](crate::mail::Mail::take_requests).
    Request,
    /// A wish for records of the log: see [`Partitions::read_log`](crate::Partitions::read_log).
    Read,
}

/// Is told what happens. Called while a partition is held: it must be quick and must not call back.
pub trait Observer: Send + Sync {
    /// Something has happened to the copy of `partition`.
    fn observed(&self, partition: PartitionId, fact: &Fact<'_>);

    /// The core of the copy of `partition` is about to be told of an event. Logged at the level of each step.
    fn told(&self, partition: PartitionId, event: &Event) {
        tracing::trace!(%partition, %event, "replica");
    }

    /// The core of the copy of `partition` wants something done, which is done next. Logged at the level of each step.
    fn wanted(&self, partition: PartitionId, effect: &Effect) {
        tracing::trace!(%partition, %effect, "replica");
    }

    /// There are effects to carry out that were not there before.
    fn effects_added(&self) {}

    /// Something waits for [`Partitions::step`](crate::Partitions::step).
    fn step_wanted(&self) {}

    /// Something lies in the [mail](crate::mail::Mail) that was not there before.
    fn mail_left(&self, what: Left) {
        let _ = what;
    }

    /// So many records, and more and more until somebody takes them, wait for [`Partitions::apply`](crate::Partitions::apply).
    fn apply_wanted(&self, records: usize) {
        let _ = records;
    }

    /// Somebody waits for [`Partitions::apply`](crate::Partitions::apply).
    fn apply_hurried(&self) {}

    /// The disk failed under the commit log: what of it is lasting is unknown.
    ///
    /// # Panics
    /// As [`Observer::failed`].
    fn log_failed(&self, error: &writer::Error) {
        tracing::error!(%error, "commit log failed, host stops at once");
        std::process::abort();
    }

    /// The node must stop at once. Nothing of this crate does anything more afterwards.
    ///
    /// # Panics
    /// Does not return as it stands: it aborts the process. Only a simulation should decide otherwise.
    fn failed(&self, fatal: &Fatal) {
        tracing::error!(%fatal, "host stops at once");
        std::process::abort();
    }
}

/// Returns what a lock guards. A panic while it was held is a broken invariant of ours, and half a decision is worse than none:
/// the process ends.
pub(crate) fn unpoisoned<'a, T>(locked: LockResult<MutexGuard<'a, T>>) -> MutexGuard<'a, T> {
    locked.unwrap_or_else(|_| {
        tracing::error!("a thread panicked while it held a partition, host stops at once");
        std::process::abort()
    })
}
