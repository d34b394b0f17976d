//! Where two JSON values differ, as JSON pointers (RFC 6901).

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde_json::{Map, Value};
use steward_model::leaves::{Leaf, Order, leaves, pointer_step};

/// Most places that are listed.
const DIFFERENCES_MAX: usize = 100;

/// Returns the places at which two objects differ, in the order of their names: the innermost that both have. A member that only
/// one has is a place.
pub(super) fn differences(one: &Map<String, Value>, other: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    // It breaks off when the list is full.
    let _ = names.into_iter().try_for_each(|name| {
        leaves(name, (one.get(name), other.get(name)), Order::ByName, |leaf| {
            if leaf.one != leaf.other {
                found.push(pointer_to(leaf));
            }
            if found.len() < DIFFERENCES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
    });
    found
}

fn pointer_to(leaf: Leaf<'_, '_>) -> String {
    let steps = leaf.path.iter().map(|name| format!("/{}", pointer_step(name)));
    steps.collect()
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
