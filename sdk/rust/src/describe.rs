//! The descriptor: what a service says about itself. The macro `service` writes it out of its arguments and methods.

use serde_json::{Map, Value, json};

use crate::document::Document;

/// A descriptor in the making.
#[derive(Debug)]
pub struct Description {
    fields: Map<String, Value>,
}

impl Description {
    /// Begins the descriptor of a service.
    pub fn new(name: &str, version: &str, factory: &str) -> Description {
        let mut fields = Map::new();
        for (field, value) in [("name", name), ("version", version), ("factory", factory)] {
            fields.insert(field.to_owned(), value.into());
        }
        Description { fields }
    }

    /// Sets a field of the descriptor, by its JSON name.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Description {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// Sets the schema of the state, and with it the service's documentation if it has none of its own.
    pub fn state<S: Document>(mut self) -> Description {
        let schema = S::shape().schema();
        if let Some(docs) = schema["description"].as_str() {
            self.fields.entry("docs").or_insert_with(|| docs.into());
        }
        self.with("stateSchema", schema.clone())
    }

    /// Adds the schema of the bodies that a handler takes under a `kind` (empty: without one).
    pub fn action<B: Document>(mut self, handler: &str, kind: &str) -> Description {
        let actions = self.fields.entry("actions").or_insert_with(|| json!({}));
        actions[handler][kind] = B::shape().schema().clone();
        self
    }

    /// Adds a `kind` under which a handler takes bodies with nothing else in them.
    pub fn action_without_body(mut self, handler: &str, kind: &str) -> Description {
        let actions = self.fields.entry("actions").or_insert_with(|| json!({}));
        actions[handler][kind] = json!({ "type": "object" });
        self
    }

    /// Returns the JSON text.
    pub fn finish(self) -> String {
        Value::Object(self.fields).to_string()
    }
}
