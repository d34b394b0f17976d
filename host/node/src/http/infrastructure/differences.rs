//! Where two JSON values differ, as JSON pointers (RFC 6901).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Most places that are listed.
const DIFFERENCES_MAX: usize = 100;

/// Returns the places at which two objects differ, in the order of their names: the innermost that both have. A member that only
/// one has is a place.
pub(super) fn differences(one: &Map<String, Value>, other: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    compare_objects("", one, other, &mut found);
    found.truncate(DIFFERENCES_MAX);
    found
}

fn compare(pointer: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        _ if found.len() >= DIFFERENCES_MAX => {}
        (Value::Object(one), Value::Object(other)) => compare_objects(pointer, one, other, found),
        (Value::Array(one), Value::Array(other)) => {
            for place in 0..one.len().max(other.len()) {
                compare_members(&format!("{pointer}/{place}"), one.get(place), other.get(place), found);
            }
        }
        (one, other) if one == other => {}
        _ => found.push(pointer.to_owned()),
    }
}

fn compare_objects(pointer: &str, one: &Map<String, Value>, other: &Map<String, Value>, found: &mut Vec<String>) {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        compare_members(&format!("{pointer}/{escaped}"), one.get(name), other.get(name), found);
    }
}

fn compare_members(pointer: &str, one: Option<&Value>, other: Option<&Value>, found: &mut Vec<String>) {
    match (one, other) {
        (Some(one), Some(other)) => compare(pointer, one, other, found),
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => found.push(pointer.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn between(one: &Value, other: &Value) -> Vec<String> {
        let none = Map::new();
        differences(one.as_object().unwrap_or(&none), other.as_object().unwrap_or(&none))
    }

    #[test]
    fn differences_are_named_at_the_innermost_place() {
        let one = json!({ "state": { "count": 1, "a/b": [1, 2], "same": { "x": null } }, "status": 200 });
        let other = json!({ "state": { "count": 2, "a/b": [1, 3, 4], "same": { "x": null } }, "problem": {} });
        assert_eq!(between(&one, &other), ["/problem", "/state/a~1b/1", "/state/a~1b/2", "/state/count", "/status"]);
        assert_eq!(between(&one, &one), Vec::<String>::new());
    }

    #[test]
    fn a_list_of_differences_has_an_end() {
        let one = json!({ "state": vec![1; 1000] });
        let other = json!({ "state": vec![2; 1000] });
        assert_eq!(between(&one, &other).len(), DIFFERENCES_MAX);
    }
}
