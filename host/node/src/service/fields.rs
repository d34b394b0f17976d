//! What a schema says about the fields of every state that fits it.
//!
//! Rows sorted by a field come out of its index only if no document lacks the field, since one that does has no place there; and only
//! a part of the index need be read if no document has several values, of which the first counts. States are held to their schema.

use std::collections::BTreeSet;

use serde_json::Value;

/// Types of values that the field index holds.
const INDEXED: [&str; 4] = ["string", "number", "integer", "boolean"];

/// Names of fields that have one value each. A name with a dot may be read as a path to another field, and is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Fields {
    /// Every document has a text, a number or a truth value there.
    pub always: BTreeSet<String>,
    /// Every document has one of these there, or nothing.
    pub single: BTreeSet<String>,
}

impl Fields {
    /// Returns what a schema of objects says.
    pub(super) fn of(schema: &Value) -> Fields {
        let Some(properties) = schema["properties"].as_object() else { return Fields::default() };
        let plain = properties.iter().filter(|(name, _)| !name.contains('.'));
        let single = plain.filter(|(_, property)| is_scalar(property)).map(|(name, _)| name.clone()).collect();
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let is_there = |name: &&str| properties.get(*name).is_some_and(|property| property["type"].is_string());
        let always: BTreeSet<String> = required.filter(is_there).map(str::to_owned).collect();
        Fields { always: always.intersection(&single).cloned().collect(), single }
    }

    /// Keeps what another schema says as well.
    pub(super) fn keep(&mut self, other: &Fields) {
        self.always.retain(|name| other.always.contains(name));
        self.single.retain(|name| other.single.contains(name));
    }
}

fn is_scalar(property: &Value) -> bool {
    let is_one = |kind: &Value, also: Option<&str>| {
        kind.as_str().is_some_and(|kind| INDEXED.contains(&kind) || Some(kind) == also)
    };
    match &property["type"] {
        Value::Array(kinds) => kinds.iter().all(|kind| is_one(kind, Some("null"))),
        kind => is_one(kind, None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_field_is_always_there_if_it_is_required_and_has_one_type() {
        let schema = json!({
            "type": "object",
            "properties": {
                "name": { "type": "string" }, "count": { "type": "integer" }, "tags": { "type": "array" },
                "note": { "type": ["string", "null"] }, "other": { "type": "number" }, "a.b": { "type": "number" },
                "mixed": { "type": ["string", "array"] }, "any": true,
            },
            "required": ["name", "count", "tags", "note", "a.b", "unknown", "any"],
        });
        let mut fields = Fields::of(&schema);
        assert_eq!(fields.always, names(&["count", "name"]));
        assert_eq!(fields.single, names(&["count", "name", "note", "other"]));
        fields.keep(&Fields::of(&json!({ "properties": { "name": { "type": "string" } } })));
        assert_eq!((fields.always, fields.single), (names(&[]), names(&["name"])));
        assert_eq!(Fields::of(&json!({ "type": "object" })), Fields::default());
        assert_eq!(Fields::of(&json!(true)), Fields::default());
    }
}
