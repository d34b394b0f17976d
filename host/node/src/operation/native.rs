//! What the host does itself when the guest has no handler: replace, merge, delete.

use bytes::Bytes;
use serde_json::{Map, Value};
use steward_model::document::UpdateAction;
use steward_model::problem::Violation;
use steward_model::service::NativePatch;
use steward_model::{Action, Builtin, json};

use super::body::{Body, built_in, stripped};
use super::decision::{Answer, Decision, Next};
use super::{Error, Operation, Status};
use crate::service::Service;

/// Most violations that one answer lists.
const VIOLATIONS_MAX: usize = 20;

/// Returns what `value`, a text of so many bytes, violates of the schema of the service's state.
pub(super) fn violations(service: &Service, value: &Value, bytes: usize) -> Vec<Violation> {
    let Some(schema) = &service.schema else { return Vec::new() };
    let check = || {
        // Finding that all is well costs less than looking for what is not.
        if schema.validator().is_valid(value) {
            return Vec::new();
        }
        let violation = |error: jsonschema::ValidationError<'_>| Violation {
            pointer: error.instance_path().to_string(),
            detail: error.to_string(),
        };
        schema.validator().iter_errors(value).take(VIOLATIONS_MAX).map(violation).collect()
    };
    if schema.takes_long(bytes) && steward_sandbox::may_block_in_place() {
        tokio::task::block_in_place(check)
    } else {
        check()
    }
}

/// Returns the state that a guest returned, without the fields that the host keeps itself.
///
/// A guest is held to its own schema: it could not read again what does not fit, be it that a number became infinite on the
/// way, and the document would be lost to it. What has not changed is not looked at.
///
/// # Errors
/// [`Error::Outcome`] names the first places that do not fit.
pub(super) fn returned(service: &Service, before: &[u8], state: Bytes) -> Result<Bytes, Error> {
    // Where nothing else asks for the state as a tree, looking for some bytes is cheaper than parsing.
    let is_fine = || service.schema.is_none() && !state.windows(9).any(|window| window == b"\"document");
    if state == before || is_fine() {
        return Ok(state);
    }
    let refused = |reason| Error::Outcome { service: service.path.clone(), reason };
    let Ok(Value::Object(mut parsed)) = serde_json::from_slice(&state) else {
        return Err(refused("the guest returned a state that is no JSON object".to_owned()));
    };
    let has_built_in = parsed.keys().any(|name| Builtin::named(name).is_some());
    if has_built_in {
        parsed = stripped(parsed);
    }
    let parsed = Value::Object(parsed);
    let violations = violations(service, &parsed, state.len());
    if violations.is_empty() {
        return Ok(if has_built_in { parsed.to_string().into() } else { state });
    }
    let told = violations.iter().take(3).map(|violation| format!("{} {}", violation.pointer, violation.detail));
    let told: String = told.collect::<Vec<_>>().join("; ").chars().take(1000).collect();
    Err(refused(format!("the guest returned a state that does not fit its own state schema: {told}")))
}

/// Returns the state that a body stands for: the object without built-in fields.
///
/// # Errors
/// [`Error`] if the body is missing, no object, or does not fit the schema.
pub(super) fn state_of(operation: &Operation, service: &Service) -> Result<Bytes, Error> {
    checked(service, &body_of(operation)?.state()?)
}

/// Returns a state that a client has sent and a guest has left as it is.
///
/// # Errors
/// [`Error::Invalid`] if it does not fit the schema.
pub(super) fn unaltered(service: &Service, operation: &Operation, state: Bytes) -> Result<Bytes, Error> {
    match &operation.body {
        Some(body) => fits(service, &body.state()?, state),
        None => fits(service, &Value::Object(Map::new()), state),
    }
}

fn body_of(operation: &Operation) -> Result<&Body, Error> {
    let missing = || Error::BodyMissing { link: operation.link.clone(), action: operation.action };
    operation.body.as_ref().ok_or_else(missing)
}

fn checked(service: &Service, state: &Value) -> Result<Bytes, Error> {
    fits(service, state, Bytes::from(state.to_string()))
}

/// Returns the text of a state that fits the schema of the service.
fn fits(service: &Service, state: &Value, text: Bytes) -> Result<Bytes, Error> {
    let violations = violations(service, state, text.len());
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
        Action::Put => {
            let next = Next::State(state_of(operation, service)?);
            Ok(Decision { next, expires, ..Decision::nothing(UpdateAction::Put) })
        }
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
    let mut merged = json::plain(state).map_err(|error| Error::Outcome {
        service: service.path.clone(),
        reason: format!("the stored state is no JSON: {error}"),
    })?;
    // An object merged into an object is one.
    json_patch::merge(&mut merged, &patch);
    checked(service, &merged)
}

/// Returns the decision that answers a creation without a guest's reply.
pub(super) fn created(state: Bytes, status: Status) -> Decision {
    Decision { next: Next::State(state), status, answer: Answer::State, ..Decision::nothing(UpdateAction::Post) }
}
