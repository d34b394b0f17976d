//! Checkpoints: make the state store durable, say so in the log, and let go of the log below.
//!
//! A restart reads the log from the last checkpoint on. Older frames may hold promises, which would be lost with them;
//! so the checkpoint frame carries all promises again. The order of the steps is what makes a checkpoint safe:
//!
//! ```text
//!  1 horizon: the end of the log now      what is appended from here on is not in the rows
//!  2 rows: what each store holds          never more than what 3 makes durable
//!  3 the store becomes durable
//!  4 the frame, durable                   only now may a start rely on the store
//!  5 trim below the oldest record that no store holds, and never above 1
//! ```

use steward_model::codec;
use steward_model::mutation::{self, Mutation};
use steward_model::{Lane, Lsn};
use steward_storage::documents;
use steward_storage::log::{Frame, FrameKind, Trimmed, append};
use steward_storage::state::StateStore;

use crate::observer::Fatal;
use crate::partitions::Partitions;
pub use crate::recovery::Row;

/// Why there is no checkpoint. The log keeps everything; the next attempt may succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state store cannot say what it holds, or make it durable.
    #[error("state store could not be made durable: {0}")]
    Store(#[from] documents::Error),
    /// Parts of the state store cannot be read: it has to be made anew out of the log, which therefore keeps everything.
    #[error("the state store is damaged")]
    Damaged,
    /// The log does not take the frame.
    #[error("checkpoint could not be logged: {0}")]
    Log(#[from] append::Error),
    /// The log was trimmed in part, or not at all.
    #[error("commit log could not be trimmed: {0}")]
    Trim(std::io::Error),
}

/// A checkpoint whose frame is on its way to the disk: the log may be trimmed once it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged {
    /// The place of the frame.
    pub frame: Lsn,
    /// Everything below may go.
    pub below: Lsn,
}

impl std::fmt::Display for Logged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "logged a checkpoint at {}, the log below {} may go", self.frame.0, self.below.0)
    }
}

impl Partitions {
    /// Makes the state store of the persisted lane durable and appends the frame that says so. The caller waits until the log
    /// has it on disk and calls [`Partitions::trim`].
    ///
    /// # Errors
    /// [`Error`]: the log keeps everything. If what the store holds is unknown now, the node has been told to stop.
    pub fn checkpoint(&self, store: &dyn StateStore) -> Result<Logged, Error> {
        let log = &self.shared().log;
        self.shared().look_after(store);
        if self.shared().has_failed() {
            return Err(Error::Log(append::Error::Failed));
        }
        if self.shared().is_store_damaged() {
            return Err(Error::Damaged);
        }
        // What is appended from here on is not in the rows below, so it must stay in the log whatever they say.
        let horizon = log.append(&[])?;
        let rows = self.lane(Lane::Persisted).iter().map(|partition| partition.checkpoint_row());
        let rows = match rows.collect::<Result<Vec<_>, documents::Error>>() {
            Ok(rows) => rows,
            Err(error) if error.is_fatal() => return Err(self.ends_with(error)),
            Err(error) => return Err(error.into()),
        };
        let skips = mutation::is(Mutation::TrimWithoutCheckpoint);
        if let Err(error) = if skips { Ok(()) } else { store.checkpoint() } {
            let error = documents::Error::from(error);
            // What a failed sync has left behind nobody knows, and asking again may say "fine" for data that is gone.
            if error.is_fatal() && !mutation::is(Mutation::FailedSyncIgnored) {
                return Err(self.ends_with(error));
            }
            return Err(error.into());
        }
        // One record that no store holds keeps everything above it: the log is shared, and only whole segments go.
        let oldest = rows.iter().filter_map(|(_, lsn)| *lsn).min();
        let oldest = oldest.filter(|_| !mutation::is(Mutation::TrimAboveUnapplied));
        let rows: Vec<&Row> = rows.iter().map(|(row, _)| row).collect();
        let frame = Frame::of_node(FrameKind::Checkpoint, codec::encode_as::<Vec<Row>, _>(&rows).into());
        let frame = log.append(&[frame])?;
        Ok(Logged { frame, below: oldest.map_or(horizon, |oldest| oldest.min(horizon)) })
    }

    /// Tells the node to stop, and returns what the caller is told.
    fn ends_with(&self, error: documents::Error) -> Error {
        self.shared().fail(&Fatal::Store(error));
        Error::Log(append::Error::Failed)
    }

    /// Lets go of the log that a durable checkpoint has released, beyond the backlog that is kept for others.
    ///
    /// # Errors
    /// [`Error::Trim`]; what was not removed is kept, and the next call tries again.
    ///
    /// # Panics
    /// If the frame of the checkpoint is not on disk.
    pub fn trim(&self, checkpoint: Logged) -> Result<Trimmed, Error> {
        let shared = self.shared();
        assert!(shared.log.persisted() >= checkpoint.frame, "a checkpoint releases nothing before it is on disk");
        let trimmed = shared.log.trim_to(checkpoint.below, shared.options.backlog_bytes).map_err(Error::Trim)?;
        // Members are told what can be had here with the next answer that they get.
        self.lane(Lane::Persisted).iter().for_each(|partition| partition.note_trimmed());
        Ok(trimmed)
    }
}
