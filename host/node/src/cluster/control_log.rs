//! What the node needs of the system group.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use steward_model::Timestamp;
use steward_protocol::cluster::{Applied, ClusterState, Command, Refused};
use tokio::sync::watch;

/// Why a command was not applied, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProposeError {
    /// It was decided, and changed nothing.
    #[error("refused by the system group: {0}")]
    Refused(#[from] Refused),
    /// It is larger than the system log takes.
    #[error("command of {bytes} bytes is too large for the system group, {most} bytes are allowed")]
    TooLarge { bytes: usize, most: usize },
    /// No majority of the voters has made it durable in time. The command may still be applied later: read the state again.
    #[error(
        "the system group did not decide in time: a majority of its voters is missing, or its disk is full or slow"
    )]
    NoMajority,
    /// Nobody is known to lead, or whoever does is out of reach. Nothing has happened.
    #[error(
        "the system group has no leader that this node reaches: a majority of its voters is missing; documents are served all the same"
    )]
    NoLeader,
    /// The system group of this node has stopped, by request or because its disk failed: see the trace.
    #[error("the system group of this node has stopped")]
    Closed,
}

/// The system group could not be asked: a majority of its voters is missing, or out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system group did not confirm its state: a majority of its voters is missing or out of reach")]
pub(crate) struct ReadError;

/// Agreement on the cluster state.
pub(crate) trait ControlLog: Send + Sync {
    /// Has a command decided, made durable and applied; [`ControlLog::state`] shows its effect afterwards.
    ///
    /// # Errors
    /// [`ProposeError`]. Except after [`ProposeError::NoMajority`] and [`ProposeError::Closed`], nothing has changed.
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Applied, ProposeError>>;

    /// Returns the newest state that this node knows to be decided.
    fn state(&self) -> Arc<ClusterState>;

    /// Returns a state that shows everything that was decided before the call, wherever it was decided: a linearizable read.
    ///
    /// # Errors
    /// [`ReadError`] if no majority of the voters confirms it in time.
    fn newest(&self) -> BoxFuture<'_, Result<Arc<ClusterState>, ReadError>>;

    /// Returns a receiver that always holds the newest state; states in between may be missed.
    fn watch(&self) -> watch::Receiver<Arc<ClusterState>>;

    /// Tells the group that this node is about to stop, at the time of day `at`. Returns when it knows, or does not hear.
    fn leave(&self, at: Timestamp) -> BoxFuture<'_, ()>;

    /// Stops taking part. Whatever was answered before is on disk.
    fn stop(&self) -> BoxFuture<'_, ()>;
}
