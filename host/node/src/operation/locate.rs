//! Second stage: which partition, and may it be used now? What is not ready is waited for, up to the operation's deadline.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use steward_model::{Action, Epoch, Link, Moment, PartitionId, Position};

use super::{Error, Happened, Operation, Operations, create};
use crate::partition::{Partition, Turn};
use crate::service::{Found, Service};

/// Where an operation goes.
pub(super) enum Place {
    /// To a document that may exist.
    Document { service: Arc<Service>, partition: Arc<Partition> },
    /// To a child that is to be created.
    Creation { service: Arc<Service>, partition: Arc<Partition> },
    /// To a stateless service.
    Stateless { service: Arc<Service> },
}

impl Place {
    pub(super) fn service(&self) -> &Arc<Service> {
        match self {
            Place::Document { service, .. } | Place::Creation { service, .. } | Place::Stateless { service } => service,
        }
    }
}

/// Finds the place of an operation. A POST to a factory gets the link of the child that it creates.
///
/// # Errors
/// [`Error`] if the child's link cannot be, or the factory does not support the action.
pub(super) fn locate(operations: &Operations, operation: &mut Operation, found: Found) -> Result<Place, Error> {
    match found {
        Found::Stateless(service) => Ok(Place::Stateless { service }),
        Found::Child(service) => {
            let partition = Arc::clone(operations.table.of(&operation.link, service.lane()));
            Ok(Place::Document { service, partition })
        }
        Found::Factory(service) if operation.action == Action::Post => {
            operation.link = create::child_link(operation, &service)?;
            let partition = Arc::clone(operations.table.of(&operation.link, service.lane()));
            Ok(Place::Creation { service, partition })
        }
        Found::Factory(_) => Err(Error::NotSupported {
            link: operation.link.clone(),
            action: operation.action,
            allowed: vec![Action::Get, Action::Post],
        }),
    }
}

fn left(operations: &Operations, deadline: Moment) -> Duration {
    deadline.since(operations.clock.now())
}

/// Returns the error of an operation that waited in vain.
pub(super) fn unavailable(
    operations: &Operations,
    operation: &Operation,
    partition: PartitionId,
    reason: String,
    happened: Happened,
) -> Error {
    let limit = operations.limits.wait;
    let waited = limit.saturating_sub(left(operations, operation.deadline));
    Error::Unavailable { partition, reason, seconds: waited.as_secs(), happened }
}

/// Returns once this node serves the partition.
///
/// # Errors
/// [`Error::Unavailable`] at the operation's deadline.
pub(super) async fn serving(
    operations: &Operations,
    operation: &Operation,
    partition: &Partition,
) -> Result<(), Error> {
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
    match in_time(operations, operation, admitted).await {
        Some(()) => Ok(()),
        None => reign(operations, operation, partition).map(|_| ()),
    }
}

/// Returns the reign that this node serves.
///
/// # Errors
/// [`Error::Unavailable`] if it serves none.
pub(super) fn reign(operations: &Operations, operation: &Operation, partition: &Partition) -> Result<Epoch, Error> {
    partition
        .admits()
        .map_err(|reason| unavailable(operations, operation, partition.id(), reason.to_string(), Happened::No))
}

/// Returns what `waited` for, or none at the operation's deadline.
pub(super) async fn in_time<T>(
    operations: &Operations,
    operation: &Operation,
    waited: impl Future<Output = T>,
) -> Option<T> {
    tokio::time::timeout(left(operations, operation.deadline), waited).await.ok()
}

/// Returns the turn on the operation's document.
///
/// # Errors
/// [`Error::QueueFull`], or [`Error::Unavailable`] at the operation's deadline.
pub(super) async fn turn(
    operations: &Operations,
    operation: &Operation,
    partition: &Arc<Partition>,
) -> Result<Turn, Error> {
    let link: &Link = &operation.link;
    match in_time(operations, operation, partition.turn(link)).await {
        Some(turn) => turn.map_err(|error| Error::turn(link, error)),
        None => {
            let reason = "operations before this one on the same document are not done".to_owned();
            Err(unavailable(operations, operation, partition.id(), reason, Happened::No))
        }
    }
}

/// Returns once what an answer was drawn from is committed: it must not be taken back by a crash.
///
/// # Errors
/// [`Error::Lost`], or [`Error::Unavailable`] at the operation's deadline, which then says that the operation has `happened`.
pub(super) async fn witnessed(
    operations: &Operations,
    operation: &Operation,
    partition: &Partition,
    appended: Option<Position>,
    happened: Happened,
) -> Result<(), Error> {
    let Some(position) = appended else { return Ok(()) };
    match in_time(operations, operation, partition.committed(position)).await {
        Some(committed) => Ok(committed?),
        None => {
            let reason = "an update before this request is not committed yet".to_owned();
            Err(unavailable(operations, operation, partition.id(), reason, happened))
        }
    }
}
