//! Compares a JSON value with a JSON Schema, part by part, and ends at the first field that does not fit.
//!
//! It knows only the keywords that derived schemas contain. The host compares every new state with the whole schema.

use serde_json::Value;

use crate::fault::{Fault, Result, invalid};

/// Returns true if the schema says more about values than the types behind it enforce.
pub(crate) fn constrains(schema: &Value) -> bool {
    const WORDS: [&str; 8] = [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
    ];
    match schema {
        Value::Object(fields) => {
            let unsigned = schema["format"].as_str().is_some_and(|format| format.starts_with("uint"));
            fields.iter().any(|(word, value)| {
                let by_type = unsigned && word == "minimum" && value.as_f64() == Some(0.0);
                (WORDS.contains(&word.as_str()) && value.is_number() && !by_type) || constrains(value)
            })
        }
        Value::Array(items) => items.iter().any(constrains),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Checks a value against its schema.
///
/// # Errors
/// A fault with status 400 and the pointer of the first field that does not fit.
pub(crate) fn check(schema: &Value, value: &Value) -> Result {
    Walk { root: schema, pointer: String::new() }.value(schema, value)
}

/// Returns a value of an enumeration as people write it.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A keyword that bounds numbers, and how it is told.
struct Bound {
    word: &'static str,
    before: &'static str,
    after: &'static str,
    holds: fn(&f64, &f64) -> bool,
}

const BOUNDS: [Bound; 4] = [
    Bound { word: "minimum", before: "", after: " or more", holds: f64::ge },
    Bound { word: "maximum", before: "", after: " or less", holds: f64::le },
    Bound { word: "exclusiveMinimum", before: "more than ", after: "", holds: f64::gt },
    Bound { word: "exclusiveMaximum", before: "less than ", after: "", holds: f64::lt },
];

struct Walk<'a> {
    root: &'a Value,
    pointer: String,
}

impl Walk<'_> {
    fn value(&mut self, schema: &Value, value: &Value) -> Result {
        if let Some(target) = schema["$ref"].as_str() {
            // Only types that contain themselves are referred to; all others stand where they are used.
            let target = target.trim_start_matches('#');
            return match self.root.pointer(target) {
                Some(schema) => self.value(schema, value),
                None => Ok(()),
            };
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(choices) = schema[choice].as_array() {
                self.one_of(choices, value)?;
            }
        }
        self.kind(schema, value)?;
        match value {
            Value::Number(_) => self.number(schema, value),
            Value::String(text) => self.length(schema, ["minLength", "maxLength"], text.chars().count(), "characters"),
            Value::Array(items) => {
                self.length(schema, ["minItems", "maxItems"], items.len(), "elements")?;
                items.iter().enumerate().try_for_each(|(index, item)| {
                    let own = &schema["prefixItems"][index];
                    self.field(&index.to_string(), if own.is_null() { &schema["items"] } else { own }, item)
                })
            }
            Value::Object(fields) => self.object(schema, fields),
            Value::Null | Value::Bool(_) => Ok(()),
        }
    }

    fn object(&mut self, schema: &Value, fields: &serde_json::Map<String, Value>) -> Result {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                return self.within(name, |walk| Err(walk.fault("is required".to_owned())));
            }
        }
        // Derived schemas have a pattern of names only for maps whose keys are no texts, and then one for all of them.
        let by_pattern = schema["patternProperties"].as_object().and_then(|patterns| patterns.values().next());
        let others = by_pattern.unwrap_or(&schema["additionalProperties"]);
        fields.iter().try_for_each(|(name, value)| {
            let own = &schema["properties"][name];
            if own.is_null() && *others == false {
                return self.within(name, |walk| Err(walk.fault("is not known here".to_owned())));
            }
            self.field(name, if own.is_null() { others } else { own }, value)
        })
    }

    fn field(&mut self, name: &str, schema: &Value, value: &Value) -> Result {
        if !schema.is_object() {
            return Ok(());
        }
        self.within(name, |walk| walk.value(schema, value))
    }

    fn within(&mut self, name: &str, visit: impl FnOnce(&mut Self) -> Result) -> Result {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        let result = visit(self);
        self.pointer.truncate(length);
        result
    }

    fn one_of(&mut self, choices: &[Value], value: &Value) -> Result {
        let mut deepest: Option<Fault> = None;
        let mut words = Vec::new();
        for choice in choices {
            match self.value(choice, value) {
                Ok(()) => return Ok(()),
                Err(fault)
                    if fault.pointer.len() > deepest.as_ref().map_or(self.pointer.len(), |best| best.pointer.len()) =>
                {
                    deepest = Some(fault);
                }
                Err(_) => words.extend(self.words(choice)),
            }
        }
        Err(deepest
            .unwrap_or_else(|| self.fault(format!("must be one of {}, found {}", words.join(", "), found(value)))))
    }

    /// Returns what one of several choices takes, in words.
    fn words(&self, choice: &Value) -> Vec<String> {
        let target = choice["$ref"].as_str().and_then(|target| self.root.pointer(target.trim_start_matches('#')));
        let choice = target.unwrap_or(choice);
        match &choice["enum"] {
            Value::Array(words) => words.iter().map(word).collect(),
            _ => choice["const"].as_str().or(choice["type"].as_str()).map(str::to_owned).into_iter().collect(),
        }
    }

    fn kind(&self, schema: &Value, value: &Value) -> Result {
        if let Some(only) = schema.get("const") {
            return if only == value {
                Ok(())
            } else {
                Err(self.fault(format!("must be {only}, found {}", found(value))))
            };
        }
        if let Some(words) = schema["enum"].as_array() {
            if words.contains(value) {
                return Ok(());
            }
            let words: Vec<String> = words.iter().map(word).collect();
            return Err(self.fault(format!("must be one of {}, found {}", words.join(", "), found(value))));
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return Ok(()),
        };
        if kinds.iter().any(|kind| is(kind, value)) {
            return Ok(());
        }
        let wanted = kinds.iter().find(|kind| **kind != "null").map_or("null", |kind| named(kind));
        Err(self.fault(format!("must be {wanted}, found {}", found(value))))
    }

    fn number(&self, schema: &Value, value: &Value) -> Result {
        let Some(number) = value.as_f64() else { return Ok(()) };
        for bound in BOUNDS {
            if let Some(limit) = schema[bound.word].as_f64()
                && !(bound.holds)(&number, &limit)
            {
                let (before, limit, after) = (bound.before, &schema[bound.word], bound.after);
                return Err(self.fault(format!("must be {before}{limit}{after}, found {value}")));
            }
        }
        Ok(())
    }

    fn length(&self, schema: &Value, [least, most]: [&str; 2], length: usize, unit: &str) -> Result {
        if let Some(least) = schema[least].as_u64()
            && (length as u64) < least
        {
            return Err(self.fault(format!("must have {least} {unit} or more, has {length}")));
        }
        if let Some(most) = schema[most].as_u64()
            && (length as u64) > most
        {
            return Err(self.fault(format!("must have {most} {unit} or less, has {length}")));
        }
        Ok(())
    }

    fn fault(&self, reason: String) -> Fault {
        let field = self.pointer.trim_start_matches('/').replace('/', ".");
        let subject = if field.is_empty() { "body" } else { &field };
        invalid(&self.pointer, format!("{subject} {reason}"))
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn named(kind: &str) -> &str {
    match kind {
        "boolean" => "true or false",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.len() <= 40 => format!("the text {value}"),
        Value::String(_) => "a longer text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(schema: &Value, value: Value) -> (String, String) {
        let fault = check(schema, &value).expect_err("must be refused");
        (fault.pointer, fault.message)
    }

    #[test]
    fn the_first_field_that_does_not_fit_is_named() {
        let schema = json!({ "type": "object", "required": ["name"], "properties": {
            "name": { "type": "string", "maxLength": 3 },
            "items": { "type": ["array", "null"], "items": { "type": "object", "properties": { "a/b": { "type": "integer" } } } },
        }});
        assert!(check(&schema, &json!({ "name": "abc", "items": null, "unknown": 1 })).is_ok());
        assert_eq!(refusal(&schema, json!({})), ("/name".to_owned(), "name is required".to_owned()));
        assert_eq!(refusal(&schema, json!([])).1, "body must be an object, found a list");
        assert_eq!(refusal(&schema, json!({ "name": "abcd" })).1, "name must have 3 characters or less, has 4");
        let (pointer, message) = refusal(&schema, json!({ "name": "", "items": [{}, { "a/b": "x" }] }));
        assert_eq!(pointer, "/items/1/a~1b");
        assert!(message.ends_with("must be an integer, found the text \"x\""), "{message}");
    }

    #[test]
    fn parts_of_tuples_and_of_maps_with_numbers_for_keys_are_compared_too() {
        let letter = json!({ "type": "object" });
        let schema = json!({ "prefixItems": [{ "type": "integer" }, letter], "items": false });
        assert!(check(&schema, &json!([1, {}])).is_ok());
        assert_eq!(refusal(&schema, json!([1, []])).0, "/1");
        let schema = json!({ "patternProperties": { r"^\d+$": letter }, "additionalProperties": false });
        assert!(check(&schema, &json!({ "1": {} })).is_ok());
        assert_eq!(refusal(&schema, json!({ "1": [] })).0, "/1");
        let schema = json!({ "properties": { "a": letter }, "additionalProperties": false });
        assert!(check(&schema, &json!({ "a": {} })).is_ok());
        assert_eq!(refusal(&schema, json!({ "b": {} })).1, "b is not known here");
    }

    #[test]
    fn choices_point_at_the_deepest_mistake() {
        let stage = json!({ "type": "object", "properties": { "stage": { "enum": ["ONE", "TWO"] } } });
        let schema = json!({ "anyOf": [stage, { "type": "null" }] });
        assert!(check(&schema, &json!(null)).is_ok());
        assert_eq!(refusal(&schema, json!({ "stage": "THREE" })).0, "/stage");
        assert_eq!(refusal(&schema, json!(5)).1, "body must be one of object, null, found 5");
        let words = json!({ "$defs": { "s": { "enum": ["ONE", "TWO"] } }, "anyOf": [{ "$ref": "#/$defs/s" }, { "type": "null" }] });
        let told = "body must be one of ONE, TWO, null, found the text \"THREE\"";
        assert_eq!(refusal(&words, json!("THREE")).1, told);
    }

    #[test]
    fn bounds_that_the_types_enforce_are_no_constraints() {
        assert!(!constrains(
            &json!({ "properties": { "a": { "type": "integer", "format": "uint64", "minimum": 0 } } })
        ));
        assert!(constrains(&json!({ "properties": { "a": { "type": "integer", "format": "uint64", "minimum": 1 } } })));
    }
}
