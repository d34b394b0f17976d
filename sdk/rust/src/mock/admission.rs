//! What the host itself asks of a request and of a state, whatever the service says to it: the expiry in a body, what it takes to
//! create anew what was deleted, and states that fit their schema.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::operation::Asked;
use super::world::Service;
use crate::fault::{Result, invalid, refused};
use crate::request::Cause;
use crate::schema;

/// The field of a body that says when its document ends.
const EXPIRY: &str = "documentExpirationTimeMicros";

/// The field of a body that names a version.
const VERSION: &str = "documentVersion";

/// The directive of a pragma by which a deleted document is created anew, and its history forgotten.
const FORCE: &str = "xn-force-index-update";

/// Returns the expiry that a body asks for; none if it says nothing of it.
///
/// # Errors
/// A fault with status 400 that points at the field.
pub(super) fn expiry(body: Option<&Value>) -> Result<Option<i64>> {
    let wanted = whole(body, EXPIRY)?;
    match wanted.filter(|micros| *micros < 0) {
        None => Ok(wanted),
        Some(micros) => {
            let needed = "0 (never) or microseconds since the Unix epoch";
            Err(invalid(EXPIRY, format!("{EXPIRY} is {micros}: it must be {needed}")))
        }
    }
}

/// Returns a built-in field of a body that is a whole number; none if the body says nothing of it.
fn whole(body: Option<&Value>, field: &str) -> Result<Option<i64>> {
    let wanted = body.map_or(&Value::Null, |body| &body[field]);
    if wanted.is_null() {
        return Ok(None);
    }
    let invalid = || invalid(field, format!("{field} is {wanted}: it must be a whole number of 64 bits"));
    wanted.as_i64().map(Some).ok_or_else(invalid)
}

/// Checks a creation at a link whose document was deleted at version `deletion`, or whose link is free.
///
/// # Errors
/// A fault with status 409 that tells the number and the header, of which the creation has neither; or with status 400 if the number
/// cannot be read.
pub(super) fn revival(asked: &Asked, deletion: Option<u64>) -> Result {
    let named = whole(asked.body.as_ref(), VERSION)?.and_then(|named| u64::try_from(named).ok());
    let Some(deletion) = deletion.filter(|deletion| named.is_none_or(|named| named <= *deletion) && !forces(asked))
    else {
        return Ok(());
    };
    let (link, next) = (&asked.link, deletion + 1);
    let remedy = format!("create it anew with {VERSION} {next} or higher, or with the header Pragma: {FORCE}");
    Err(refused(409, "marked-deleted", format!("{link} was deleted, at version {deletion}: {remedy}")))
}

/// Returns true for a creation that forgets the versions before it.
pub(super) fn forgets(asked: &Asked) -> bool {
    forces(asked) || asked.cause != Cause::Client
}

fn forces(asked: &Asked) -> bool {
    let pragmas = asked.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("pragma"));
    pragmas.flat_map(|header| header.value.split([',', ';'])).any(|directive| directive.trim() == FORCE)
}

/// The patterns of a service's schemas, by their texts.
#[derive(Debug, Default)]
pub(super) struct Patterns(BTreeMap<String, Regex>);

/// A value that its schema does not take.
struct Misfit {
    pointer: String,
    message: String,
}

impl Patterns {
    /// Reads the patterns of a descriptor. The host refuses the module for one that cannot be read; the output of
    /// the test tells of it.
    pub(super) fn of(descriptor: &Value) -> Patterns {
        let mut patterns = Patterns::default();
        patterns.read(&descriptor["stateSchema"]);
        patterns.read(&descriptor["actions"]);
        patterns
    }

    fn read(&mut self, schema: &Value) {
        match schema {
            Value::Object(fields) => {
                if let Some(Value::String(text)) = fields.get("pattern") {
                    match Regex::new(&in_ascii(text)) {
                        Ok(pattern) => drop(self.0.insert(text.clone(), pattern)),
                        Err(error) => eprintln!("the host will refuse the pattern {text}: {error}"),
                    }
                }
                fields.values().for_each(|inside| self.read(inside));
            }
            Value::Array(items) => items.iter().for_each(|inside| self.read(inside)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
        }
    }

    /// Returns the first text in a value that breaks its pattern.
    fn misfit(&self, schema: &Value, value: &Value, pointer: &str) -> Option<Misfit> {
        for choice in ["anyOf", "oneOf"] {
            let choices = schema[choice].as_array().into_iter().flatten();
            let mut fitting = choices.filter(|choice| schema::check(choice, value).is_ok()).peekable();
            if fitting.peek().is_some() {
                let misfits: Option<Vec<Misfit>> = fitting.map(|choice| self.misfit(choice, value, pointer)).collect();
                if let Some(first) = misfits.and_then(|misfits| misfits.into_iter().next()) {
                    return Some(first);
                }
            }
        }
        match value {
            Value::String(text) => {
                let known = schema["pattern"].as_str()?;
                let fits = self.0.get(known)?.is_match(text);
                let field = pointer.trim_start_matches('/').replace('/', ".");
                let message = || format!("{field} must be a text like {known}, found {text:?}");
                (!fits).then(|| Misfit { pointer: pointer.to_owned(), message: message() })
            }
            Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
                let own = &schema["prefixItems"][index];
                let inside = if own.is_null() { &schema["items"] } else { own };
                self.misfit(inside, item, &format!("{pointer}/{index}"))
            }),
            Value::Object(fields) => fields.iter().find_map(|(name, item)| {
                let own = &schema["properties"][name];
                let inside = if own.is_null() { &schema["additionalProperties"] } else { own };
                let step = name.replace('~', "~0").replace('/', "~1");
                self.misfit(inside, item, &format!("{pointer}/{step}"))
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }
}

/// Checks a state, which `handler` has left after a request with that body, against the schema of the service.
///
/// # Errors
/// A fault with status 400 if the body breaks a pattern of its own, or has the same value at the same place: it is the client who is
/// to mend it. Else the service has spoiled its state, status 500.
pub(super) fn check(service: &Service, handler: &str, body: Option<&Value>, state: &Value) -> Result {
    let (patterns, descriptor) = (&service.patterns, &service.descriptor);
    let schema = &descriptor["stateSchema"];
    let wrong = match schema::check(schema, state) {
        Err(fault) => Misfit { pointer: fault.pointer, message: fault.message },
        Ok(()) => match patterns.misfit(schema, state, "") {
            Some(wrong) => wrong,
            None => return Ok(()),
        },
    };
    let body = body.unwrap_or(&Value::Null);
    let kinds = &descriptor["actions"][handler];
    let action = kinds.get(body["kind"].as_str().unwrap_or_default()).or_else(|| kinds.get(""));
    if let Some(wrong) = action.and_then(|action| patterns.misfit(action, body, "")) {
        return Err(invalid(&wrong.pointer, wrong.message));
    }
    if body.pointer(&wrong.pointer).is_some_and(|sent| Some(sent) == state.pointer(&wrong.pointer)) {
        return Err(invalid(&wrong.pointer, wrong.message));
    }
    let reason = format!("the service has left a state that does not fit: {}", wrong.message);
    Err(refused(500, "guest-outcome", reason))
}

/// Returns a state of an older version in the shape of the service's own.
///
/// # Errors
/// The fault with which the service refuses, or status 500 if what it returns does not fit its schema.
pub(super) fn migrated(service: &Service, state: String, from: u32) -> Result<String> {
    let state = (service.migrate)(state, from)?;
    let read = serde_json::from_str(&state);
    let read = read.map_err(|error| refused(500, "guest-answer", format!("the state is no JSON: {error}")))?;
    check(service, "migrate", None, &read)?;
    Ok(state)
}

/// Returns a pattern with the classes of ECMA-262, in which digits and the letters of words are those of ASCII.
fn in_ascii(pattern: &str) -> String {
    let mut letters = pattern.chars();
    let mut text = String::with_capacity(pattern.len());
    while let Some(letter) = letters.next() {
        let escaped = if letter == '\\' { letters.next() } else { None };
        match escaped {
            Some('d') => text.push_str("[0-9]"),
            Some('D') => text.push_str("[^0-9]"),
            Some('w') => text.push_str("[0-9A-Za-z_]"),
            Some('W') => text.push_str("[^0-9A-Za-z_]"),
            Some(other) => text.extend(['\\', other]),
            None => text.push(letter),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_as_those_of_ecma_262() {
        for (pattern, text, fits) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^[\w.-]+$", "a_1.b-c", true),
            (r"^[\w.-]+$", "ä", false),
            (r"^\W$", "ä", true),
            (r"^\\d$", r"\d", true),
            (r"^\p{Lu}", "Äb", true),
        ] {
            let read = Regex::new(&in_ascii(pattern)).expect("a pattern");
            assert_eq!(read.is_match(text), fits, "{pattern} {text}");
        }
        for refused in [r"^(?=.*\d)[a-z\d]{3,}$", r"^(?!x)", r"(a)\1"] {
            assert!(Regex::new(&in_ascii(refused)).is_err(), "{refused}");
        }
    }
}
