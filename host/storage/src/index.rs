//! The field index: which fields of a document are indexed, and how ranges of values are looked up.
//!
//! Of the state either every scalar down to the third level is indexed, or the fields that the service's descriptor lists. A field of an object is named by its path, `taskInfo.stage`; the items of an array
//! stand under the path of the array. Null is not indexed, tombstones are not.
//!
//! What a scan finds are candidates: texts are cut in the index, and after a change of the plan older entries may be left
//! behind. The query compares the documents. Where the plan never changed, a row that stands alone says all there is to know
//! of its field, so each row says whether the document has other values there.
//!
//! A client chooses the names of fields and how many there are, so both are bounded: a path of more than
//! [`PATH_BYTES_MAX`] bytes is not indexed, and of one document no more than [`ROWS_MAX`] values are. A document of which
//! anything was left out has a row that says so, and every look-up finds it among the candidates: answers stay complete,
//! and only who makes such documents pays for them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value as Json;
use steward_model::service::{IndexField, IndexType};
use steward_model::{Document, Link, json};

use crate::keys::Space;
use crate::keys::index::{self as key, TEXT_BYTES_MAX, Value};
use crate::state::KeyRange;

/// Levels of the state whose scalars are indexed when nothing is listed.
const LEVELS: usize = 3;

/// Longer paths are not indexed.
pub const PATH_BYTES_MAX: usize = 1024;

/// Values of one document that are indexed.
pub const ROWS_MAX: usize = 1024;

/// The path of the row that says that values of a document were left out. The state itself stands there, which is an
/// object and never indexed.
const PARTIAL_PATH: &str = "";

/// Says which fields of which documents are indexed.
pub trait IndexPlan: Send + Sync {
    /// Returns the fields of the document `link`.
    fn fields(&self, link: &Link) -> IndexFields;
}

/// Which fields of a document are indexed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IndexFields {
    /// Every scalar down to the third level.
    #[default]
    Scalars,
    /// The listed fields, and no others.
    Listed(Arc<[IndexField]>),
}

/// Indexes every scalar of every document.
#[derive(Debug, Clone, Copy, Default)]
pub struct EveryScalar;

impl IndexPlan for EveryScalar {
    fn fields(&self, _link: &Link) -> IndexFields {
        IndexFields::Scalars
    }
}

/// A range of values of one field.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueRange {
    /// Every value, also of different types.
    Any,
    /// The value alone.
    Exactly(Value),
    /// Texts that begin so.
    TextPrefix(String),
    /// Values between two, or on one side of one; only of the type of the bound.
    Between {
        /// The least value, or none before it.
        start: Bound<Value>,
        /// The greatest value, or none behind it.
        end: Bound<Value>,
    },
}

impl ValueRange {
    /// Returns the keys of the range.
    pub(crate) fn keys(&self, factory: &Link, path: &str) -> KeyRange {
        match self {
            ValueRange::Any => KeyRange::prefix(&key::of_path(factory, path)),
            ValueRange::Exactly(value) => KeyRange::prefix(&key::of_value(factory, path, value)),
            ValueRange::TextPrefix(text) => KeyRange::prefix(&key::of_text_prefix(factory, path, text)),
            ValueRange::Between { start, end } => {
                let some = match (start, end) {
                    (Bound::Included(value) | Bound::Excluded(value), _)
                    | (_, Bound::Included(value) | Bound::Excluded(value)) => value,
                    (Bound::Unbounded, Bound::Unbounded) => return ValueRange::Any.keys(factory, path),
                };
                let of_type = KeyRange::prefix(&key::of_type(factory, path, some));
                let values = |value: &Value| KeyRange::prefix(&key::of_value(factory, path, value));
                let from = match start {
                    Bound::Unbounded => of_type.start,
                    Bound::Excluded(value) if !is_cut(value) => inclusive(values(value).end),
                    Bound::Included(value) | Bound::Excluded(value) => values(value).start,
                };
                let to = match end {
                    Bound::Unbounded => of_type.end,
                    Bound::Excluded(value) if !is_cut(value) => exclusive(values(value).start),
                    Bound::Included(value) | Bound::Excluded(value) => values(value).end,
                };
                KeyRange { start: from, end: to }
            }
        }
    }
}

/// Returns true if other texts may look like this one in the index.
pub(crate) fn is_cut(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.len() + 4 > TEXT_BYTES_MAX,
        Value::Boolean(_) | Value::Number(_) => false,
    }
}

fn inclusive(bound: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match bound {
        Bound::Excluded(key) | Bound::Included(key) => Bound::Included(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

fn exclusive(bound: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match bound {
        Bound::Excluded(key) | Bound::Included(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// Returns the range of the rows of all documents of a factory of which values were left out.
pub(crate) fn partial_keys(factory: &Link) -> KeyRange {
    KeyRange::prefix(&key::of_path(factory, PARTIAL_PATH))
}

/// The rows of one document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rows {
    /// Each key, and whether the document has other values in the same field.
    pub(crate) keys: BTreeMap<Vec<u8>, bool>,
    /// The fields that have a row.
    pub(crate) fields: BTreeSet<String>,
    /// Values were left out.
    pub(crate) is_partial: bool,
}

/// Returns the value of a row.
pub(crate) fn row_value(is_one_of_several: bool) -> Vec<u8> {
    if is_one_of_several { vec![1] } else { Vec::new() }
}

/// Returns the index rows of a document; none for a tombstone.
pub(crate) fn rows_of(space: Space, document: &Document, fields: &IndexFields) -> Rows {
    let mut rows = Rows::default();
    if document.is_tombstone() {
        return rows;
    }
    let mut first_of: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut add = |path: &str, value: &Value| {
        if path.len() > PATH_BYTES_MAX || rows.keys.len() == ROWS_MAX {
            rows.is_partial = true;
            return;
        }
        let key = key::encode(space, path, value, &document.link);
        let is_another = match first_of.get(path) {
            Some(first) => {
                rows.keys.insert(first.clone(), true);
                true
            }
            None => {
                first_of.insert(path.to_owned(), key.clone());
                false
            }
        };
        rows.keys.insert(key, is_another);
    };
    // A state that is no JSON is not indexed; guests cannot make one.
    if let Ok(state) = json::plain(&document.body) {
        add_fields(&state, fields, &mut add);
    }
    rows.fields = first_of.into_keys().collect();
    if rows.is_partial {
        // What was left out may be another value of any field.
        rows.keys.values_mut().for_each(|is_one_of_several| *is_one_of_several = true);
        rows.keys.insert(key::encode(space, PARTIAL_PATH, &Value::Boolean(true), &document.link), true);
    }
    rows
}

fn add_fields(state: &Json, fields: &IndexFields, add: &mut dyn FnMut(&str, &Value)) {
    match fields {
        IndexFields::Scalars => add_scalars(state, "", LEVELS, add),
        IndexFields::Listed(listed) => {
            for field in listed.iter() {
                let found = field.path.split('.').try_fold(state, |json, name| json.get(name));
                found.into_iter().flat_map(scalars).filter(|value| is_of(value, field.kind)).for_each(|value| {
                    add(&field.path, &value);
                });
            }
        }
    }
}

/// Adds the scalars below `json`. A query that names a field enters arrays without saying so, and so does this.
fn add_scalars(json: &Json, path: &str, levels: usize, add: &mut dyn FnMut(&str, &Value)) {
    match json {
        Json::Object(members) if levels > 0 => {
            for (name, member) in members {
                match path {
                    // It has no name that a query could give, and what lies below it would look as if it lay beside it.
                    "" if name.is_empty() => {}
                    "" => add_scalars(member, name, levels - 1, add),
                    path => add_scalars(member, &format!("{path}.{name}"), levels - 1, add),
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| add_scalars(item, path, levels, add)),
        // The state itself is an object: what has no name is not indexed.
        _ if path.is_empty() => {}
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => {
            scalars(json).for_each(|value| add(path, &value));
        }
    }
}

/// Returns the value of a scalar, or those of the items of an array.
fn scalars(json: &Json) -> impl Iterator<Item = Value> {
    let items = match json {
        Json::Array(items) => items.as_slice(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => std::slice::from_ref(json),
    };
    items.iter().filter_map(|item| match item {
        Json::Bool(value) => Some(Value::Boolean(*value)),
        Json::Number(number) => Some(Value::number(number)),
        Json::String(text) => Some(Value::text(text)),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    })
}

fn is_of(value: &Value, kind: IndexType) -> bool {
    match (value, kind) {
        (Value::Boolean(_), IndexType::Boolean)
        | (Value::Number(_), IndexType::Number)
        | (Value::Text(_), IndexType::String) => true,
        (Value::Boolean(_) | Value::Number(_) | Value::Text(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::examples::{document, link};
    use crate::keys::strategies::some_space;

    fn indexed(body: &str, fields: &IndexFields) -> Vec<(String, Value)> {
        let rows = rows_of(some_space(), &document("/f/a", 0, body), fields);
        rows.keys.keys().map(|key| key::decode(key).expect("a key")).map(|(path, value, ..)| (path, value)).collect()
    }

    fn number(value: i64) -> Value {
        Value::number(&value.into())
    }

    #[test]
    fn scalars_down_to_the_third_level_are_indexed() {
        let found = indexed(
            r#"{"a":1,"b":{"c":{"d":true,"e":{"f":2}}},"g":["x","y",{"z":1}],"h":null}"#,
            &IndexFields::Scalars,
        );
        let expected = [
            ("a".into(), number(1)),
            ("b.c.d".into(), Value::Boolean(true)),
            ("g".into(), Value::text("x")),
            ("g".into(), Value::text("y")),
            ("g.z".into(), number(1)),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn listed_fields_are_indexed_if_they_have_the_type() {
        let field = |path: &str, kind| IndexField { path: path.into(), kind };
        let listed = [field("a.b", IndexType::Number), field("c", IndexType::String), field("x", IndexType::Boolean)];
        let found = indexed(r#"{"a":{"b":5,"q":1},"c":7}"#, &IndexFields::Listed(listed.into()));
        assert_eq!(found, [("a.b".into(), number(5))]);
    }

    #[test]
    fn what_is_no_object_is_not_indexed() {
        for body in ["", "7", "[1]", "{", "null"] {
            assert!(indexed(body, &IndexFields::Scalars).is_empty(), "{body}");
        }
        let mut deleted = document("/f/a", 0, r#"{"a":1}"#);
        deleted.action = steward_model::document::UpdateAction::Delete;
        assert_eq!(rows_of(some_space(), &deleted, &IndexFields::Scalars), Rows::default());
    }

    #[test]
    fn what_is_left_out_of_the_index_is_said_in_a_row() {
        let partial = (String::new(), Value::Boolean(true));
        let long = "k".repeat(PATH_BYTES_MAX + 1);
        let found = indexed(&format!(r#"{{"{long}":1,"a":2}}"#), &IndexFields::Scalars);
        assert_eq!(found, [partial.clone(), ("a".into(), number(2))]);
        let many: Vec<String> = (0..2 * ROWS_MAX).map(|value| value.to_string()).collect();
        let found = indexed(&format!(r#"{{"a":[{}]}}"#, many.join(",")), &IndexFields::Scalars);
        assert_eq!((found.len(), found.contains(&partial)), (ROWS_MAX + 1, true));
        let fits = indexed(&format!(r#"{{"a":[{}]}}"#, many[..ROWS_MAX].join(",")), &IndexFields::Scalars);
        assert_eq!((fits.len(), fits.contains(&partial)), (ROWS_MAX, false));
        let zeros = "\\u0000".repeat(PATH_BYTES_MAX);
        let rows = rows_of(some_space(), &document("/f/a", 0, &format!(r#"{{"{zeros}":1}}"#)), &IndexFields::Scalars);
        assert!(rows.keys.keys().all(|key| key.len() < crate::state::KEY_BYTES_MAX));
    }

    #[test]
    fn a_row_says_whether_the_document_has_other_values_in_the_field() {
        let several = |body: &str| -> Vec<bool> {
            rows_of(some_space(), &document("/f/a", 0, body), &IndexFields::Scalars).keys.into_values().collect()
        };
        assert_eq!(several(r#"{"a":1,"b":2}"#), [false, false]);
        assert_eq!(several(r#"{"a":[1],"b":[2,3],"":{"a":2}}"#), [false, true, true]);
        assert_eq!(several(r#"{"a":[1,1]}"#), [true], "the same value twice");
        assert_eq!(several(r#"{"a":{"b":1},"a.b":2}"#), [true, true], "two fields of one name");
        let long = "k".repeat(PATH_BYTES_MAX + 1);
        assert_eq!(several(&format!(r#"{{"{long}":1,"a":2}}"#)), [true, true], "anything may be missing");
    }

    #[test]
    fn ranges_hold_what_lies_between() {
        let contains = |range: &ValueRange, value: &Value| {
            let key = key::encode(some_space(), "n", value, &link("/f/a"));
            std::ops::RangeBounds::contains(
                &{
                    let keys = range.keys(&link("/f"), "n");
                    (keys.start, keys.end)
                },
                &key,
            )
        };
        let between = |start, end| ValueRange::Between { start, end };
        let range = between(Bound::Excluded(number(1)), Bound::Included(number(3)));
        let held: Vec<i64> = (0..5).filter(|value| contains(&range, &number(*value))).collect();
        assert_eq!(held, [2, 3]);
        let range = between(Bound::Unbounded, Bound::Excluded(number(2)));
        assert!(contains(&range, &number(-5)) && !contains(&range, &number(2)));
        assert!(!contains(&range, &Value::Boolean(true)), "other types are left out");
        let prefix = ValueRange::TextPrefix("ab".into());
        assert!(contains(&prefix, &Value::text("abc")) && contains(&prefix, &Value::text("ab")));
        assert!(!contains(&prefix, &Value::text("b")) && !contains(&prefix, &Value::text("a")));
        assert!(contains(&ValueRange::Exactly(number(2)), &number(2)));
        let long = "x".repeat(300);
        assert!(contains(&between(Bound::Excluded(Value::text(&long)), Bound::Unbounded), &Value::text(&long)));
    }
}
