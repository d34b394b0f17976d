//! The name of a field that may have been meant by one that is not there, or by one that holds others.

use serde_json::Value as Json;
use steward_model::Builtin;

/// Most names of fields among which the nearest is looked for, and how deep they lie.
const NAMES_MAX: usize = 500;
const NAMES_DEPTH_MAX: u32 = 3;

/// Returns the field of states with these schemas, or of the host, that may have been meant by `path`.
pub(super) fn nearest<'a>(path: &str, schemas: impl Iterator<Item = &'a Json>) -> Option<String> {
    let mut names: Vec<String> = Builtin::ALL.map(|builtin| builtin.name().to_owned()).to_vec();
    schemas.for_each(|schema| gather("", schema, schema, 0, &mut names));
    let wanted = path.to_lowercase();
    let distance = |name: &String| strsim::damerau_levenshtein(&name.to_lowercase(), &wanted);
    let near = names.into_iter().map(|name| (distance(&name), name));
    let (distance, name) = near.min()?;
    (distance <= 1 + path.chars().count() / 4).then_some(name)
}

/// Most fields inside one that are named.
const INSIDE_MAX: usize = 3;

/// Returns some fields directly inside of the one at `path` of states with these schemas.
pub(super) fn inside<'a>(path: &str, schemas: impl Iterator<Item = &'a Json>) -> Vec<String> {
    let mut names = Vec::new();
    schemas.for_each(|schema| gather("", schema, schema, 0, &mut names));
    let is_inside = |name: &String| {
        name.strip_prefix(path).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| !rest.contains('.'))
    };
    names.retain(is_inside);
    names.sort_unstable();
    names.dedup();
    names.truncate(INSIDE_MAX);
    names
}

/// Collects the names of fields.
fn gather(above: &str, root: &Json, schema: &Json, depth: u32, names: &mut Vec<String>) {
    if depth > NAMES_DEPTH_MAX || names.len() > NAMES_MAX {
        return;
    }
    let target = schema["$ref"].as_str().and_then(|reference| root.pointer(reference.strip_prefix('#')?));
    let branches = ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|word| schema[word].as_array()).flatten();
    for branch in target.into_iter().chain(branches).chain(schema.get("items")) {
        gather(above, root, branch, depth + 1, names);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        gather(&path, root, property, depth + 1, names);
        names.push(path);
    }
}
