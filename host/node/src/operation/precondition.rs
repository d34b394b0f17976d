//! Preconditions: what must be true of a document before it is changed, and which error tells that it does not exist.

use steward_model::operation::Cause;
use steward_model::service::ServiceOption;
use steward_model::{Action, Document, Link, Timestamp, Version};

use super::Error;
use super::body::built_in;
use super::request::{Condition, Operation, entity_tag};
use crate::service::Service;

/// Checks what the request demands of the document, which may be absent.
///
/// # Errors
/// [`Error::PreconditionFailed`].
pub(super) fn check_condition(operation: &Operation, document: Option<&Document>) -> Result<(), Error> {
    match is_known(operation, document)? {
        true => Err(failed(operation, document.map(entity_tag))),
        false => Ok(()),
    }
}

/// Checks what the request demands of the state that it finds, if it finds one; returns true if its client says that it has that state, or
/// wants none to be there.
///
/// # Errors
/// [`Error::PreconditionFailed`].
pub(super) fn is_known(operation: &Operation, document: Option<&Document>) -> Result<bool, Error> {
    let condition = &operation.condition;
    // Most requests have none, and to write the tag costs.
    if *condition == Condition::default() {
        return Ok(false);
    }
    let tag = document.map(entity_tag);
    match condition.matches(tag.as_deref()) {
        true => Ok(condition.excludes(tag.as_deref())),
        false => Err(failed(operation, tag)),
    }
}

fn failed(operation: &Operation, have: Option<String>) -> Error {
    Error::PreconditionFailed { link: operation.link.clone(), have }
}

/// Checks that an update names the version that it is based on, where the service demands that. A DELETE need not name one, for most have no
/// body; one that does is held to it.
///
/// # Errors
/// [`Error::PreconditionRequired`], [`Error::VersionConflict`].
pub(super) fn check_strict(operation: &Operation, service: &Service, document: &Document) -> Result<(), Error> {
    let strict = service.has(ServiceOption::StrictUpdateChecking) && operation.cause == Cause::Client;
    if !strict || operation.condition.names_states() {
        return Ok(());
    }
    let link = || operation.link.clone();
    match built_in(operation.body.as_ref())?.version {
        None if operation.action == Action::Delete => Ok(()),
        None => Err(Error::PreconditionRequired { link: link() }),
        Some(named) if named == document.version.0 => Ok(()),
        Some(named) => Err(Error::VersionConflict { link: link(), have: document.version, named: Version(named) }),
    }
}

/// Returns what to say of a document that is not there at `now`: it has expired, it was deleted, or it never was.
pub(super) fn absence(link: &Link, newest: Option<&Document>, now: Timestamp) -> Error {
    match newest {
        Some(newest) if newest.has_expired(now) => Error::Expired { link: link.clone() },
        Some(tombstone) => Error::Deleted { link: link.clone(), version: tombstone.version },
        None => Error::NotFound { link: link.clone() },
    }
}
