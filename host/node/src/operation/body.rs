//! The body of a request: what the host looks for in it, and when.
//!
//! A guest gets the text as it came. The host looks into it only for the built-in fields that a client may send: once,
//! without building a tree, and only if the text can have such fields. So the host never parses most updates of
//! documents with a guest.
//!
//! The host builds a tree only where it replaces, merges or creates a state itself, and drops it after that. An
//! operation may wait for minutes; meanwhile it holds only the text, whose bytes were counted when they arrived.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use steward_model::{Builtin, Exact, Timestamp};

use super::Error;

/// Longest part of a wrong value that its refusal shows.
const TOLD_MAX: usize = 60;

/// A JSON text that has been checked ([`steward_model::json::check`]).
#[derive(Debug, Clone)]
pub(crate) struct Body {
    text: Bytes,
    built_in: OnceLock<Arc<Result<BuiltIn, WrongField>>>,
}

/// A built-in field with a value that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WrongField {
    field: &'static str,
    reason: String,
}

/// The built-in fields that a client may send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct BuiltIn {
    /// The name or the link of a child that is to be created.
    pub self_link: Option<String>,
    /// The version that an update is based on, or that a creation has to exceed.
    pub version: Option<u64>,
    /// When the document expires, in microseconds since the Unix epoch; 0 stands for never.
    expires: Option<i64>,
    /// The document that this one is a copy of.
    pub source: Option<String>,
}

impl BuiltIn {
    /// Returns the expiry that the body asks for.
    ///
    /// # Errors
    /// [`Error::BuiltInField`] if it lies before the Unix epoch.
    pub(super) fn expiry(&self) -> Result<Option<Timestamp>, Error> {
        match self.expires {
            Some(micros) if micros < 0 => Err(Error::BuiltInField {
                field: Builtin::ExpirationTime.name(),
                reason: format!("is {micros}: it must be 0 (never) or microseconds since the Unix epoch"),
            }),
            expires => Ok(expires.map(Timestamp)),
        }
    }
}

impl Body {
    /// Returns the body with this text.
    pub(crate) fn new(text: Bytes) -> Body {
        Body { text, built_in: OnceLock::new() }
    }

    /// Returns the text as it came.
    pub(crate) fn text(&self) -> &Bytes {
        &self.text
    }

    /// Returns the state that the body stands for: the object without built-in fields.
    ///
    /// # Errors
    /// [`Error::NotAnObject`].
    pub(super) fn state(&self) -> Result<Exact, Error> {
        let read = Exact::read(&self.text);
        if let Ok(Exact::Object(mut members)) = read {
            members.drop_built_in();
            return Ok(Exact::Object(members));
        }
        self.check_object()?;
        Err(Error::NotAnObject { found: "no JSON" })
    }

    /// Refuses what is no object: whoever sends it means something that nobody here would read.
    ///
    /// # Errors
    /// [`Error::NotAnObject`].
    pub(super) fn check_object(&self) -> Result<(), Error> {
        // The text was checked when it arrived; its first letter tells what it is.
        let found = match self.text.trim_ascii_start().first() {
            Some(b'{') => return Ok(()),
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            Some(_) => "a number",
            None => "no JSON",
        };
        Err(Error::NotAnObject { found })
    }

    /// Returns the built-in fields; none of them if the body is no object, which whoever makes a state of it finds out.
    ///
    /// # Errors
    /// [`Error::BuiltInField`] if one of them has a value that cannot be, or stands there twice.
    pub(super) fn built_in(&self) -> Result<BuiltIn, Error> {
        // Most bodies have none, and looking for eight bytes is cheaper than parsing.
        if !self.text.windows(8).any(|window| window == b"document") {
            return Ok(BuiltIn::default());
        }
        match &**self.built_in.get_or_init(|| Arc::new(look(&self.text))) {
            Ok(built_in) => Ok(built_in.clone()),
            Err(WrongField { field, reason }) => Err(Error::BuiltInField { field, reason: reason.clone() }),
        }
    }
}

/// Returns the built-in fields of a request, which may have no body.
///
/// # Errors
/// As [`Body::built_in`].
pub(super) fn built_in(body: Option<&Body>) -> Result<BuiltIn, Error> {
    body.map_or_else(|| Ok(BuiltIn::default()), Body::built_in)
}

fn look(text: &[u8]) -> Result<BuiltIn, WrongField> {
    let mut found = Found::default();
    let mut parser = serde_json::Deserializer::from_slice(text);
    // What is no object has no fields; all other faults were found when the body arrived.
    let _ = parser.deserialize_map(&mut found);
    if let Some(field) = found.twice {
        return Err(WrongField { field, reason: "is given twice".to_owned() });
    }
    let text = |field| value_of(&found, field, "a text", |value| value.as_str().map(str::to_owned));
    let integer = |field| value_of(&found, field, "a whole number of 64 bits", Value::as_i64);
    let from_zero = |value: &Value| value.as_i64().and_then(|number| u64::try_from(number).ok());
    Ok(BuiltIn {
        self_link: text(Builtin::SelfLink)?,
        version: value_of(&found, Builtin::Version, "a whole number from 0", from_zero)?,
        expires: integer(Builtin::ExpirationTime)?,
        source: text(Builtin::SourceLink)?,
    })
}

/// The fields of an object that a client may send and the host looks at.
#[derive(Default)]
struct Found {
    values: Vec<(Builtin, Value)>,
    twice: Option<&'static str>,
}

impl<'de> Visitor<'de> for &mut Found {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            match Builtin::named(&name).filter(|builtin| is_sent(*builtin)) {
                None => drop(members.next_value::<IgnoredAny>()?),
                Some(builtin) if self.values.iter().any(|(known, _)| *known == builtin) => {
                    self.twice = Some(builtin.name());
                    members.next_value::<IgnoredAny>()?;
                }
                Some(builtin) => self.values.push((builtin, members.next_value()?)),
            }
        }
        Ok(())
    }
}

fn is_sent(builtin: Builtin) -> bool {
    match builtin {
        Builtin::SelfLink | Builtin::Version | Builtin::ExpirationTime | Builtin::SourceLink => true,
        Builtin::Kind
        | Builtin::Epoch
        | Builtin::UpdateTime
        | Builtin::UpdateAction
        | Builtin::Owner
        | Builtin::AuthPrincipalLink => false,
    }
}

/// Returns the value of a field, or none if it is absent or null.
fn value_of<T>(
    found: &Found,
    field: Builtin,
    wanted: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, WrongField> {
    let value = found.values.iter().find(|(builtin, _)| *builtin == field).map(|(_, value)| value);
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let told = || value.to_string().chars().take(TOLD_MAX).collect::<String>();
    let wrong = || WrongField { field: field.name(), reason: format!("is {}: it must be {wanted}", told()) };
    read(value).map(Some).ok_or_else(wrong)
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
            (r#"{"documentVersion":-1}"#, "documentVersion", "is -1: it must be a whole number from 0"),
            (r#"{"documentSelfLink":7}"#, "documentSelfLink", "is 7"),
            (r#"{"documentSourceLink":{}}"#, "documentSourceLink", "is {}"),
            (r#"{"documentVersion":1,"documentVersion":2}"#, "documentVersion", "is given twice"),
        ] {
            let Err(Error::BuiltInField { field: named, reason }) = body(text).built_in() else { panic!("{text}") };
            assert_eq!(named, field);
            assert!(reason.starts_with(told), "{reason}");
        }
        assert_eq!(body(r#"{"documentVersion":null}"#).built_in().ok(), Some(BuiltIn::default()));
    }

    #[test]
    fn an_expiry_before_the_epoch_is_refused_where_it_is_used() {
        let built_in = body(r#"{"documentExpirationTimeMicros":-1}"#).built_in().expect("a number");
        assert!(matches!(built_in.expiry(), Err(Error::BuiltInField { .. })));
        let never = body(r#"{"documentExpirationTimeMicros":0}"#).built_in().expect("a number");
        assert_eq!(never.expiry().ok(), Some(Some(Timestamp(0))));
    }

    #[test]
    fn what_is_no_object_has_no_state() {
        for (text, kind) in [("[\"documentVersion\"]", "an array"), ("\"document\"", "a string"), ("null", "null")] {
            assert!(matches!(body(text).state(), Err(Error::NotAnObject { found }) if found == kind));
            assert_eq!(body(text).built_in().ok(), Some(BuiltIn::default()));
        }
    }
}
