//! References from one place of the document to another.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// Returns a reference to the schema that is the component `name`.
pub(super) fn to_schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Returns a reference to the component `name` of some kind.
pub(super) fn to(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

/// Adds every reference in `value` to `references`.
pub(super) fn collect<'a>(value: &'a Value, references: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Adds every reference that a schema makes to `references`: a field named `$ref` in a default or an example is a value.
pub(super) fn collect_of_schema<'a>(schema: &'a Value, references: &mut BTreeSet<&'a str>) {
    match schema {
        Value::Object(keywords) => {
            references.extend(keywords.get("$ref").and_then(Value::as_str));
            for (keyword, value) in keywords {
                match keyword.as_str() {
                    "default" | "const" | "enum" | "example" | "examples" => {}
                    "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
                        let named = value.as_object().into_iter().flatten();
                        named.for_each(|(_, schema)| collect_of_schema(schema, references));
                    }
                    _ => collect_of_schema(value, references),
                }
            }
        }
        Value::Array(schemas) => schemas.iter().for_each(|schema| collect_of_schema(schema, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
