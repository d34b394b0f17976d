//! Examples and descriptions of fields, made out of a JSON Schema.

use serde_json::{Map, Value, json};

use crate::service::{Schema, stripped};

/// How deep examples go; a schema that refers to itself has no end of its own.
const DEPTH_MAX: usize = 8;

/// Most items of a list in an example, and longest text, whatever a schema wants.
const ITEMS_MAX: u64 = 8;
const TEXT_MAX: usize = 256;

/// Returns a value that fits the schema as far as its types, examples and defaults say.
pub(super) fn example(schema: &Value) -> Value {
    example_within(schema, schema, 0)
}

/// Returns bodies of which states with this schema may be made, the fullest first: all fields, those that must be there, none.
fn bodies(schema: &Value) -> [Map<String, Value>; 3] {
    let full = match example(schema) {
        Value::Object(fields) => stripped(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    let least = full.iter().filter(|(name, _)| is_required(schema, name));
    let least = least.map(|(name, value)| (name.clone(), value.clone())).collect();
    [full, least, Map::new()]
}

/// Returns the fullest body of which a state with this schema can be made, for a handler may ask for more than its schema; none if none
/// was found. A schema that cannot be used has none.
pub fn fullest_body(schema: &Value) -> Option<Map<String, Value>> {
    fullest_that_fits(schema, Schema::compile(schema).ok()?.as_ref())
}

/// Returns what [`fullest_body`] does of a schema that is compiled already; none: every object fits.
pub(crate) fn fullest_that_fits(schema: &Value, compiled: Option<&Schema>) -> Option<Map<String, Value>> {
    let bodies = bodies(schema).into_iter().map(Value::Object);
    let mut fitting = bodies.filter(|body| compiled.is_none_or(|compiled| compiled.fits(body)));
    fitting.find_map(|body| if let Value::Object(fields) = body { Some(fields) } else { None })
}

/// Returns what Xenon calls property descriptions: name, type and example of each field.
pub(super) fn properties(schema: &Value) -> Value {
    let described = fields(schema).map(|(name, field)| {
        let field = resolved(schema, field);
        let mut description = json!({
            "typeName": type_name(field),
            "exampleValue": example_within(schema, field, 1),
            "usageOptions": if is_required(schema, name) { json!(["REQUIRED"]) } else { json!([]) },
        });
        if let Some(text) = field.get("description") {
            description["propertyDocumentation"] = text.clone();
        }
        (name.clone(), description)
    });
    described.collect::<Map<String, Value>>().into()
}

fn fields(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn is_required(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|required| required.iter().any(|required| required == name))
}

/// Follows a reference within the schema, once.
fn resolved<'a>(whole: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    reference.and_then(|pointer| whole.pointer(pointer)).unwrap_or(schema)
}

fn example_within(whole: &Value, schema: &Value, depth: usize) -> Value {
    let schema = resolved(whole, schema);
    let given = [schema.pointer("/examples/0"), schema.get("default"), schema.get("const"), schema.pointer("/enum/0")];
    if let Some(given) = given.into_iter().flatten().next() {
        return given.clone();
    }
    if depth >= DEPTH_MAX {
        return Value::Null;
    }
    match kind(schema) {
        "object" => {
            let example = fields(schema).map(|(name, field)| (name.clone(), example_within(whole, field, depth + 1)));
            example.collect::<Map<String, Value>>().into()
        }
        "array" => {
            let item = schema.get("items").unwrap_or(&Value::Null);
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(ITEMS_MAX);
            (0..count).map(|_| example_within(whole, item, depth + 1)).collect()
        }
        "string" => text(schema).into(),
        "integer" => integer(schema),
        "number" => number(schema),
        "boolean" => json!(false),
        _ => one_of_several(whole, schema, depth),
    }
}

/// Returns an example of the first case of a schema that has several, besides that of nothing.
fn one_of_several(whole: &Value, schema: &Value, depth: usize) -> Value {
    let cases = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten();
    let mut examples = cases.map(|case| example_within(whole, case, depth + 1));
    examples.find(|example| !example.is_null()).unwrap_or(Value::Null)
}

/// Returns a text as long as the schema wants it.
fn text(schema: &Value) -> String {
    let bound = |keyword| schema.get(keyword).and_then(Value::as_u64).and_then(|bound| usize::try_from(bound).ok());
    let (least, most) = (bound("minLength").unwrap_or(0).min(TEXT_MAX), bound("maxLength").unwrap_or(TEXT_MAX));
    "example string".chars().chain(std::iter::repeat('.')).take(least.max("example string".len()).min(most)).collect()
}

fn integer(schema: &Value) -> Value {
    let bound = |keyword| schema.get(keyword).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").and_then(|bound| bound.checked_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").and_then(|bound| bound.checked_sub(1)));
    json!(least.unwrap_or_else(|| most.unwrap_or(0).min(0)))
}

fn number(schema: &Value) -> Value {
    let bound = |keyword| schema.get(keyword).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound + 1.0));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound - 1.0));
    json!(least.unwrap_or_else(|| most.unwrap_or(0.0).min(0.0)))
}

/// Returns the first type that the schema allows, besides null.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null")
        }
        Some(_) | None if schema.get("properties").is_some() => "object",
        Some(_) | None => "",
    }
}

fn type_name(schema: &Value) -> &'static str {
    match kind(schema) {
        "string" => "STRING",
        "integer" => "LONG",
        "number" => "DOUBLE",
        "boolean" => "BOOLEAN",
        "array" => "COLLECTION",
        "object" if schema.get("properties").is_none() => "MAP",
        "object" => "PODO",
        _ => "OBJECT",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_fit_the_types_and_prefer_what_is_given() {
        let schema = json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "examples": ["counter"], "description": "what it is called"},
                "count": {"type": "integer", "minimum": 1},
                "note": {"type": ["null", "string"]},
                "inner": {"$ref": "#/$defs/inner"},
                "map": {"type": "object"},
            },
            "$defs": {"inner": {"type": "object", "properties": {"on": {"type": "boolean", "default": true}}}},
        });
        let expected = json!({
            "name": "counter", "count": 1, "note": "example string", "inner": {"on": true}, "map": {},
        });
        assert_eq!(example(&schema), expected);
        let described = properties(&schema);
        assert_eq!(described["name"]["usageOptions"], json!(["REQUIRED"]));
        assert_eq!(described["inner"]["typeName"], "PODO");
        assert_eq!(described["map"]["typeName"], "MAP");
    }

    #[test]
    fn examples_keep_to_bounds() {
        for (schema, expected) in [
            (json!({ "type": "array", "items": { "type": "integer" }, "minItems": 2 }), json!([0, 0])),
            (json!({ "type": "string", "maxLength": 3 }), json!("exa")),
            (json!({ "type": "string", "minLength": 16 }), json!("example string..")),
            (json!({ "type": "integer", "exclusiveMinimum": 4 }), json!(5)),
            (json!({ "type": "integer", "maximum": -2 }), json!(-2)),
            (json!({ "type": "number", "minimum": 0.5 }), json!(0.5)),
            (json!({ "anyOf": [{ "type": "null" }, { "type": "boolean" }] }), json!(false)),
        ] {
            assert_eq!(example(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn schemas_that_refer_to_themselves_have_an_end() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(example(&schema).is_object());
        assert_eq!(example(&json!(true)), Value::Null);
    }
}
