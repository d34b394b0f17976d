//! What the host does itself when the guest has no handler: replace, merge, delete.

use bytes::Bytes;
use serde_json::{Map, Value};
use steward_model::document::UpdateAction;
use steward_model::service::{NativePatch, NativePut};
use steward_model::{Action, Exact};

use super::body::{Body, built_in};
use super::decision::{Answer, Decision, Next};
use super::{Error, Operation, Status};
use crate::service::{Service, violations};

/// Returns the state that a body stands for: the object without built-in fields.
///
/// # Errors
/// [`Error`] if the body is missing, no object, or does not fit the schema.
pub(super) fn state_of(operation: &Operation, service: &Service) -> Result<Bytes, Error> {
    checked(service, body_of(operation)?.state()?)
}

/// Returns a state that a client has sent and a guest has left as it is.
///
/// # Errors
/// [`Error::Invalid`] if it does not fit the schema.
pub(super) fn unaltered(service: &Service, operation: &Operation, state: Bytes) -> Result<Bytes, Error> {
    match &operation.body {
        Some(body) => fits(service, &body.state()?.to_value(), state),
        None => fits(service, &Value::Object(Map::new()), state),
    }
}

/// Returns the body of an operation.
///
/// # Errors
/// [`Error::BodyMissing`] if there is none.
pub(super) fn body_of(operation: &Operation) -> Result<&Body, Error> {
    let missing = || Error::BodyMissing { link: operation.link.clone(), action: operation.action };
    operation.body.as_ref().ok_or_else(missing)
}

fn checked(service: &Service, mut state: Exact) -> Result<Bytes, Error> {
    let violations = service.schema.as_ref().map_or_else(Vec::new, |schema| schema.settle_integers(&mut state));
    if !violations.is_empty() {
        return Err(Error::Invalid { violations });
    }
    fits(service, &state.to_value(), Bytes::from(state.to_string()))
}

/// Returns the text of a state that fits the schema of the service.
fn fits(service: &Service, state: &Value, text: Bytes) -> Result<Bytes, Error> {
    let violations = violations(service.schema.as_ref(), state, text.len());
    if violations.is_empty() { Ok(text) } else { Err(Error::Invalid { violations }) }
}

/// Does what the operation asks without a guest.
///
/// # Errors
/// [`Error`] if the body is not fit for it, or the service does not support it.
pub(super) fn decide(operation: &Operation, service: &Service, state: &Bytes) -> Result<Decision, Error> {
    let not_supported =
        || Error::NotSupported { link: operation.link.clone(), action: operation.action, allowed: service.actions() };
    let expires = built_in(operation.body.as_ref())?.expiry()?;
    match operation.action {
        Action::Get => Ok(Decision::nothing(UpdateAction::Patch)),
        Action::Post => Err(not_supported()),
        Action::Put => match service.descriptor().put {
            NativePut::None => Err(not_supported()),
            NativePut::Replace => {
                let next = Next::State(state_of(operation, service)?);
                Ok(Decision { next, expires, ..Decision::nothing(UpdateAction::Put) })
            }
        },
        Action::Patch => match service.descriptor().patch {
            NativePatch::None => Err(not_supported()),
            NativePatch::Merge => {
                let next = Next::State(merged(operation, service, state)?);
                Ok(Decision { next, expires, ..Decision::nothing(UpdateAction::Patch) })
            }
        },
        Action::Delete => {
            let next = Next::Tombstone(state.clone());
            Ok(Decision { next, expires, ..Decision::nothing(UpdateAction::Delete) })
        }
    }
}

fn merged(operation: &Operation, service: &Service, state: &Bytes) -> Result<Bytes, Error> {
    let patch = body_of(operation)?.state()?;
    let mut merged = Exact::read(state).map_err(|error| Error::Outcome {
        service: service.path.clone(),
        reason: format!("the stored state is no JSON: {error}"),
    })?;
    // An object merged into an object is one.
    merged.merge(patch);
    checked(service, merged)
}

/// Returns the decision that answers a creation without a guest's reply.
pub(super) fn created(state: Bytes, status: Status) -> Decision {
    Decision { next: Next::State(state), status, answer: Answer::State, ..Decision::nothing(UpdateAction::Post) }
}
