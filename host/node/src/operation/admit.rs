//! The stage that lets an operation in, and finds the service that answers at its link.

use steward_model::operation::Cause;

use super::{Error, Operation, Operations};
use crate::service::Found;

/// Returns what answers at the operation's link.
///
/// # Errors
/// [`Error::Stopping`] for new requests of clients while the host drains, [`Error::UnknownPath`] if nothing is mounted
/// there, [`Error::NotServed`] if something should be.
pub(super) fn admit(operations: &Operations, operation: &Operation) -> Result<Found, Error> {
    open(operations, operation)?;
    found(operations, operation)
}

/// Checks that the host takes new requests.
///
/// # Errors
/// [`Error::Stopping`] for those of clients while it drains.
pub(super) fn open(operations: &Operations, operation: &Operation) -> Result<(), Error> {
    // Other nodes hand on what this one still owns: they hear from the group when that is over.
    if operation.cause == Cause::Client && !operation.handed_on && operations.shutdown.is_draining() {
        return Err(Error::Stopping);
    }
    Ok(())
}

/// Returns what answers at the link of an operation that has been admitted.
///
/// # Errors
/// [`Error::UnknownPath`] if nothing is mounted there, [`Error::NotServed`] if something should be and is not.
pub(super) fn found(operations: &Operations, operation: &Operation) -> Result<Found, Error> {
    let nowhere = || Error::nowhere(&operations.services, &operation.link);
    operations.services.find(&operation.link).ok_or_else(nowhere)
}
