//! What an operation waits for on its way, never longer than its deadline.

use std::future::Future;
use std::sync::Arc;

use steward_model::problem::Happened;
use steward_model::{Epoch, Position};

use super::error::Copies;
use super::{Error, Operation, Operations};
use crate::partition::{Partition, Turn};

/// An operation that waits for something of a partition.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    pub operations: &'a Operations,
    pub operation: &'a Operation,
    pub partition: &'a Arc<Partition>,
}

impl Waiting<'_> {
    /// Returns what `waited` for, or none at the operation's deadline.
    pub(super) async fn in_time<T>(self, waited: impl Future<Output = T>) -> Option<T> {
        let left = self.operation.deadline.since(self.operations.clock.now());
        tokio::time::timeout(left, waited).await.ok()
    }

    /// Returns once this node serves the partition.
    ///
    /// # Errors
    /// [`Error::Unavailable`] at the operation's deadline.
    pub(super) async fn serving(self) -> Result<(), Error> {
        let partition = self.partition;
        let admitted = async {
            loop {
                // Registered before the look: a change between the two must not be missed.
                let changed = partition.serving().changed();
                if partition.admits().is_ok() {
                    return;
                }
                changed.await;
            }
        };
        if partition.admits().is_ok() {
            return Ok(());
        }
        // The watch lives as long as the partition, so waiting ends with a change or at the deadline.
        match self.in_time(admitted).await {
            Some(()) => Ok(()),
            None => self.reign().map(|_| ()),
        }
    }

    /// Returns the turn on the operation's document.
    ///
    /// # Errors
    /// [`Error::QueueFull`], or [`Error::Unavailable`] at the operation's deadline.
    pub(super) async fn turn(self) -> Result<Turn, Error> {
        match self.in_time(self.partition.turn(&self.operation.link)).await {
            Some(turn) => turn.map_err(|error| Error::turn(&self.operation.link, error)),
            None => {
                let reason = "operations before this one on the same document are not done".to_owned();
                Err(self.unavailable(reason, Happened::No))
            }
        }
    }

    /// Returns once what an answer was drawn from is committed: a crash must not take back what a client has seen.
    ///
    /// # Errors
    /// [`Error::Lost`], or [`Error::Unavailable`] at the operation's deadline, which then says that the operation has `happened`.
    pub(super) async fn witnessed(self, appended: Option<Position>, happened: Happened) -> Result<(), Error> {
        let Some(position) = appended else { return Ok(()) };
        match self.in_time(self.partition.committed(position)).await {
            Some(committed) => Ok(committed?),
            None => {
                let reason = "an update before this request is not committed yet".to_owned();
                Err(self.unavailable(reason, happened))
            }
        }
    }

    /// Returns the reign that this node serves.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it serves none.
    pub(super) fn reign(self) -> Result<Epoch, Error> {
        self.partition.admits().map_err(|reason| self.unavailable(reason.to_string(), Happened::No))
    }

    /// Returns the error of an operation that waited in vain.
    pub(super) fn unavailable(self, reason: String, happened: Happened) -> Error {
        let limit = self.operations.limits.wait;
        let left = self.operation.deadline.since(self.operations.clock.now());
        let (partition, seconds) = (self.partition.id(), limit.saturating_sub(left).as_secs());
        Error::Unavailable { partition, reason, seconds, happened, copies: Copies::of(self.partition) }
    }
}
