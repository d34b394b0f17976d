//! Which look-ups in the field index find every document that may match.
//!
//! The index holds scalars of the state down to the third level, or the fields that a service lists, and the kind of every
//! document. A look-up is used only where it cannot leave a match out: a path of at most three plain names, over services
//! that index by default.

use std::ops::Bound;
use std::sync::Arc;

use steward_model::Builtin;
use steward_query::path::Path;
use steward_query::value::{Bounds, Number, ValueRange};
use steward_storage::index::{KIND_PATH, ValueRange as Stored};
use steward_storage::keys::index::{Number as StoredNumber, Value as StoredValue};

use crate::service::Service;

/// Levels of the state that are indexed by default.
const LEVELS: usize = 3;

/// A look-up in the index.
pub(super) struct Lookup {
    pub(super) path: String,
    pub(super) range: Stored,
}

/// Returns the look-up that finds every document with a value of `range` at `path`; none if there is no such look-up.
pub(super) fn lookup(path: &Path, range: &ValueRange, services: &[Arc<Service>]) -> Option<Lookup> {
    let stored = match path.builtin() {
        Some(Builtin::Kind) => KIND_PATH.to_owned(),
        Some(_) => return None,
        None => {
            // Items of a list stand under the path of the list.
            let plain = path.as_str().strip_suffix(".item").unwrap_or(path.as_str());
            let names = plain.split('.').count();
            let by_default = services.iter().all(|service| service.indexed_by_default);
            if names > LEVELS || !by_default {
                return None;
            }
            plain.to_owned()
        }
    };
    Some(Lookup { path: stored, range: stored_range(range)? })
}

fn stored_range(range: &ValueRange) -> Option<Stored> {
    match range {
        ValueRange::Boolean(boolean) => Some(Stored::Exactly(StoredValue::Boolean(*boolean))),
        ValueRange::Numbers(bounds) => between(bounds, |number| stored_number(*number)),
        ValueRange::Texts(bounds) => between(bounds, |text| StoredValue::text(text)),
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
