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

/// Words below which a document or a schema has names of its own, so that none of them is a keyword.
const NAMED: [&str; 9] = [
    "$defs",
    "content",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "headers",
    "patternProperties",
    "properties",
    "responses",
];

/// Words below which stands a value of a client or a service: whatever looks like a reference there is none.
const VALUES: [&str; 5] = ["const", "default", "enum", "example", "examples"];

/// Adds every reference that a schema, or a part of the document, makes to `references`.
pub(super) fn collect<'a>(value: &'a Value, references: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str));
            for (word, value) in fields.iter().filter(|(word, _)| !VALUES.contains(&word.as_str())) {
                match value {
                    Value::Object(named) if NAMED.contains(&word.as_str()) => {
                        named.values().for_each(|value| collect(value, references));
                    }
                    value => collect(value, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(value: &Value) -> Vec<&str> {
        let mut references = BTreeSet::new();
        collect(value, &mut references);
        references.into_iter().collect()
    }

    #[test]
    fn values_make_no_references_and_names_are_no_keywords() {
        let reference = json!({ "$ref": "#/a" });
        for word in VALUES {
            assert!(found(&json!({ word: reference })).is_empty(), "{word}");
            for named in NAMED {
                assert_eq!(found(&json!({ named: { word: reference } })), ["#/a"], "{named} {word}");
            }
        }
        assert!(found(&json!({ "properties": { "$ref": { "type": "string" } } })).is_empty());
        assert_eq!(found(&json!({ "anyOf": [reference], "items": reference })), ["#/a"]);
    }
}
