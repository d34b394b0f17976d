//! Examples and descriptions of fields, made out of a JSON Schema.

use serde_json::{Map, Value, json};

/// How deep examples go; a schema that refers to itself has no end of its own.
const DEPTH_MAX: usize = 8;

/// Returns a value that fits the schema as far as its types, examples and defaults say.
pub(super) fn example(schema: &Value) -> Value {
    example_within(schema, schema, 0)
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
        "array" => json!([]),
        "string" => json!("example string"),
        "integer" => schema.get("minimum").filter(|minimum| minimum.is_i64()).cloned().unwrap_or_else(|| json!(0)),
        "number" => json!(0.0),
        "boolean" => json!(false),
        _ => Value::Null,
    }
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
    fn schemas_that_refer_to_themselves_have_an_end() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(example(&schema).is_object());
        assert_eq!(example(&json!(true)), Value::Null);
    }
}
