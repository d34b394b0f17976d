//! Which look-ups in the field index find every document that may match.
//!
//! The index holds scalars of the state down to the third level, or the fields that a service lists. A look-up is used only where it cannot leave a match out: a path of at most three plain names, over services
//! that index by default.

use std::ops::Bound;
use std::sync::Arc;

use steward_query::path::Path;
use steward_query::value::{Bounds, Number, Value, ValueRange};
use steward_storage::index::ValueRange as Stored;
use steward_storage::keys::index::{Number as StoredNumber, Value as StoredValue};

use crate::service::Service;

/// Levels of the state that are indexed by default.
const LEVELS: usize = 3;

/// The name that may stand for the items of a list, see [`Path`].
const ITEM: &str = "item";

/// A look-up in the index.
pub(super) struct Lookup {
    /// The names under which the values stand. Two, if the path may lead into a list or to a field.
    pub(super) paths: Vec<String>,
    pub(super) range: Stored,
}

impl Lookup {
    pub(super) fn only_path(&self) -> Option<&str> {
        match &self.paths[..] {
            [path] => Some(path),
            [] | [_, _, ..] => None,
        }
    }
}

/// Returns the look-up that finds every document with a value of `range`, or with any, at `path`; none if there is no such look-up.
pub(super) fn lookup(path: &Path, range: Option<&ValueRange>, services: &[Arc<Service>]) -> Option<Lookup> {
    if path.builtin().is_some() || !services.iter().all(|service| service.indexed_by_default) {
        return None;
    }
    let path = path.as_str();
    if path.split('.').count() > LEVELS {
        return None;
    }
    // Items of a list stand under the path of the list, and so does what lies in them.
    let (list, end) = path.rsplit_once('.').map_or(("", path), |(list, end)| (list, end));
    if list.split('.').skip(1).any(|name| name == ITEM) {
        return None;
    }
    let mut paths = vec![path.to_owned()];
    if !list.is_empty() && end == ITEM {
        paths.push(list.to_owned());
    }
    Some(Lookup { paths, range: range.map_or(Some(Stored::Any), stored_range)? })
}

fn stored_range(range: &ValueRange) -> Option<Stored> {
    match range {
        ValueRange::Boolean(boolean) => Some(Stored::Exactly(StoredValue::Boolean(*boolean))),
        ValueRange::Numbers(bounds) => between(bounds, |number| stored_number(*number)),
        ValueRange::Texts(bounds) => between(bounds, |text| StoredValue::text(text)),
    }
}

/// Returns a value as the index has it.
pub(super) fn stored_value(value: &Value) -> StoredValue {
    match value {
        Value::Boolean(boolean) => StoredValue::Boolean(*boolean),
        Value::Number(number) => stored_number(*number),
        Value::Text(text) => StoredValue::text(text),
    }
}

/// Returns a value of the index as queries have it.
pub(super) fn query_value(value: StoredValue) -> Value {
    match value {
        StoredValue::Boolean(boolean) => Value::Boolean(boolean),
        StoredValue::Number(StoredNumber::Integer(integer)) => Value::Number(Number::Integer(integer)),
        StoredValue::Number(StoredNumber::Float(float)) => Value::Number(Number::Float(float)),
        StoredValue::Text(text) => Value::Text(text),
    }
}

fn stored_number(number: Number) -> StoredValue {
    StoredValue::Number(match number {
        Number::Integer(integer) => StoredNumber::Integer(integer),
        Number::Float(float) => StoredNumber::Float(float),
    })
}

fn between<T>(bounds: &Bounds<T>, stored: impl Fn(&T) -> StoredValue) -> Option<Stored> {
    let (start, end) = (bounds.lower.as_ref().map(&stored), bounds.upper.as_ref().map(&stored));
    match (&start, &end) {
        (Bound::Unbounded, Bound::Unbounded) => None,
        (Bound::Included(_) | Bound::Excluded(_) | Bound::Unbounded, _) => Some(Stored::Between { start, end }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str) -> Vec<String> {
        let path = Path::parse(path).expect("a path");
        lookup(&path, None, &[]).map(|lookup| lookup.paths).unwrap_or_default()
    }

    #[test]
    fn items_of_a_list_are_looked_for_under_the_list_and_under_their_own_name() {
        assert_eq!(paths("tags"), ["tags"]);
        assert_eq!(paths("item"), ["item"]);
        assert_eq!(paths("tags.item"), ["tags.item", "tags"]);
        assert_eq!(paths("rows.n.item"), ["rows.n.item", "rows.n"]);
        assert!(paths("rows.item.n").is_empty(), "it may be a field of an item, or of a field called item");
    }

    #[test]
    fn what_no_index_holds_is_not_looked_up() {
        assert!(paths("a.b.c.d").is_empty() && paths("documentKind").is_empty());
    }
}
