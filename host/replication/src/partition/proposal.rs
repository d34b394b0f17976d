//! A proposal and its other end: what goes to the partition with an update, and how the one who wants it hears of it.

use std::sync::Arc;

use futures_channel::oneshot;
use steward_model::update::Update;
use steward_model::{Document, Epoch, Link, PartitionId, Position};
use steward_protocol::replica::NotAdmitted;
use steward_storage::log::Reservation;

use crate::pending::TooMany;

/// Why an update was not taken into the log. Nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// This node is not the primary, or not yet.
    #[error("partition {partition} takes no updates here: {reason}")]
    NotAdmitted {
        /// The partition of the document.
        partition: PartitionId,
        /// Whom to ask instead, or what this copy waits for.
        reason: NotAdmitted,
    },
    /// The disk is too full for another update.
    #[error("the disk of this node is full: {0}")]
    NoSpace(String),
    /// The state store is so far behind the log that memory would run out. It passes by itself.
    #[error(
        "the state store of this node is {bytes} bytes behind its log, at most {most} are allowed; try again later"
    )]
    Behind {
        /// Bytes committed and not applied, of all partitions.
        bytes: u64,
        /// Bytes that may be.
        most: u64,
    },
    /// So much waits for other members to hold it that memory would run out. It passes when enough of them answer.
    #[error(
        "{bytes} bytes of updates on this node wait for other nodes to hold them, at most {most} are allowed; try again when as many \
         nodes answer as the quorum says"
    )]
    TooFewFollow {
        /// Bytes appended and not known to be committed, of all partitions.
        bytes: u64,
        /// Bytes that may be.
        most: u64,
    },
    /// The document, its factory or the node has too much to send to add more.
    #[error("{0}")]
    TooManyEffects(#[from] TooMany),
    /// The record would not fit into a frame of the log.
    #[error("the update takes about {bytes} bytes with its effects and its remembered answer, the log takes {most}")]
    TooLarge {
        /// Bytes of the record, about.
        bytes: u64,
        /// Bytes that the log takes in one record.
        most: u64,
    },
    /// The node is stopping, or has failed: nobody takes proposals any more.
    #[error("the node is stopping")]
    Stopping,
}

/// The reign ended before the update was committed: whether it happened is unknown here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the outcome of an update of partition {0} is unknown: its primary lost the reign")]
pub struct Lost(pub PartitionId);

/// An update that somebody wants in the log, and whom to tell.
#[derive(Debug)]
pub struct Proposal {
    /// The update, without its place. A turn holds its document meanwhile.
    pub(super) update: Update,
    /// The state that the operation found.
    pub(super) before: Option<Arc<Document>>,
    /// The reign in which the update was decided; another reign takes nothing that this one decided.
    pub(super) epoch: Epoch,
    /// Space in the log, taken before the record exists; none where records stay in memory.
    pub(super) space: Option<Reservation>,
    pub(super) taken: oneshot::Sender<Result<Placed, ProposeError>>,
    pub(super) committed: oneshot::Sender<()>,
}

/// Where an update stands.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The position of its record.
    pub position: Position,
    /// The document after it, as it will be read.
    pub document: Arc<Document>,
}

/// The other end of a [`Proposal`].
#[derive(Debug)]
pub struct Proposed {
    pub(super) partition: PartitionId,
    pub(super) taken: oneshot::Receiver<Result<Placed, ProposeError>>,
    pub(super) committed: oneshot::Receiver<()>,
}

/// Waits for the commit of an update that was taken.
#[derive(Debug)]
pub struct Taken {
    pub(super) partition: PartitionId,
    /// The position of its record, and the document after it.
    pub placed: Placed,
    pub(super) committed: oneshot::Receiver<()>,
}

impl Proposal {
    /// Returns which document it is about.
    pub fn link(&self) -> &Link {
        &self.update.document.link
    }
}

impl std::fmt::Display for Proposal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "update of {} in epoch {}", self.link(), self.epoch)
    }
}

impl Proposed {
    /// Returns where the update stands once it is in the log.
    ///
    /// # Errors
    /// [`ProposeError`]: nothing has happened.
    pub async fn taken(self) -> Result<Taken, ProposeError> {
        let Proposed { partition, taken, committed } = self;
        let placed = taken.await.unwrap_or(Err(ProposeError::Stopping))?;
        Ok(Taken { partition, placed, committed })
    }

    /// Returns what [`Proposed::taken`] would, if it is known, else the proposal again: for those who step by hand and cannot wait.
    ///
    /// # Errors
    /// As [`Proposed::taken`].
    pub fn try_taken(mut self) -> Result<Result<Taken, ProposeError>, Proposed> {
        let known = match self.taken.try_recv() {
            Ok(Some(known)) => known,
            Ok(None) => return Err(self),
            Err(oneshot::Canceled) => Err(ProposeError::Stopping),
        };
        let Proposed { partition, committed, .. } = self;
        Ok(known.map(|placed| Taken { partition, placed, committed }))
    }
}

impl Taken {
    /// Returns once the update is committed.
    ///
    /// # Errors
    /// [`Lost`] if the reign ended first. The caller tells its client that the outcome is unknown.
    pub async fn committed(self) -> Result<Placed, Lost> {
        match self.committed.await {
            Ok(()) => Ok(self.placed),
            Err(oneshot::Canceled) => Err(Lost(self.partition)),
        }
    }

    /// Returns what [`Taken::committed`] would, if it is known: for those who step by hand and cannot wait.
    pub fn try_committed(&mut self) -> Option<Result<(), Lost>> {
        match self.committed.try_recv() {
            Ok(Some(())) => Some(Ok(())),
            Ok(None) => None,
            Err(oneshot::Canceled) => Some(Err(Lost(self.partition))),
        }
    }
}
