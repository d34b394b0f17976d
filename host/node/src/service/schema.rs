//! The schema of a service's state, compiled, with a bound on what checking a state against it may cost.
//!
//! Problem: nothing interrupts a check. A schema of sixty lines, in which each definition refers twice to the next,
//! asks for 2^60 steps.
//!
//! Promise: a check takes time in proportion to the state. The steps are counted before a schema is accepted; every
//! `$ref` is followed wherever it stands, as a check would do. There are two bounds. The number of steps at one value
//! and below it: a setting bounds it where a module is mounted, and a mounted one stays, so that nodes need not agree;
//! no setting is above [`SCHEMA_STEPS_MAX`]. And a definition may refer to itself at most once for each place of the
//! state, because more would double the time with each level of nesting.
//!
//! Left out: references to other documents, and references by `$anchor` or `$dynamicRef`. A schema brings all it needs
//! below `$defs`.

use jsonschema::Validator;
use serde_json::Value;

use crate::config::SCHEMA_STEPS_MAX;

/// Most steps of a schema of a body, when each `$ref` is followed.
const BODY_STEPS_MAX: u32 = 2000;

/// Most references and subschemas inside one another.
const DEPTH_MAX: usize = 200;

/// From this many steps times bytes of a state on, a check holds up the thread for a noticeable time: milliseconds.
const LONG: usize = 4_000_000;

/// Why a schema is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// It is no schema.
    #[error("state schema cannot be used: {0}")]
    Invalid(String),
    /// It refers to something that is not in it.
    #[error(
        "state schema refers to {reference:?}; put the definition below `$defs` and refer to it by `#/$defs/<name>`"
    )]
    Reference {
        /// The value of `$ref`.
        reference: String,
    },
    /// A check would take too many steps.
    #[error(
        "state schema takes more than {max} steps when every `$ref` in it is followed; refer less often to large definitions, or \
         mount it on nodes with a higher --schema-steps"
    )]
    Steps { max: u32 },
    /// It is nested too deeply.
    #[error("state schema nests subschemas and references more than {max} deep")]
    Depth { max: usize },
    /// A check would take twice as long with each level of nesting in the state.
    #[error(
        "state schema has a definition that refers to itself more than once for the same place of a state: {reference:?}; \
         tell the cases apart before the reference, or leave what is below without a schema"
    )]
    Doubling {
        /// The value of `$ref`.
        reference: String,
    },
}

/// A compiled schema.
pub(crate) struct Schema {
    validator: Validator,
    steps: u32,
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
        let validator = jsonschema::validator_for(schema).map_err(|error| SchemaError::Invalid(error.to_string()))?;
        Ok(Some(Schema { validator, steps }))
    }

    pub(crate) fn validator(&self) -> &Validator {
        &self.validator
    }

    /// Returns true if checking a state of so many bytes takes long enough to hold others up.
    pub(crate) fn takes_long(&self, bytes: usize) -> bool {
        (self.steps as usize).saturating_mul(bytes) > LONG
    }
}

/// What a keyword holds.
enum Holds {
    /// A subschema for the same value, or for every value below it alike.
    One(Step),
    /// Subschemas by name.
    Named(fn(&str) -> Step),
    /// A list of subschemas.
    Listed(fn(usize) -> Step),
}

/// From a value to the one that a subschema is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Here,
    Property(String),
    AnyProperty,
    Name,
    Item(usize),
    AnyItem,
}

impl Step {
    /// Returns true if both may lead to the same value.
    fn meets(&self, other: &Step) -> bool {
        match (self, other) {
            (Step::Property(one), Step::Property(other)) => one == other,
            (Step::Item(one), Step::Item(other)) => one == other,
            (Step::Property(_) | Step::AnyProperty, Step::Property(_) | Step::AnyProperty)
            | (Step::Item(_) | Step::AnyItem, Step::Item(_) | Step::AnyItem)
            | (Step::Here, Step::Here)
            | (Step::Name, Step::Name) => true,
            (Step::Here | Step::Name, _)
            | (_, Step::Here | Step::Name)
            | (Step::Property(_) | Step::AnyProperty, Step::Item(_) | Step::AnyItem)
            | (Step::Item(_) | Step::AnyItem, Step::Property(_) | Step::AnyProperty) => false,
        }
    }
}

fn holds(keyword: &str) -> Option<Holds> {
    Some(match keyword {
        "not" | "if" | "then" | "else" => Holds::One(Step::Here),
        "allOf" | "anyOf" | "oneOf" => Holds::Listed(|_| Step::Here),
        "dependentSchemas" | "dependencies" => Holds::Named(|_| Step::Here),
        "properties" => Holds::Named(|name| Step::Property(name.to_owned())),
        "patternProperties" => Holds::Named(|_| Step::AnyProperty),
        "additionalProperties" | "unevaluatedProperties" => Holds::One(Step::AnyProperty),
        "propertyNames" => Holds::One(Step::Name),
        // `items` was a list in former drafts.
        "prefixItems" | "items" => Holds::Listed(Step::Item),
        "additionalItems" | "contains" | "unevaluatedItems" => Holds::One(Step::AnyItem),
        _ => return None,
    })
}

/// A definition that is being followed.
struct Open<'a> {
    reference: &'a str,
    /// How many steps lead to where it was referred to.
    way: usize,
    /// By which ways from there it referred to itself.
    closed: Vec<Vec<Step>>,
}

struct Measure<'a> {
    root: &'a Value,
    steps: u32,
    steps_max: u32,
    way: Vec<Step>,
    open: Vec<Open<'a>>,
    depth: usize,
}

fn measure(root: &Value, steps_max: u32) -> Result<u32, SchemaError> {
    let whole = Open { reference: "#", way: 0, closed: Vec::new() };
    let mut measure = Measure { root, steps: 0, steps_max, way: Vec::new(), open: vec![whole], depth: 0 };
    measure.schema(root)?;
    Ok(measure.steps)
}

impl<'a> Measure<'a> {
    fn steps(&mut self, more: u32) -> Result<(), SchemaError> {
        self.steps = self.steps.saturating_add(more);
        match self.steps > self.steps_max {
            true => Err(SchemaError::Steps { max: self.steps_max }),
            false => Ok(()),
        }
    }

    fn schema(&mut self, schema: &'a Value) -> Result<(), SchemaError> {
        self.steps(1)?;
        if self.depth > DEPTH_MAX {
            return Err(SchemaError::Depth { max: DEPTH_MAX });
        }
        let Value::Object(keywords) = schema else { return Ok(()) };
        self.depth += 1;
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("$ref", Value::String(reference)) => self.reference(reference)?,
                ("$dynamicRef" | "$recursiveRef", _) => {
                    return Err(SchemaError::Reference { reference: value.to_string() });
                }
                // Every keyword is a step; values of an enumeration are compared quickly, eight of them are one.
                ("enum", Value::Array(values)) => self.steps(u32::try_from(values.len() / 8).unwrap_or(u32::MAX))?,
                (keyword, value) => match holds(keyword) {
                    Some(holds) => self.below(&holds, value)?,
                    None => self.steps(1)?,
                },
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn below(&mut self, holds: &Holds, value: &'a Value) -> Result<(), SchemaError> {
        match (holds, value) {
            (Holds::One(step), schema) => self.at(step.clone(), schema),
            (Holds::Named(step), Value::Object(schemas)) => {
                schemas.iter().try_for_each(|(name, schema)| self.at(step(name), schema))
            }
            (Holds::Listed(step), Value::Array(schemas)) => {
                schemas.iter().enumerate().try_for_each(|(number, schema)| self.at(step(number), schema))
            }
            (Holds::Listed(_), schema) => self.at(Step::AnyItem, schema),
            // What is malformed is refused when the schema is compiled.
            (Holds::Named(_), _) => Ok(()),
        }
    }

    fn at(&mut self, step: Step, schema: &'a Value) -> Result<(), SchemaError> {
        let here = step == Step::Here;
        if !here {
            self.way.push(step);
        }
        let measured = self.schema(schema);
        if !here {
            self.way.pop();
        }
        measured
    }

    fn reference(&mut self, reference: &'a str) -> Result<(), SchemaError> {
        let way = self.way.len();
        if let Some(open) = self.open.iter_mut().find(|open| open.reference == reference) {
            let from_there = self.way[open.way..].to_vec();
            let meets = |other: &Vec<Step>| {
                let shared = other.len().min(from_there.len());
                other[..shared].iter().zip(&from_there[..shared]).all(|(one, other)| one.meets(other))
            };
            let doubled = open.closed.iter().any(meets);
            // Without a step in between a check would never end.
            if doubled || from_there.is_empty() {
                return Err(SchemaError::Doubling { reference: reference.to_owned() });
            }
            open.closed.push(from_there);
            return Ok(());
        }
        let unknown = || SchemaError::Reference { reference: reference.to_owned() };
        let pointer = reference.strip_prefix('#').ok_or_else(unknown)?;
        let definition = self.root.pointer(pointer).ok_or_else(unknown)?;
        self.open.push(Open { reference, way, closed: Vec::new() });
        let measured = self.schema(definition);
        self.open.pop();
        measured
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
