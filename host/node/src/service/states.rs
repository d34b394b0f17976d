//! States as guests make them: held to the schema of their service, and brought into the shape of the mounted module.
//!
//! Reads, listings and queries get the documents that they show from here. So a state that the module cannot read is a
//! failure everywhere, and never shown as it is stored.

use std::sync::Arc;

use bytes::Bytes;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};
use steward_model::leaves::pointer_step;
use steward_model::problem::{Kind, Problem, Violation};
use steward_model::service::{Descriptor, Handler};
use steward_model::{Builtin, Document, Exact, Link, json};
use steward_sandbox::{CallError, Imports, Module, Silent};

use super::checks;
use super::schema::{Schema, Verdict};

/// Most violations that one answer lists.
const VIOLATIONS_MAX: usize = 20;

/// Most characters of what is said of one, which may quote what was found.
const DETAIL_CHARACTERS_MAX: usize = 500;

/// Why a stored state cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// The module does not read the shape in which the state is stored.
    #[error("{link} is stored as state version {stored}, the mounted module does not read that")]
    Version {
        link: Link,
        /// The shape it is stored in.
        stored: u32,
    },
    /// The guest refuses or fails to bring it into its own shape.
    #[error("service {service}: {error}")]
    Guest { service: Link, error: CallError },
    /// What the guest made of it cannot be a state.
    #[error("service {service}: {reason}")]
    Outcome {
        service: Link,
        /// What is wrong with it.
        reason: String,
    },
}

impl Unreadable {
    /// Returns the failure as everybody speaks of it.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Unreadable::Version { .. } => Problem::never(Kind::Internal, "state-version", self),
            Unreadable::Guest { error, .. } => problem_of_call(error, self),
            Unreadable::Outcome { .. } => Problem::never(Kind::Internal, "guest-outcome", self),
        }
    }
}

/// Returns the failure of a guest's call as everybody speaks of it; `told` says it for people.
pub(crate) fn problem_of_call(error: &CallError, told: &impl std::fmt::Display) -> Problem {
    match error {
        CallError::Refused(fault) => Problem::from(fault.clone()),
        CallError::Deadline { .. } | CallError::GuestSilent { .. } => {
            Problem::never(Kind::Deadline, error.code(), told)
        }
        CallError::ClientSilent { .. } => Problem::later(Kind::Late, error.code(), 0, told),
        CallError::Overloaded { .. } => Problem::later(Kind::Unavailable, "overloaded", 1, told),
        CallError::Trap { .. }
        | CallError::NoAnswer { .. }
        | CallError::Memory { .. }
        | CallError::StackOverflow { .. }
        | CallError::OutputTooLarge { .. }
        | CallError::TooManyEffects { .. }
        | CallError::NotJson { .. }
        | CallError::NotAnObject
        | CallError::Status { .. }
        | CallError::RefusalStatus { .. }
        | CallError::RefusalCode { .. }
        | CallError::Effect { .. }
        | CallError::NotText { .. }
        | CallError::MissingHandler { .. } => Problem::never(Kind::Internal, error.code(), told),
    }
}

/// Why a state that a guest returned is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// It is something else.
    #[error("the guest returned a state that is no JSON object")]
    NotAnObject,
    /// It breaks the schema of its service.
    #[error("the guest returned a state that does not fit its own state schema: {}", told(violations))]
    Schema {
        /// Where, and what is wrong there.
        violations: Vec<Violation>,
        /// What was returned.
        state: Value,
    },
}

fn told(violations: &[Violation]) -> String {
    let told = violations.iter().take(3).map(|violation| format!("{} {}", violation.pointer, violation.detail));
    told.collect::<Vec<_>>().join("; ").chars().take(1000).collect()
}

/// A module, and what its states have to be like.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// Where it answers, or is to answer.
    pub path: &'a Link,
    pub module: &'a Module,
    /// What the guest says about itself.
    pub descriptor: &'a Descriptor,
    /// The schema of its state; none if that allows everything.
    pub schema: Option<&'a Schema>,
}

/// Returns the document in the shape of the module's state.
///
/// # Errors
/// [`Unreadable`] says why the module does not bring it there.
pub(crate) async fn migrated(reader: Reader<'_>, document: &Arc<Document>) -> Result<Arc<Document>, Unreadable> {
    let descriptor = reader.descriptor;
    let stored = document.state_version;
    if stored == descriptor.state_version {
        return Ok(Arc::clone(document));
    }
    if !descriptor.reads(stored) {
        return Err(Unreadable::Version { link: document.link.clone(), stored });
    }
    // A migration depends on the state alone, or two reads of one document could differ.
    let imports: Arc<dyn Imports> = Arc::new(Silent);
    let body = reader.module.migrate(&document.body, stored, &imports).await;
    let body = body.map_err(|error| Unreadable::Guest { service: reader.path.clone(), error })?;
    let refused = |reason| Unreadable::Outcome { service: reader.path.clone(), reason };
    let body = returned(reader.schema, &[], body).map_err(|unfit| refused(unfit.to_string()))?;
    Ok(Arc::new(Document { body, state_version: descriptor.state_version, ..Document::clone(document) }))
}

/// Returns the state that a guest returned, without the fields that the host keeps itself.
///
/// A guest is held to its own schema: it could not read again what does not fit, be it that a number became infinite on the
/// way, and the document would be lost to it. What has not changed is not looked at.
///
/// # Errors
/// [`Unfit`], with the first places that do not fit.
pub(crate) fn returned(schema: Option<&Schema>, before: &[u8], state: Bytes) -> Result<Bytes, Unfit> {
    // Where nothing else asks for the state as a tree, looking for some bytes is cheaper than parsing.
    let is_fine = || schema.is_none() && !state.windows(9).any(|window| window == b"\"document");
    if state == before || is_fine() {
        return Ok(state);
    }
    let Ok(Value::Object(parsed)) = serde_json::from_slice(&state) else {
        return Err(Unfit::NotAnObject);
    };
    let has_built_in = parsed.keys().any(|name| Builtin::named(name).is_some());
    let parsed = Value::Object(if has_built_in { stripped(parsed) } else { parsed });
    let violations = violations(schema, &parsed, state.len());
    if violations.is_empty() && has_built_in {
        let mut exact = Exact::read(&state).map_err(|_| Unfit::NotAnObject)?;
        exact.as_object_mut().ok_or(Unfit::NotAnObject)?.drop_built_in();
        return Ok(exact.to_string().into());
    }
    if violations.is_empty() {
        return Ok(state);
    }
    Err(Unfit::Schema { violations, state: parsed })
}

/// Returns what of a state that does not fit is the client's own fault: what its body violates of the schema that the service has given
/// for it, else the values that its body has at the same places. A guest need not know all that a schema can say.
pub(crate) fn violations_of_client(reader: Reader<'_>, handler: Handler, body: &[u8], unfit: Unfit) -> Vec<Violation> {
    let Unfit::Schema { mut violations, state } = unfit else { return Vec::new() };
    let of_body = body_violations(reader, handler, body);
    if !of_body.is_empty() {
        return of_body;
    }
    let sent = json::plain(body).unwrap_or_default();
    let is_sent = |pointer: &str| sent.pointer(pointer).is_some_and(|sent| state.pointer(pointer) == Some(sent));
    violations.retain(|violation| is_sent(&violation.pointer));
    violations
}

/// Returns what `value`, a text of so many bytes, violates of the schema of a state.
pub(crate) fn violations(schema: Option<&Schema>, value: &Value, bytes: usize) -> Vec<Violation> {
    let Some(schema) = schema else { return Vec::new() };
    out_of_the_way(schema, bytes, || match schema.judge(value, bytes) {
        Verdict::Fits => Vec::new(),
        Verdict::Misfits(errors) => listed(errors),
        Verdict::MisfitsSomewhere => {
            at_the_whole("does not fit the schema, and has too many values to say at which of them: send fewer")
        }
        Verdict::TooLong => at_the_whole(
            "has so many values, and the schema asks so much of each, that it cannot be checked in a second: send fewer, or ask less",
        ),
    })
}

fn at_the_whole(detail: &str) -> Vec<Violation> {
    vec![Violation { pointer: String::new(), detail: format!("it {detail}") }]
}

/// Does a check of so many bytes, in such a way that it holds up nobody else for long.
fn out_of_the_way<T>(schema: &Schema, bytes: usize, check: impl FnOnce() -> T) -> T {
    if schema.takes_long(bytes) && steward_sandbox::may_block_in_place() {
        tokio::task::block_in_place(|| checks::in_turn(check))
    } else {
        check()
    }
}

/// Returns the first places at which a value does not fit.
fn listed(errors: Vec<jsonschema::ValidationError<'_>>) -> Vec<Violation> {
    let violation = |error: jsonschema::ValidationError<'_>| {
        let mut detail = error.to_string();
        if let Some((end, _)) = detail.char_indices().nth(DETAIL_CHARACTERS_MAX) {
            detail.truncate(end);
            detail.push('…');
        }
        Violation { pointer: pointer_of(&error), detail }
    };
    errors.into_iter().take(VIOLATIONS_MAX).map(violation).collect()
}

/// Returns where a violation is to be mended: for a field that is missing the place that it would have, as SDKs tell it.
fn pointer_of(error: &jsonschema::ValidationError<'_>) -> String {
    let place = error.instance_path();
    match error.kind() {
        ValidationErrorKind::Required { property: Value::String(name) } => format!("{place}/{}", pointer_step(name)),
        _ => place.to_string(),
    }
}

/// Returns what a body that was not taken violates of the schema that its service has given for it: that of the action, or of the
/// state where the body is one. Nothing if there is no such schema.
pub(crate) fn body_violations(reader: Reader<'_>, handler: Handler, body: &[u8]) -> Vec<Violation> {
    let Ok(Value::Object(object)) = json::plain(body) else { return Vec::new() };
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let kinds = reader.descriptor.actions.get(handler.as_str());
    let action = kinds.and_then(|kinds| kinds.get(kind).or_else(|| kinds.get("")));
    match (action, handler) {
        (Some(schema), _) => match Schema::compile_of_body(schema) {
            Ok(schema) => violations(schema.as_ref(), &Value::Object(object), body.len()),
            // What cannot be checked in bounded time is not checked.
            Err(_) => Vec::new(),
        },
        (None, Handler::HandleCreate | Handler::HandlePut) => {
            violations(reader.schema, &Value::Object(stripped(object)), body.len())
        }
        (None, _) => Vec::new(),
    }
}

/// Removes the fields that the host keeps itself.
pub(crate) fn stripped(mut state: Map<String, Value>) -> Map<String, Value> {
    state.retain(|name, _| Builtin::named(name).is_none());
    state
}
