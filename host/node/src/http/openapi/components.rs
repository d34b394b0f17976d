//! What operations refer to: schemas, parameters, headers, answers. Those that nobody refers to are left out.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use steward_model::problem::Kind;

use super::references::{collect, to};

/// Schemas of what the host itself takes and answers.
const SCHEMAS: &str = include_str!("schemas.json");
/// Parameters and headers.
const FIELDS: &str = include_str!("fields.json");

/// Kinds of refusals that say after how many seconds the same request may succeed.
const PASSING: [Kind; 3] = [Kind::TooMany, Kind::Unavailable, Kind::NoSpace];

#[derive(Debug, Default)]
pub(super) struct Components {
    schemas: Map<String, Value>,
}

impl Components {
    /// Adds a schema under a name that no other has.
    pub(super) fn schema(&mut self, name: String, schema: Value) {
        self.schemas.insert(name, schema);
    }

    /// Returns the schemas that were added.
    #[cfg(test)]
    pub(super) fn schemas(&self) -> &Map<String, Value> {
        &self.schemas
    }

    /// Returns all that `paths` refer to, directly or through others.
    ///
    /// # Panics
    /// If one refers to what is not there.
    pub(super) fn of(self, paths: &Value) -> Value {
        let mut all: Value = serde_json::from_str(FIELDS).expect("a file of this module is JSON");
        let mut schemas: Map<String, Value> = serde_json::from_str(SCHEMAS).expect("a file of this module is JSON");
        schemas.extend(self.schemas);
        all["schemas"] = schemas.into();
        all["responses"] = responses();
        let mut wanted = BTreeSet::new();
        collect(paths, &mut wanted);
        let mut open: Vec<&str> = wanted.iter().copied().collect();
        let mut kept = BTreeSet::new();
        while let Some(reference) = open.pop() {
            let (kind, name) = place(reference).expect("references of this document lead to components");
            if kept.insert((kind, name)) {
                let component = all[kind].get(name).unwrap_or_else(|| panic!("{reference} is not there"));
                let mut further = BTreeSet::new();
                collect(component, &mut further);
                open.extend(further);
            }
        }
        let kinds = ["schemas", "parameters", "headers", "responses"];
        let of_kind = |kind: &&str| {
            let named = all[*kind].as_object().into_iter().flatten();
            let named = named.filter(|(name, _)| kept.contains(&(*kind, name.as_str())));
            let named: Map<String, Value> = named.map(|(name, value)| (name.clone(), value.clone())).collect();
            (!named.is_empty()).then(|| ((*kind).to_owned(), Value::Object(named)))
        };
        kinds.iter().filter_map(of_kind).collect::<Map<String, Value>>().into()
    }
}

/// Returns the kind and the name of the component that a reference leads to, or into.
fn place(reference: &str) -> Option<(&str, &str)> {
    let mut segments = reference.strip_prefix("#/components/")?.split('/');
    Some((segments.next()?, segments.next()?))
}

/// Returns the name of the answer that tells of a kind of refusal.
pub(super) fn name_of(kind: Kind) -> String {
    kind.title().replace(' ', "")
}

fn responses() -> Value {
    let content = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    let response = |description: &str, passes: bool| {
        let mut headers = json!({ "x-request-id": to("headers", "x-request-id") });
        if passes {
            headers["Retry-After"] = to("headers", "Retry-After");
        }
        json!({ "description": description, "headers": headers, "content": content })
    };
    let of_kind = |kind: Kind| (name_of(kind), response(kind.title(), PASSING.contains(&kind)));
    let mut responses: Map<String, Value> = Kind::all().map(of_kind).collect();
    let own = "A refusal of the service, with a status of its own choice";
    responses.insert("Refused".to_owned(), response(own, true));
    responses.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_has_refers_only_to_what_is_there() {
        let schemas: Map<String, Value> = serde_json::from_str(SCHEMAS).expect("JSON");
        let fields: Map<String, Value> = serde_json::from_str(FIELDS).expect("JSON");
        let mut all: Vec<Value> = schemas.keys().map(|name| to("schemas", name)).collect();
        for kind in ["parameters", "headers"] {
            all.extend(fields[kind].as_object().expect("names").keys().map(|name| to(kind, name)));
        }
        let kept = Components::default().of(&all.into());
        assert_eq!(kept["schemas"].as_object().map(Map::len), Some(schemas.len()));
        assert!(schemas.values().all(jsonschema::meta::is_valid));
    }

    #[test]
    fn what_nobody_refers_to_is_left_out() {
        let kept = Components::default().of(&json!({ "$ref": "#/components/responses/NotFound" }));
        assert_eq!(kept["responses"].as_object().map(Map::len), Some(1));
        assert_eq!(kept["schemas"].as_object().map(Map::len), Some(1), "the problem alone: {kept}");
        assert_eq!(kept.get("parameters"), None);
    }
}
