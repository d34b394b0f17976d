//! Two JSON values beside one another: where each of their innermost values stands, and what the other one has there.
//!
//! Objects and lists that both have are gone into. What only one has, or is of another type in the other, is a leaf as a whole.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

/// In which order the members of two objects come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By their names.
    ByName,
    /// As the first object has them, then those that only the second one has.
    AsWritten,
}

/// One leaf of two values: the names of members and the places in lists that lead to it, and what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf<'p, 'v> {
    /// From the outermost to the innermost.
    pub path: &'p [String],
    /// The value of the first; none if it has nothing there.
    pub one: Option<&'v Value>,
    /// The value of the second; none if it has nothing there.
    pub other: Option<&'v Value>,
}

/// Visits the leaves of two values, until `visit` breaks off; returns whether it did. All paths begin with `name`.
pub fn leaves<'v>(
    name: &str,
    (one, other): (Option<&'v Value>, Option<&'v Value>),
    order: Order,
    visit: impl FnMut(Leaf<'_, 'v>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    Walk { order, path: Vec::new(), visit }.below(name.to_owned(), one, other)
}

/// Returns the name of a member as a JSON pointer has it. Source: RFC 6901, section 3.
pub fn pointer_step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

struct Walk<F> {
    order: Order,
    path: Vec<String>,
    visit: F,
}

impl<'v, F: FnMut(Leaf<'_, 'v>) -> ControlFlow<()>> Walk<F> {
    fn objects(&mut self, one: &'v Map<String, Value>, other: &'v Map<String, Value>) -> ControlFlow<()> {
        let mut names: Vec<&String> = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name))).collect();
        match self.order {
            Order::ByName => names.sort_unstable(),
            Order::AsWritten => {}
        }
        names.into_iter().try_for_each(|name| self.below(name.clone(), one.get(name), other.get(name)))
    }

    fn below(&mut self, name: String, one: Option<&'v Value>, other: Option<&'v Value>) -> ControlFlow<()> {
        self.path.push(name);
        let flow = match (one, other) {
            (Some(Value::Object(one)), Some(Value::Object(other))) => self.objects(one, other),
            (Some(Value::Array(one)), Some(Value::Array(other))) => {
                let mut places = 0..one.len().max(other.len());
                places.try_for_each(|place| self.below(place.to_string(), one.get(place), other.get(place)))
            }
            (None, None) => ControlFlow::Continue(()),
            (one, other) => (self.visit)(Leaf { path: &self.path, one, other }),
        };
        self.path.pop();
        flow
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(order: Order, most: usize) -> Vec<(String, bool)> {
        let one = json!({ "b": { "y": 1, "x": [1, 2] }, "gone": {}, "a": 1 });
        let other = json!({ "b": { "y": 1, "x": [1, 3, 4] }, "a": [1], "come": 2 });
        let mut seen = Vec::new();
        let flow = leaves("of", (Some(&one), Some(&other)), order, |leaf| {
            seen.push((leaf.path[1..].join("."), leaf.one == leaf.other));
            if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        assert_eq!(flow.is_break(), seen.len() == most);
        seen
    }

    fn named(leaves: &[(&str, bool)]) -> Vec<(String, bool)> {
        leaves.iter().map(|(path, same)| ((*path).to_owned(), *same)).collect()
    }

    #[test]
    fn leaves_are_the_innermost_places_that_both_have() {
        let written =
            [("b.y", true), ("b.x.0", true), ("b.x.1", false), ("b.x.2", false), ("gone", false), ("a", false)];
        assert_eq!(seen(Order::AsWritten, 9), named(&[&written[..], &[("come", false)]].concat()));
        let sorted = [("a", false), ("b.x.0", true), ("b.x.1", false), ("b.x.2", false), ("b.y", true)];
        assert_eq!(seen(Order::ByName, 9), named(&[&sorted[..], &[("come", false), ("gone", false)]].concat()));
    }

    #[test]
    fn nothing_beside_nothing_has_no_leaf() {
        let flow = leaves("of", (None, None), Order::ByName, |_| ControlFlow::Break(()));
        assert!(flow.is_continue());
    }

    #[test]
    fn a_visit_can_be_broken_off_inside_of_a_list() {
        assert_eq!(seen(Order::ByName, 3).len(), 3);
    }
}
