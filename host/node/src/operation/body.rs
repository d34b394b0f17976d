//! The body of a request: JSON that is parsed once, whoever asks how often, and only if somebody asks.
//!
//! A guest gets the text as it came. The host looks into it for the built-in fields that a client may send, and where it replaces or
//! merges a state itself. Most updates of documents with a guest name no built-in field, and are never parsed by the host.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::{Map, Value};
use steward_model::{Builtin, Timestamp, json};

use super::Error;

/// A JSON text that has been checked ([`json::check`]).
#[derive(Debug, Clone)]
pub struct Body {
    text: Bytes,
    parsed: OnceLock<Arc<Parsed>>,
}

/// What the text says.
#[derive(Debug)]
enum Parsed {
    Object {
        state: Value,
        built_in: Result<BuiltIn, Fault>,
    },
    /// The kind of value that it is instead.
    NoObject(&'static str),
}

/// A built-in field with a value that cannot be.
#[derive(Debug, Clone)]
struct Fault {
    field: &'static str,
    reason: String,
}

/// The built-in fields that a client may send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct BuiltIn {
    /// The name or the link of a child that is to be created.
    pub self_link: Option<String>,
    /// The version that an update is based on, or that a creation has to exceed.
    pub version: Option<i64>,
    /// When the document expires; 0 stands for never.
    pub expires: Option<Timestamp>,
    /// The document that this one is a copy of.
    pub source: Option<String>,
}

impl Body {
    /// Returns the body with this text.
    pub fn new(text: Bytes) -> Body {
        Body { text, parsed: OnceLock::new() }
    }

    /// Returns the text as it came.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// Returns the state that the body stands for: the object without built-in fields.
    ///
    /// # Errors
    /// [`Error::NotAnObject`].
    pub(super) fn state(&self) -> Result<&Value, Error> {
        match self.parsed() {
            Parsed::Object { state, .. } => Ok(state),
            Parsed::NoObject(found) => Err(Error::NotAnObject { found }),
        }
    }

    /// Returns the built-in fields; none of them if the body is no object, which whoever needs one finds out.
    ///
    /// # Errors
    /// [`Error::BuiltInField`] if one of them has a value that cannot be.
    pub(super) fn built_in(&self) -> Result<BuiltIn, Error> {
        // Most bodies have none, and looking for eight bytes is cheaper than parsing.
        if !self.text.windows(8).any(|window| window == b"document") {
            return Ok(BuiltIn::default());
        }
        match self.parsed() {
            Parsed::Object { built_in: Ok(built_in), .. } => Ok(built_in.clone()),
            Parsed::Object { built_in: Err(Fault { field, reason }), .. } => {
                Err(Error::BuiltInField { field, reason: reason.clone() })
            }
            Parsed::NoObject(_) => Ok(BuiltIn::default()),
        }
    }

    fn parsed(&self) -> &Parsed {
        self.parsed.get_or_init(|| Arc::new(Parsed::of(&self.text)))
    }
}

/// Returns the built-in fields of a request, which may have no body.
///
/// # Errors
/// As [`Body::built_in`].
pub(super) fn built_in(body: Option<&Body>) -> Result<BuiltIn, Error> {
    body.map_or_else(|| Ok(BuiltIn::default()), Body::built_in)
}

impl Parsed {
    fn of(text: &[u8]) -> Parsed {
        match json::plain(text) {
            Ok(Value::Object(object)) => {
                let built_in = BuiltIn::of(&object);
                Parsed::Object { state: Value::Object(stripped(object)), built_in }
            }
            Ok(Value::Array(_)) => Parsed::NoObject("an array"),
            Ok(Value::String(_)) => Parsed::NoObject("a string"),
            Ok(Value::Number(_)) => Parsed::NoObject("a number"),
            Ok(Value::Bool(_)) => Parsed::NoObject("a boolean"),
            Ok(Value::Null) => Parsed::NoObject("null"),
            Err(_) => Parsed::NoObject("no JSON"),
        }
    }
}

impl BuiltIn {
    fn of(object: &Map<String, Value>) -> Result<BuiltIn, Fault> {
        let text = |field| value_of(object, field, "a text", |value| value.as_str().map(str::to_owned));
        let integer = |field| value_of(object, field, "a whole number of 64 bits", Value::as_i64);
        let expires = integer(Builtin::ExpirationTime)?;
        if let Some(micros) = expires.filter(|micros| *micros < 0) {
            return Err(Fault {
                field: Builtin::ExpirationTime.name(),
                reason: format!("is {micros}: it must be 0 (never) or microseconds since the Unix epoch"),
            });
        }
        Ok(BuiltIn {
            self_link: text(Builtin::SelfLink)?,
            version: integer(Builtin::Version)?,
            expires: expires.map(Timestamp),
            source: text(Builtin::SourceLink)?,
        })
    }
}

/// Returns the value of a field, or none if it is absent or null.
fn value_of<T>(
    object: &Map<String, Value>,
    field: Builtin,
    wanted: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, Fault> {
    let Some(value) = object.get(field.name()).filter(|value| !value.is_null()) else { return Ok(None) };
    let told = || value.to_string().chars().take(TOLD_MAX).collect::<String>();
    let fault = || Fault { field: field.name(), reason: format!("is {}: it must be {wanted}", told()) };
    read(value).map(Some).ok_or_else(fault)
}

/// Longest part of a wrong value that its refusal shows.
const TOLD_MAX: usize = 60;

/// Removes the fields that the host keeps itself.
pub(super) fn stripped(mut state: Map<String, Value>) -> Map<String, Value> {
    state.retain(|name, _| Builtin::named(name).is_none());
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &'static str) -> Body {
        Body::new(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn the_state_is_the_object_without_built_in_fields() {
        let body = body(r#"{"a":1,"documentVersion":3,"documentOwner":"x","documented":true}"#);
        assert_eq!(body.state().expect("an object").to_string(), r#"{"a":1,"documented":true}"#);
        let built_in = body.built_in().expect("fields that can be");
        assert_eq!(built_in, BuiltIn { version: Some(3), ..BuiltIn::default() });
    }

    #[test]
    fn a_built_in_field_of_another_type_is_refused_by_its_own_name() {
        for (text, field, told) in [
            (r#"{"documentVersion":1.5}"#, "documentVersion", "is 1.5"),
            (r#"{"documentSelfLink":7}"#, "documentSelfLink", "is 7"),
            (r#"{"documentExpirationTimeMicros":-1}"#, "documentExpirationTimeMicros", "is -1"),
            (r#"{"documentSourceLink":{}}"#, "documentSourceLink", "is {}"),
        ] {
            let Err(Error::BuiltInField { field: named, reason }) = body(text).built_in() else { panic!("{text}") };
            assert_eq!(named, field);
            assert!(reason.starts_with(told), "{reason}");
        }
        assert_eq!(body(r#"{"documentVersion":null}"#).built_in().ok(), Some(BuiltIn::default()));
    }

    #[test]
    fn what_is_no_object_has_no_state() {
        for (text, kind) in [("[\"documentVersion\"]", "an array"), ("\"document\"", "a string"), ("null", "null")] {
            assert!(matches!(body(text).state(), Err(Error::NotAnObject { found }) if found == kind));
            assert_eq!(body(text).built_in().ok(), Some(BuiltIn::default()));
        }
    }
}
