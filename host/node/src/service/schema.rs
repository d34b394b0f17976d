//! The schema of a service's state, compiled, with a bound on what checking a state against it may cost.
//!
//! Problem: nothing interrupts a check. A schema of sixty lines, in which each definition refers twice to the next,
//! asks for 2^60 steps.
//!
//! Promise: a check takes time in proportion to the state, and a second at most. The steps are counted before a schema is
//! accepted; every `$ref` is followed wherever it stands, as a check would do. There are four bounds. The number of steps at one value
//! and below it: a setting bounds it where a module is mounted, and a mounted one stays, so that nodes need not agree;
//! no setting is above [`SCHEMA_STEPS_MAX`]. A definition may refer to itself at most once for each place of the
//! state, because more would double the time with each level of nesting. And a pattern is matched without going back:
//! with look-around or references to groups a text of a megabyte could take hours. Where steps and size together make a
//! check long it counts what it does, and ends when that is too much (`metered`).
//!
//! Left out: references to other documents, and references by `$anchor` or `$dynamicRef`. A schema brings all it needs
//! below `$defs`.

use std::sync::OnceLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, ValidationOptions, Validator};
use serde_json::Value;
use steward_model::Exact;
use steward_model::problem::Violation;

use crate::config::SCHEMA_STEPS_MAX;

mod error;
mod integers;
mod measure;
mod metered;

use error::PATTERN_BYTES_MAX;
pub(crate) use error::SchemaError;
use measure::measure;
use metered::ALLOWED;

/// Most steps of a schema of a body, when each `$ref` is followed.
const BODY_STEPS_MAX: u32 = 2000;

/// From this many steps times bytes of a state on, a check holds up the thread for a noticeable time: milliseconds.
const LONG: usize = 4_000_000;

/// Most bytes that a list of all that a value violates may take.
const LIST_BYTES_MAX: usize = 64 << 20;

/// Bytes of one violation in such a list, its path left aside.
const VIOLATION_BYTES: usize = 256;

/// A compiled schema.
pub(crate) struct Schema {
    validator: Validator,
    /// The same, counting what it does; made when a check is long for the first time.
    metered: OnceLock<Validator>,
    /// What both were made of.
    text: Value,
    steps: u32,
    /// The length of its text.
    bytes: usize,
}

/// How a value stands to a schema.
pub(crate) enum Verdict<'a> {
    /// It fits.
    Fits,
    /// It does not, for these reasons.
    Misfits(Vec<ValidationError<'a>>),
    /// It does not, and to list why would take too much memory or time.
    MisfitsSomewhere,
    /// To find out takes more steps than a check may.
    TooLong,
}

impl Schema {
    /// Compiles the schema of a state that was mounted; none if it allows every object.
    ///
    /// # Errors
    /// [`SchemaError`] says what to change in it.
    pub(crate) fn compile(schema: &Value) -> Result<Option<Schema>, SchemaError> {
        Schema::compile_within(schema, SCHEMA_STEPS_MAX)
    }

    /// Compiles the schema of a body, as [`Schema::compile`] does that of a state.
    ///
    /// # Errors
    /// [`SchemaError`], also for one that takes more steps than anybody should wait for.
    pub(crate) fn compile_of_body(schema: &Value) -> Result<Option<Schema>, SchemaError> {
        Schema::compile_within(schema, BODY_STEPS_MAX)
    }

    /// Compiles a schema that takes at most `steps_max` steps; none if it allows every object.
    ///
    /// # Errors
    /// [`SchemaError`] says what to change in it.
    pub(crate) fn compile_within(schema: &Value, steps_max: u32) -> Result<Option<Schema>, SchemaError> {
        if *schema == serde_json::json!({ "type": "object" }) {
            return Ok(None);
        }
        let steps = measure(schema, steps_max)?;
        let validator = options().build(schema).map_err(|error| invalid(&error))?;
        let (text, bytes) = (schema.clone(), schema.to_string().len());
        Ok(Some(Schema { validator, metered: OnceLock::new(), text, steps, bytes }))
    }

    /// Returns how a value stands to the schema that is a text of so many bytes. A long check holds up the thread for a second at most.
    pub(crate) fn judge<'a>(&'a self, value: &'a Value, bytes: usize) -> Verdict<'a> {
        self.judge_within(ALLOWED, value, bytes)
    }

    fn judge_within<'a>(&'a self, allowed: u64, value: &'a Value, bytes: usize) -> Verdict<'a> {
        let validator = if self.takes_long(bytes) { self.metered() } else { &self.validator };
        // Finding that all is well costs less than looking for what is not.
        match metered::bounded(allowed, || validator.is_valid(value)) {
            None => return Verdict::TooLong,
            Some(true) => return Verdict::Fits,
            Some(false) if !self.can_list(value) => return Verdict::MisfitsSomewhere,
            Some(false) => {}
        }
        match metered::bounded(allowed, || validator.iter_errors(value).collect()) {
            Some(errors) => Verdict::Misfits(errors),
            None => Verdict::MisfitsSomewhere,
        }
    }

    /// Writes the integers of a state as every reader of integers takes them; returns where something stands that only passes for one.
    pub(crate) fn settle_integers(&self, state: &mut Exact) -> Vec<Violation> {
        integers::settle(&self.text, state)
    }

    /// Returns true if a small value of the host's own fits.
    pub(crate) fn fits(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    fn metered(&self) -> &Validator {
        self.metered.get_or_init(|| {
            let costly = options().with_keyword(metered::COST, |_, value, _| metered::cost(value));
            let made = costly.build(&metered::with_costs(&self.text));
            made.expect("what a schema says, and our own keyword besides, is a schema")
        })
    }

    /// Returns true if all that a value violates fits into bounded memory. The validator makes the whole list, whoever reads how much of
    /// it: each step may fail at each value, with the path of the value, and once with a part of the schema.
    fn can_list(&self, value: &Value) -> bool {
        let Extent { values, path_bytes } = Extent::of(value);
        let each = (self.steps as usize).saturating_mul(VIOLATION_BYTES + path_bytes).saturating_add(self.bytes);
        values.saturating_mul(each) <= LIST_BYTES_MAX
    }

    /// Returns true if checking a state of so many bytes takes long enough to hold others up.
    pub(crate) fn takes_long(&self, bytes: usize) -> bool {
        (self.steps as usize).saturating_mul(bytes) > LONG
    }
}

fn options() -> ValidationOptions<'static> {
    // The other engine goes back, and its bound on that counts turns, each of which may read the whole text.
    jsonschema::options().with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
}

/// How much there is in a value.
struct Extent {
    /// How many values are in it, itself included.
    values: usize,
    /// The length of the longest path to one of them.
    path_bytes: usize,
}

impl Extent {
    fn of(value: &Value) -> Extent {
        let mut whole = Extent { values: 1, path_bytes: 0 };
        let mut add = |step: usize, inside: &Value| {
            let inside = Extent::of(inside);
            whole.values += inside.values;
            whole.path_bytes = whole.path_bytes.max(1 + step + inside.path_bytes);
        };
        match value {
            Value::Array(items) => items.iter().for_each(|item| add(std::mem::size_of::<usize>(), item)),
            Value::Object(fields) => fields.iter().for_each(|(name, field)| add(name.len(), field)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        whole
    }
}

fn invalid(error: &ValidationError<'_>) -> SchemaError {
    match (error.kind(), error.instance().as_ref()) {
        (ValidationErrorKind::Format { format }, Value::String(pattern)) if format == "regex" => {
            SchemaError::Pattern { pattern: pattern.clone() }
        }
        _ => SchemaError::Invalid(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use steward_model::service::Descriptor;

    use super::*;

    fn refused(schema: &Value) -> String {
        measure(schema, BODY_STEPS_MAX).expect_err("must be refused").to_string()
    }

    #[test]
    fn references_that_double_are_refused_with_the_bound() {
        let mut definitions = serde_json::Map::new();
        for level in 0..60 {
            let next = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
            definitions.insert(format!("d{level}"), json!({ "allOf": [next, next] }));
        }
        definitions.insert("d60".to_owned(), json!({ "type": "object" }));
        let schema = json!({ "$defs": definitions, "$ref": "#/$defs/d0" });
        assert!(refused(&schema).contains("2000 steps"), "{}", refused(&schema));
    }

    #[test]
    fn what_has_not_been_evaluated_is_asked_for_again_with_each_level() {
        for keyword in ["allOf", "anyOf", "oneOf", "if"] {
            let nested = |levels: u32| {
                (0..levels).fold(json!({ "type": "object" }), |inside, _| {
                    let inside = if keyword == "if" { inside } else { json!([inside]) };
                    json!({ keyword: inside, "unevaluatedProperties": { "type": "number" } })
                })
            };
            let steps = measure(&nested(3), BODY_STEPS_MAX).expect("few levels");
            assert!(steps > 27, "{keyword}: {steps}");
            assert!(refused(&nested(60)).contains("2000 steps"), "{keyword}");
        }
    }

    #[test]
    fn patterns_are_matched_in_one_pass_or_refused() {
        let text = json!("a".repeat(1_000_000));
        for pattern in ["(a*)*b", "^(a|aa)+b$", r"^(\w+\s?)+!$", "(?:a?){100}b"] {
            let schema = Schema::compile_of_body(&json!({ "pattern": pattern })).expect("a pattern").expect("a schema");
            assert!(!schema.fits(&text), "{pattern}");
        }
        for pattern in ["(?=a*b)a", "(?!b)a", "(?<=a)b", r"(a)\1", r"\pL{1000}", "(", "["] {
            for schema in [json!({ "pattern": pattern }), json!({ "patternProperties": { pattern: {} } })] {
                let refused = Schema::compile_of_body(&schema).err().expect("must be refused");
                let names_it = matches!(&refused, SchemaError::Pattern { pattern: named } if named == pattern);
                assert!(names_it, "{pattern}: {refused}");
            }
        }
        let many: Vec<Value> = (0..BODY_STEPS_MAX / 16).map(|n| json!({ "pattern": format!("{n}") })).collect();
        assert!(refused(&json!({ "allOf": many })).contains("2000 steps"));
        assert!(
            refused(&json!({ "pattern": "a[ab]{2000}c" })).contains("2000 steps"),
            "each repeat is compared with each letter"
        );
    }

    #[test]
    fn what_would_fill_the_memory_is_not_listed() {
        let compiled = |schema: &Value| Schema::compile_of_body(schema).expect("a schema").expect("one that checks");
        let lists = compiled(&json!({ "additionalProperties": { "items": { "type": "integer" } } }));
        assert!(lists.can_list(&json!({ "v": vec!["x"; 2000] })));
        assert!(!lists.can_list(&json!({ "v": vec!["x"; 100_000] })), "many values");
        assert!(!lists.can_list(&json!({ "k".repeat(40_000): vec!["x"; 2000] })), "long paths");
        let choices: Vec<Value> = (0..600).map(|n| json!({ "const": n })).collect();
        assert!(
            !compiled(&json!({ "items": { "anyOf": choices } })).can_list(&json!(vec![0.5; 2000])),
            "many branches"
        );
        let words: Vec<String> = (0..2000).map(|n| format!("word{n}")).collect();
        assert!(
            !compiled(&json!({ "items": { "enum": words } })).can_list(&json!(vec![0; 5000])),
            "large enumerations"
        );
    }

    #[test]
    fn what_stands_last_in_a_schema_counts_as_what_stands_before() {
        let values = |count: u32| json!({ "type": "object", "enum": (0..count).collect::<Vec<_>>() });
        assert!(Schema::compile_within(&values(8 * 90), 100).is_ok());
        assert!(Schema::compile_within(&values(8 * 100), 100).is_err_and(|error| error.to_string().contains("100")));
    }

    #[test]
    fn a_definition_may_refer_to_itself_once_for_each_place() {
        let tree =
            json!({ "properties": { "left": { "$ref": "#" }, "right": { "$ref": "#" }, "n": { "type": "number" } } });
        assert!(measure(&tree, BODY_STEPS_MAX).expect("a tree") < 20);
        let list = json!({ "$defs": { "l": { "items": { "$ref": "#/$defs/l" } } }, "$ref": "#/$defs/l" });
        measure(&list, BODY_STEPS_MAX).expect("a list of lists");
        let spelled = json!({ "properties": { "a": { "allOf": [{ "$ref": "#/properties/a" }, { "$ref": "#/properties/%61" }] } } });
        assert!(refused(&spelled).contains("refers to itself"), "{}", refused(&spelled));
        let twice = json!({ "properties": { "a": { "allOf": [{ "$ref": "#" }, { "$ref": "#" }] } } });
        assert!(refused(&twice).contains("refers to itself"));
        let by_pattern =
            json!({ "properties": { "a": { "$ref": "#" } }, "patternProperties": { "^a": { "$ref": "#" } } });
        assert!(refused(&by_pattern).contains("refers to itself"));
        let through_another = json!({
            "$defs": { "b": { "properties": { "y": { "$ref": "#" } } } },
            "properties": { "x": { "anyOf": [{ "$ref": "#/$defs/b" }, { "$ref": "#/$defs/b" }] } }
        });
        assert!(refused(&through_another).contains("refers to itself"));
    }

    #[test]
    fn a_part_with_a_name_of_its_own_is_refused() {
        // What refers to the same place in the part means another one than in the whole.
        let part = |name: &str| json!({ name: "urn:part", "$defs": { "x": { "type": "null" } }, "$ref": "#/$defs/x" });
        let whole = json!({ "$id": "urn:whole", "$defs": { "x": {}, "y": part("$id") }, "$ref": "#/$defs/y" });
        assert!(refused(&whole).contains("only the whole may have one"), "{}", refused(&whole));
        let old = json!({ "$schema": "http://json-schema.org/draft-04/schema#", "allOf": [part("id")] });
        assert!(refused(&old).contains("only the whole may have one"), "{}", refused(&old));
        let field =
            json!({ "$id": "urn:whole", "properties": { "$id": { "type": "string" }, "id": { "type": "string" } } });
        measure(&field, BODY_STEPS_MAX).expect("fields of that name");
    }

    #[test]
    fn references_out_of_the_schema_and_without_end_are_refused() {
        for reference in ["http://example.com/s", "#anchor", "#/$defs/none", "other.json"] {
            assert!(refused(&json!({ "$ref": reference })).contains("$defs"), "{reference}");
        }
        assert!(refused(&json!({ "allOf": [{ "$ref": "#" }] })).contains("refers to itself"));
    }

    #[test]
    fn a_wide_schema_of_plain_fields_is_allowed() {
        let field = |n: usize| (format!("field{n}"), json!({ "type": "string", "description": "a field" }));
        let fields: serde_json::Map<String, Value> = (0..300).map(field).collect();
        measure(&json!({ "type": "object", "properties": fields }), BODY_STEPS_MAX).expect("a wide schema");
    }

    /// Each line is a descriptor with one thing changed; what editors say of it must be what the host says.
    #[test]
    fn the_schema_beside_the_interface_takes_the_descriptors_that_the_host_takes() {
        let schema: Value =
            serde_json::from_str(include_str!("../../../../wit/descriptor.schema.json")).expect("a JSON text");
        let schema = jsonschema::validator_for(&schema).expect("a schema");
        let minimal = json!({ "name": "counter", "version": "1.2.3", "factory": "/core/counters" });
        let full = serde_json::to_value(Descriptor::parse(&minimal.to_string()).expect("a descriptor")).expect("JSON");
        let immutable = json!(["PERSISTENCE", "IMMUTABLE"]);
        let maintained = json!(["PERSISTENCE", "PERIODIC_MAINTENANCE"]);
        let changes = [
            (true, json!({})),
            (true, full),
            (false, json!({ "name": null })),
            (false, json!({ "name": "" })),
            (false, json!({ "name": "a b" })),
            (false, json!({ "version": "1.2" })),
            (false, json!({ "version": "1.2.3\u{7}" })),
            (true, json!({ "documentKind": "com:example:Counter ä" })),
            (false, json!({ "documentKind": "two\nlines" })),
            (false, json!({ "documentKind": "k".repeat(257) })),
            (true, json!({ "documentKind": "ä".repeat(256) })),
            (false, json!({ "documentKind": "turned\u{202e}round" })),
            (false, json!({ "version": "1.2.3\u{2028}" })),
            (false, json!({ "factory": "/" })),
            (false, json!({ "factory": "core/counters" })),
            (false, json!({ "factory": "/core//counters" })),
            (false, json!({ "colour": "red" })),
            (false, json!({ "stateVersion": -1 })),
            (false, json!({ "stateSchema": true })),
            (true, json!({ "stateSchema": { "type": "object" }, "actions": { "handle-patch": { "": {} } } })),
            (false, json!({ "actions": { "handle-patch": [] } })),
            (false, json!({ "handlers": ["handle-everything"] })),
            (false, json!({ "options": ["persistence"] })),
            (true, json!({ "options": immutable })),
            (false, json!({ "options": ["IMMUTABLE"] })),
            (false, json!({ "options": ["PERSISTENCE", "IMMUTABLE", "INSTRUMENTATION"] })),
            (true, json!({ "options": ["STATELESS"] })),
            (false, json!({ "options": ["STATELESS", "PERSISTENCE"] })),
            (false, json!({ "options": maintained })),
            (false, json!({ "options": maintained, "handlers": ["handle-maintenance"] })),
            (
                true,
                json!({ "options": maintained, "handlers": ["handle-maintenance"], "maintenanceIntervalMicros": 1000 }),
            ),
            (false, json!({ "start": "eager" })),
            (true, json!({ "start": "eager", "handlers": ["handle-start"] })),
            (true, json!({ "index": [{ "path": "a.b", "type": "number" }] })),
            (false, json!({ "index": [{ "path": "a.b", "type": "integer" }] })),
            (true, json!({ "index": null })),
            (false, json!({ "capabilities": { "inbound": [] } })),
            (false, json!({ "limits": { "deadlineMillis": -1 } })),
            (
                true,
                json!({ "limits": { "deadlineMillis": 5 }, "isolation": "per-call", "patch": "merge", "task": true }),
            ),
            (false, json!({ "isolation": "perCall" })),
            (true, json!({ "put": "none", "handlers": ["handle-create"] })),
            (false, json!({ "put": "none", "handlers": ["handle-put"] })),
            (false, json!({ "put": "none", "options": ["PERSISTENCE", "IDEMPOTENT_POST"] })),
            (false, json!({ "put": "merge" })),
        ];
        for (is_taken, change) in changes {
            let mut descriptor = minimal.clone();
            for (field, value) in change.as_object().expect("fields") {
                descriptor[field] = value.clone();
            }
            assert_eq!(Descriptor::parse(&descriptor.to_string()).is_ok(), is_taken, "the host: {descriptor}");
            assert_eq!(schema.is_valid(&descriptor), is_taken, "the schema: {descriptor}");
        }
    }
}
