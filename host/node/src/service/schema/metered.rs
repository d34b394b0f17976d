//! Checks that count their steps, and end when they have taken too many.
//!
//! Problem: how many steps a schema takes at one value is bounded before it is accepted, and how large a state is as well. Their
//! product is tens of seconds, and nothing interrupts a validator.
//!
//! Promise: a check does no more than it was allowed, and the same state always gets the same answer, whatever the machine does
//! besides. For that each subschema is put behind one of our own keywords, which takes from what is left, and fails once there is
//! nothing. From then on each subschema fails at its first keyword, so that what is under way ends at once.
//!
//! ```text
//!  {"items": {"type": "string"}}   ►   {"allOf": [{"hostCost": 1}, {"items": {"allOf": [{"hostCost": 1}, {"type": "string"}]}}]}
//! ```
//!
//! What a reference names moves by that; so each definition that is referred to is put below `$defs` under a number.

use std::cell::Cell;

use jsonschema::{Keyword, ValidationError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::measure::{Holds, definition, holds, steps_of_pattern};

/// The keyword that takes from what is left.
pub(super) const COST: &str = "hostCost";

/// What a check may take. A unit is some ten nanoseconds of a processor: this is about a second.
pub(super) const ALLOWED: u64 = 100_000_000;

thread_local! {
    /// What the check on this thread may take yet.
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Returns what `check` returns, or none if it takes more than `allowed`. It must not wait, nor go on elsewhere.
pub(super) fn bounded<T>(allowed: u64, check: impl FnOnce() -> T) -> Option<T> {
    LEFT.set(allowed);
    let checked = check();
    (LEFT.get() > 0).then_some(checked)
}

/// Returns the schema with a cost before each of its subschemas. It has been measured: its references lead somewhere.
pub(super) fn with_costs(root: &Value) -> Value {
    let mut rewriting = Rewriting { references: vec!["#"] };
    let mut definitions = Map::new();
    // The list grows while what is on it is rewritten.
    for number in 0.. {
        let Some(reference) = rewriting.references.get(number) else { break };
        let target = definition(root, reference).unwrap_or(&Value::Bool(true));
        definitions.insert(number.to_string(), rewriting.schema(target));
    }
    let mut whole = json!({ "$defs": definitions, "$ref": "#/$defs/0" });
    if let Some(dialect) = root.get("$schema") {
        whole["$schema"] = dialect.clone();
    }
    whole
}

struct Rewriting<'a> {
    /// What is referred to, each once; its place is its name.
    references: Vec<&'a str>,
}

impl<'a> Rewriting<'a> {
    fn schema(&mut self, schema: &'a Value) -> Value {
        let Value::Object(keywords) = schema else { return schema.clone() };
        let mut inside = Map::new();
        for (keyword, value) in keywords {
            let value = match (keyword.as_str(), value) {
                // Reached by references only, or for those who read it.
                ("$defs" | "definitions" | "$id" | "id" | "$schema" | COST, _) => continue,
                ("$ref", Value::String(reference)) => self.reference(reference),
                (keyword, value) => match (holds(keyword), value) {
                    (Some(Holds::Named(_)), Value::Object(schemas)) => self.named(schemas),
                    (Some(Holds::Listed(_)), Value::Array(schemas)) => {
                        schemas.iter().map(|schema| self.schema(schema)).collect()
                    }
                    (Some(Holds::One(_) | Holds::Listed(_)), schema) => self.schema(schema),
                    (Some(Holds::Named(_)) | None, value) => value.clone(),
                },
            };
            inside.insert(keyword.clone(), value);
        }
        json!({ "allOf": [{ COST: Cost::of(keywords) }, inside] })
    }

    fn named(&mut self, schemas: &'a Map<String, Value>) -> Value {
        schemas.iter().map(|(name, schema)| (name.clone(), self.schema(schema))).collect()
    }

    fn reference(&mut self, reference: &'a str) -> Value {
        let known = self.references.iter().position(|known| *known == reference);
        let number = known.unwrap_or_else(|| {
            self.references.push(reference);
            self.references.len() - 1
        });
        json!(format!("#/$defs/{number}"))
    }
}

/// What a subschema takes at one value, that of those below it left aside.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cost {
    /// Whatever the value is.
    each: u64,
    /// For each byte of a text.
    byte: u64,
    /// For each byte of the names of an object.
    name_byte: u64,
    /// All that is in the value is compared with one another.
    compares: bool,
}

impl Cost {
    fn of(keywords: &Map<String, Value>) -> Cost {
        let mut cost = Cost { each: 1, ..Cost::default() };
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("pattern", Value::String(pattern)) => cost.byte += u64::from(steps_of_pattern(pattern)),
                ("patternProperties", Value::Object(patterns)) => {
                    cost.name_byte += patterns.keys().map(|pattern| u64::from(steps_of_pattern(pattern))).sum::<u64>();
                }
                ("uniqueItems", _) => cost.compares = true,
                // What is only read by people costs nothing.
                ("$defs" | "definitions" | "description" | "title" | "examples" | "default" | "$comment", _) => {}
                (keyword, value) => match holds(keyword) {
                    Some(_) => cost.each += entries(value),
                    None => cost.each += 1 + nodes(value) / 8,
                },
            }
        }
        cost
    }

    fn at(&self, value: &Value) -> u64 {
        let inside = match value {
            Value::String(text) => self.byte.saturating_mul(text.len() as u64),
            Value::Object(fields) if self.name_byte > 0 => {
                self.name_byte.saturating_mul(fields.keys().map(|name| name.len() as u64).sum())
            }
            Value::Array(_) if self.compares => nodes(value),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => 0,
        };
        self.each.saturating_add(inside)
    }
}

/// Returns how many schemas a keyword holds.
fn entries(value: &Value) -> u64 {
    match value {
        Value::Array(schemas) => schemas.len() as u64,
        Value::Object(schemas) => schemas.len() as u64,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// Returns how many values are in a value, long texts counted by their length.
fn nodes(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(nodes).sum::<u64>(),
        Value::Object(fields) => 1 + fields.values().map(nodes).sum::<u64>(),
        Value::String(text) => 1 + text.len() as u64 / 64,
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

impl<'i> Keyword<'i> for Cost {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        match Keyword::is_valid(self, instance) {
            true => Ok(()),
            false => Err(ValidationError::custom("the check takes too long")),
        }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        LEFT.set(LEFT.get().saturating_sub(self.at(instance)));
        LEFT.get() > 0
    }
}

/// Makes our keyword of its value.
///
/// # Errors
/// Those of a value that is not ours.
pub(super) fn cost<'a>(value: &'a Value) -> Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>> {
    let cost = Cost::deserialize(value).map_err(|error| ValidationError::custom(error.to_string()))?;
    Ok(Box::new(cost))
}

#[cfg(test)]
mod tests {
    use super::super::{Schema, Verdict};
    use super::*;

    fn compiled(schema: &Value) -> Schema {
        Schema::compile_within(schema, 100_000).expect("a schema").expect("one that checks")
    }

    /// Whatever its own size, a state of so many bytes is checked by counting.
    const LARGE: usize = 100_000_000;

    fn is_fit(schema: &Value, value: &Value, bytes: usize) -> bool {
        matches!(compiled(schema).judge(value, bytes), Verdict::Fits)
    }

    #[test]
    fn who_counts_judges_as_who_does_not() {
        let schemas = [
            json!({"properties": {"a": {"$ref": "#/properties/b"}, "b": {"type": "string", "pattern": "^x"}}, "required": ["a"]}),
            json!({"$defs": {"l 1": {"items": {"$ref": "#/$defs/l%201"}, "maxItems": 2}}, "$ref": "#/$defs/l%201"}),
            json!({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"n": {"type": "number"}},
                "properties": {"a": {"$ref": "#/definitions/n", "minimum": 5}}, "additionalProperties": false}),
            json!({"allOf": [{"properties": {"a": true}}], "anyOf": [{"properties": {"b": {"type": "null"}}}, true],
                "unevaluatedProperties": {"type": "string"}}),
            json!({"if": {"required": ["a"]}, "then": {"properties": {"b": false}}, "else": {"minProperties": 1}}),
            json!({"patternProperties": {"^a": {"enum": ["x", 1, [1]]}}, "propertyNames": {"maxLength": 1}}),
            json!({"properties": {"a": {"contains": {"const": 1}, "minContains": 2, "uniqueItems": false}}, "not": {"required": ["b"]}}),
            json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "dependentRequired": {"b": ["c"]}}),
            json!({"properties": {"a": {"prefixItems": [{"type": "integer"}], "items": false}, "hostCost": {"type": "null"}},
                "hostCost": [0, 0, 0, false]}),
            json!({"properties": {"a": {"type": "array", "items": {"type": "integer"}, "uniqueItems": true}}}),
        ];
        let values = [
            json!({}),
            json!({"a": "x"}),
            json!({"a": "y", "b": "x"}),
            json!({"a": 7}),
            json!({"a": 3}),
            json!({"b": null}),
            json!({"b": 1, "c": 2}),
            json!({"a": [1, 1]}),
            json!({"a": [1, "2"]}),
            json!({"a": [[[]]], "z": "s"}),
            json!({"b": 1}),
            json!({"hostCost": 1}),
            json!([]),
            json!([[], [[]]]),
            json!([[], [], []]),
            json!({"ab": "x"}),
        ];
        for schema in &schemas {
            let answers = |bytes| values.iter().map(|value| is_fit(schema, value, bytes)).collect::<Vec<_>>();
            assert_eq!(answers(LARGE), answers(1), "{schema}");
            assert!(answers(1).contains(&true) && answers(1).contains(&false), "{schema} tells nothing apart");
        }
    }

    #[test]
    fn what_is_wrong_is_told_alike_by_who_counts() {
        let schema = json!({"$defs": {"n": {"type": "number"}}, "properties": {"a": {"items": {"$ref": "#/$defs/n"}}}});
        let (schema, value) = (compiled(&schema), json!({"a": [1, "x", null]}));
        let told = |bytes| match schema.judge(&value, bytes) {
            Verdict::Misfits(errors) => {
                errors.iter().map(|error| format!("{}: {error}", error.instance_path())).collect::<Vec<_>>()
            }
            Verdict::Fits | Verdict::MisfitsSomewhere | Verdict::TooLong => Vec::new(),
        };
        assert_eq!(told(LARGE), told(1));
        assert_eq!(told(1).len(), 2);
    }

    #[test]
    fn what_takes_too_long_ends() {
        let each = |count: usize| {
            (0..count)
                .map(|number| json!({"properties": {format!("p{number}"): {"type": "string"}}}))
                .collect::<Vec<_>>()
        };
        let many = json!(vec![json!({"a": 1}); 120_000]);
        let text = json!("a".repeat(1_000_000));
        let long = [
            (json!({"items": {"allOf": each(1000)}}), &many),
            (json!({"items": {"not": {"not": {"allOf": each(600)}}}}), &many),
            (json!({"contains": {"oneOf": each(1000)}}), &many),
            (
                json!({"items": {"dependentRequired": (0..20_000).map(|n| (format!("k{n}"), json!([]))).collect::<Map<_, _>>()}}),
                &many,
            ),
            (json!({"pattern": "a[ab]{2000}c"}), &text),
            (json!({"items": {"not": {"enum": (0..50_000).map(|n| format!("w{n}")).collect::<Vec<_>>()}}}), &many),
        ];
        for (schema, value) in long {
            let schema = compiled(&schema);
            let verdict = schema.judge_within(ALLOWED / 100, value, LARGE);
            assert!(
                matches!(verdict, Verdict::TooLong),
                "{}",
                schema.text.to_string().chars().take(80).collect::<String>()
            );
        }
        assert!(is_fit(&json!({"items": {"required": ["a"], "properties": {"a": {"type": "integer"}}}}), &many, LARGE));
    }
}
