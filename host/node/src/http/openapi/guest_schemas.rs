//! Schemas of services, taken over into the document.
//!
//! Problem: a service writes its schema as a document of its own, with definitions and references inside, in whatever draft of
//! JSON Schema. In OpenAPI it is a part of a larger one.
//!
//! Promise: what is taken over is a schema of the draft of 2020, and each reference in it leads to a component that is there.
//! Definitions become components, so that programs that write code find a name for them. Where the service allows no fields
//! besides its own, those of the host are allowed: the host takes them out before it checks a body and adds them to what it shows.
//!
//! Departure: a schema that cannot be taken over so is shown as one of any object.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use steward_model::leaves::pointer_step;

use super::components::Components;
use super::names;
use super::references::{collect, to_schema};

/// Keywords that name or place a schema, or that OpenAPI reads in its own way.
const LEFT_OUT: [&str; 12] = [
    "$schema",
    "$id",
    "id",
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveRef",
    "$recursiveAnchor",
    "$vocabulary",
    "discriminator",
    "xml",
    "externalDocs",
];

/// Fields that the host keeps, as a closed schema allows them.
const OF_THE_HOST: &str = "^document[A-Z]";

/// Takes a schema over as the component `<role>.<tail>` and returns a reference to it.
pub(super) fn adopt(components: &mut Components, role: &str, tail: &str, schema: &Value) -> Value {
    let adopting = Adopting { root: schema, own: format!("{role}.{tail}"), below: format!("{role}Part.{tail}") };
    let taken = adopting.taken();
    let fits = taken.iter().all(|(_, schema)| jsonschema::meta::is_valid(schema)) && is_whole(&taken);
    if fits {
        taken.into_iter().for_each(|(name, schema)| components.schema(name, schema));
    } else {
        let description = "The schema of the service cannot be shown here; see its template.";
        components.schema(adopting.own.clone(), json!({ "type": "object", "description": description }));
    }
    to_schema(&adopting.own)
}

/// Returns true if every reference leads to one of the schemas.
fn is_whole(taken: &Map<String, Value>) -> bool {
    let whole = json!({ "components": { "schemas": taken } });
    let mut references = BTreeSet::new();
    taken.values().for_each(|schema| collect(schema, &mut references));
    references.iter().all(|reference| reference.strip_prefix('#').is_some_and(|at| whole.pointer(at).is_some()))
}

struct Adopting<'a> {
    root: &'a Value,
    /// Name of the component that the whole becomes.
    own: String,
    /// What the names of its definitions begin with.
    below: String,
}

impl Adopting<'_> {
    /// Returns the schema and its definitions, by the names of their components.
    fn taken(&self) -> Map<String, Value> {
        let mut in_place = BTreeSet::new();
        in_place_of(self.root, self.root, &mut in_place);
        let mut taken = Map::new();
        taken.insert(self.own.clone(), self.schema(self.root, true));
        for keyword in ["$defs", "definitions"] {
            for (name, schema) in self.root.get(keyword).and_then(Value::as_object).into_iter().flatten() {
                let is_in_place = in_place.contains(&format!("/{keyword}/{}", pointer_step(name)));
                taken.insert(self.definition(keyword, name), self.schema(schema, is_in_place));
            }
        }
        if let Some(Value::Object(root)) = taken.get_mut(&self.own) {
            root.shift_remove("$defs");
            root.shift_remove("definitions");
        }
        taken
    }

    fn definition(&self, keyword: &str, name: &str) -> String {
        let old = if keyword == "definitions" { "-old" } else { "" };
        format!("{}.{}{old}", self.below, names::clean(name))
    }

    /// `in_place`: it is asked about the whole document, and not about a value inside.
    fn schema(&self, schema: &Value, in_place: bool) -> Value {
        let Value::Object(keywords) = schema else { return schema.clone() };
        let mut written = Map::new();
        for (keyword, value) in keywords.iter().filter(|(keyword, _)| !LEFT_OUT.contains(&keyword.as_str())) {
            match (keyword.as_str(), value) {
                ("$ref", Value::String(reference)) => {
                    if let Some(reference) = self.led(reference) {
                        written.insert("$ref".to_owned(), reference.into());
                    }
                }
                // A list of items was written so in former drafts, and what follows it as `additionalItems`.
                ("items", Value::Array(_)) => drop(written.insert("prefixItems".to_owned(), self.below(value, false))),
                ("additionalItems", rest) => {
                    if keywords.get("items").is_some_and(Value::is_array) {
                        written.insert("items".to_owned(), self.schema(rest, false));
                    }
                }
                ("not" | "if" | "then" | "else", value) => {
                    written.insert(keyword.clone(), self.schema(value, in_place));
                }
                ("allOf" | "anyOf" | "oneOf" | "dependentSchemas", value) => {
                    written.insert(keyword.clone(), self.below(value, in_place));
                }
                ("properties" | "patternProperties" | "$defs" | "definitions" | "prefixItems", value) => {
                    written.insert(keyword.clone(), self.below(value, false));
                }
                (
                    "items"
                    | "contains"
                    | "additionalProperties"
                    | "propertyNames"
                    | "unevaluatedItems"
                    | "unevaluatedProperties",
                    value,
                ) => drop(written.insert(keyword.clone(), self.schema(value, false))),
                (_, value) => drop(written.insert(keyword.clone(), value.clone())),
            }
        }
        let is_closed = |keyword| written.get(keyword) == Some(&Value::Bool(false));
        if in_place && (is_closed("additionalProperties") || is_closed("unevaluatedProperties")) {
            let patterns = written.entry("patternProperties").or_insert_with(|| json!({}));
            patterns[OF_THE_HOST] = true.into();
        }
        Value::Object(written)
    }

    /// Takes over subschemas that stand in a list or under names.
    fn below(&self, value: &Value, in_place: bool) -> Value {
        match value {
            Value::Array(schemas) => schemas.iter().map(|schema| self.schema(schema, in_place)).collect(),
            Value::Object(schemas) => {
                let schemas = schemas.iter().map(|(name, schema)| (name.clone(), self.schema(schema, in_place)));
                schemas.collect::<Map<String, Value>>().into()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }

    /// Returns where a reference leads in the document; none if it leads nowhere in the schema of the service.
    fn led(&self, reference: &str) -> Option<String> {
        let pointer = reference.strip_prefix('#')?;
        self.root.pointer(pointer)?;
        let mut segments = pointer.splitn(4, '/').skip(1);
        let (component, rest) = match (segments.next(), segments.next()) {
            (Some(keyword @ ("$defs" | "definitions")), Some(name)) => {
                let name = name.replace("~1", "/").replace("~0", "~");
                (self.definition(keyword, &name), segments.next().map(|rest| format!("/{rest}")).unwrap_or_default())
            }
            _ => (self.own.clone(), pointer.to_owned()),
        };
        Some(format!("#/components/schemas/{component}{rest}"))
    }
}

/// Adds to `found` the pointers of what is asked about the same value as `schema`, by way of references.
fn in_place_of(root: &Value, schema: &Value, found: &mut BTreeSet<String>) {
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    if let Some((pointer, target)) = pointer.and_then(|pointer| Some((pointer, root.pointer(pointer)?)))
        && found.insert(pointer.to_owned())
    {
        in_place_of(root, target, found);
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let listed = schema.get(keyword).and_then(Value::as_array);
        listed.into_iter().flatten().for_each(|schema| in_place_of(root, schema, found));
    }
    for keyword in ["if", "then", "else"] {
        schema.get(keyword).into_iter().for_each(|schema| in_place_of(root, schema, found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adopted(schema: &Value) -> Value {
        let mut components = Components::default();
        assert_eq!(adopt(&mut components, "State", "a", schema), to_schema("State.a"));
        components.schemas().clone().into()
    }

    #[test]
    fn definitions_become_components_and_references_lead_there() {
        let taken = adopted(&json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "https://example.com/a",
            "type": "object",
            "properties": {
                "next": { "$ref": "#" },
                "one": { "$ref": "#/$defs/One" },
                "deep": { "$ref": "#/$defs/One/properties/x" },
                "$ref": { "type": "string", "default": { "$ref": "#/not/a/reference" } },
            },
            "$defs": { "One": { "type": "object", "properties": { "x": { "$ref": "#/properties/next" } } } },
        }));
        let at = |name: &str| taken["State.a"]["properties"][name]["$ref"].clone();
        assert_eq!(at("next"), "#/components/schemas/State.a");
        assert_eq!(at("one"), "#/components/schemas/StatePart.a.One");
        assert_eq!(at("deep"), "#/components/schemas/StatePart.a.One/properties/x");
        let one = &taken["StatePart.a.One"]["properties"]["x"]["$ref"];
        assert_eq!(one, "#/components/schemas/State.a/properties/next");
        assert_eq!((taken["State.a"].get("$id"), taken["State.a"].get("$defs")), (None, None));
    }

    #[test]
    fn closed_schemas_allow_the_fields_of_the_host() {
        let closed = json!({ "type": "object", "additionalProperties": false });
        let taken = adopted(&json!({
            "$ref": "#/$defs/whole",
            "$defs": { "whole": { "additionalProperties": false, "properties": { "in": closed } } },
        }));
        let whole = &taken["StatePart.a.whole"];
        assert_eq!(whole["patternProperties"], json!({ OF_THE_HOST: true }));
        assert_eq!(whole["properties"]["in"], closed);
    }

    #[test]
    fn former_drafts_are_written_anew_and_what_cannot_be_is_any_object() {
        let taken = adopted(&json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "definitions": { "pair": { "items": [{ "type": "string" }], "additionalItems": false } },
            "properties": { "pair": { "$ref": "#/definitions/pair" } },
        }));
        let pair = json!({ "prefixItems": [{ "type": "string" }], "items": false });
        assert_eq!(taken["StatePart.a.pair-old"], pair);
        for schema in [json!({ "type": "strange" }), json!({ "required": true })] {
            assert_eq!(adopted(&schema)["State.a"]["type"], "object", "{schema}");
        }
        assert_eq!(adopted(&json!({ "$ref": "https://example.com/b" }))["State.a"], json!({}));
    }
}
