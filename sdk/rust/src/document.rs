//! Typed states and bodies: reading them, so that an error names the field at fault, and writing only what the schema
//! allows.
//!
//! Constraints are written once, in the JSON Schema. Reading takes the short way through serde. Only if that fails, or
//! if the schema says more than the types do, or if serde may have taken an array for an object, the text is compared with
//! the schema, part by part, which finds the field.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::fault::{Fault, Result, invalid, refused};
use crate::reply::text_of;
use crate::{schema, strict};

/// A state or a body. Derive it.
pub trait Document: Serialize + DeserializeOwned + JsonSchema + 'static {
    /// Returns the schema, made once per instance of the guest.
    fn shape() -> &'static Shape;
}

/// The JSON Schema of a document, and what was learnt about it.
#[derive(Debug)]
pub struct Shape {
    schema: Value,
    constrained: bool,
}

impl Shape {
    /// Makes the shape of a type.
    pub fn of<T: JsonSchema>() -> Shape {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.meta_schema = None;
            settings.inline_subschemas = true;
        });
        let schema = settings.into_generator().into_root_schema_for::<T>().to_value();
        let constrained = schema::constrains(&schema);
        Shape { schema, constrained }
    }

    /// Returns the JSON Schema.
    pub fn schema(&self) -> &Value {
        &self.schema
    }
}

/// Reads what a client sent.
///
/// # Errors
/// A fault with status 400 that points at the first field which does not fit.
pub(crate) fn read<T: Document>(text: &str) -> Result<T> {
    let shape = T::shape();
    if !shape.constrained
        && let Ok(read) = strict::from_str(text)
        && !read.unsure
    {
        return Ok(read.document);
    }
    let value: Value =
        serde_json::from_str(text).map_err(|error| refused(400, "malformed", format!("body is no JSON: {error}")))?;
    schema::check(&shape.schema, &value)?;
    // What the schema cannot say (a text that must parse, say) serde does, though without the field.
    let read = strict::from_str(text).map_err(|error| invalid("", format!("body does not fit: {error}")))?;
    Ok(read.document)
}

/// Reads a state that the host kept.
///
/// # Errors
/// A fault with status 500: the state was written by a module whose shape of state differs.
pub(crate) fn restore<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!("stored state does not fit this module, raise state_version and add migrate: {error}");
        refused(500, "state-unreadable", message)
    })
}

/// Writes a state, which a handler has left after a request with the body `sent`.
///
/// # Errors
/// A fault with status 500 that names the first field which the schema forbids: the service has spoiled its own state. If the body has
/// the same value at the same place it has status 400 and points there, for then it is the client who is to mend it.
pub(crate) fn write<T: Document>(state: &T, sent: Option<&str>) -> Result<String> {
    let shape = T::shape();
    if shape.constrained {
        let value = serde_json::to_value(state)
            .map_err(|error| refused(500, "no-json", format!("cannot write the state as JSON: {error}")))?;
        schema::check(&shape.schema, &value).map_err(|fault| blamed(fault, &value, sent))?;
    }
    text_of(state)
}

fn blamed(fault: Fault, state: &Value, sent: Option<&str>) -> Fault {
    let body: Option<Value> = sent.and_then(|text| serde_json::from_str(text).ok());
    let sent = body.as_ref().and_then(|body| body.pointer(&fault.pointer));
    if !fault.pointer.is_empty() && sent.is_some() && sent == state.pointer(&fault.pointer) {
        return fault;
    }
    refused(500, "guest-outcome", format!("the service has left a state that does not fit: {}", fault.message))
}

impl Document for Value {
    fn shape() -> &'static Shape {
        static SHAPE: std::sync::OnceLock<Shape> = std::sync::OnceLock::new();
        SHAPE.get_or_init(Shape::of::<Value>)
    }
}
