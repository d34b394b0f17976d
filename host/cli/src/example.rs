//! What to type first at a service that was just deployed: a command that it takes, as far as its descriptor says.

use serde_json::{Map, Value};

use steward_node::fullest_body;

/// Returns the command, for a module as the host describes it, mounted at `factory`.
pub(super) fn first_command(installed: &Value, factory: &str) -> String {
    if lists(installed, "/descriptor/options", "STATELESS") {
        return match lists(installed, "/descriptor/handlers", "handle-get") {
            true => format!("steward get {factory}"),
            false => format!("steward get {factory}/template"),
        };
    }
    let schema = installed.pointer("/descriptor/stateSchema");
    match schema.map_or_else(|| Some(Map::new()), fullest_body) {
        Some(body) => format!("steward post {factory}{}", fields(&body)),
        None => format!("steward get {factory}/template"),
    }
}

/// Returns true if the list at a JSON pointer has the word.
pub(super) fn lists(installed: &Value, pointer: &str, word: &str) -> bool {
    let words = installed.pointer(pointer).and_then(Value::as_array);
    words.is_some_and(|words| words.iter().any(|one| one == word))
}

/// Returns a body as words of the command line, each with a blank before it.
fn fields(body: &Map<String, Value>) -> String {
    let plain = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !body.keys().all(plain) {
        return format!(" {}", quoted(&Value::Object(body.clone()).to_string()));
    }
    let word = |(name, value): (&String, &Value)| match value {
        // What begins with @ is the name of a file.
        Value::String(text) if !text.starts_with('@') => format!(" {}", quoted(&format!("{name}={text}"))),
        other => format!(" {}", quoted(&format!("{name}:={other}"))),
    };
    body.iter().map(word).collect()
}

/// Returns a text as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:=/@%+".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn first(descriptor: &Value) -> String {
        first_command(&json!({ "descriptor": descriptor }), "/core/a")
    }

    #[test]
    fn what_a_service_wants_is_in_the_command() {
        let schema = json!({ "type": "object", "required": ["name", "size", "tags"], "properties": {
            "name": { "type": "string" }, "size": { "type": "integer", "minimum": 2 }, "note": { "type": "string" },
            "tags": { "type": "array", "items": { "type": "string" } },
        } });
        let command = first(&json!({ "stateSchema": schema }));
        assert_eq!(command, "steward post /core/a 'name=example string' size:=2 'note=example string' 'tags:=[]'");
        assert_eq!(first(&json!({ "stateSchema": { "type": "object" } })), "steward post /core/a");
        let named = json!({ "type": "object", "required": ["a.b"], "properties": { "a.b": { "const": "it's" } } });
        assert_eq!(first(&json!({ "stateSchema": named })), "steward post /core/a '{\"a.b\":\"it'\\''s\"}'");
        let unknown = json!({ "type": "object", "required": ["a"] });
        assert_eq!(first(&json!({ "stateSchema": unknown })), "steward get /core/a/template");
    }

    #[test]
    fn a_service_without_documents_is_asked() {
        let asks = |handler: &str| first(&json!({ "options": ["STATELESS"], "handlers": [handler] }));
        assert_eq!(asks("handle-get"), "steward get /core/a");
        assert_eq!(asks("handle-post"), "steward get /core/a/template");
    }
}
