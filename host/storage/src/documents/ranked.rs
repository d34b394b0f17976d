//! Documents in the order of one field.
//!
//! Rows are sorted by value and then by name. Where the largest value is wanted first, names go on upwards all the same. So
//! rows are read backwards one value at a time, and those of one value are turned round. A value of very many documents is
//! not held as a whole: it is read once more, forwards.

use std::collections::VecDeque;
use std::ops::Bound;

use steward_model::Link;

use super::Error;
use super::across::{Across, Indexed};
use crate::index::ValueRange;
use crate::keys::index::{self as key, Value};
use crate::state::{KeyRange, Order};

/// Documents of one value that are held.
const HELD_MAX: usize = 1000;

type Entries<'a> = Box<dyn Iterator<Item = Result<Indexed, Error>> + Send + 'a>;

impl<'a> Across<'a> {
    /// Returns the living documents of a factory with values of a range in the field `path`, sorted by value, which `order`
    /// turns round, and then by name, which it does not; behind the document called `after` that has this value, if one is
    /// given. Documents that are not indexed in full are missing, see [`Across::is_partial`].
    pub fn ranked(
        self,
        factory: &Link,
        path: &str,
        (range, order): (&ValueRange, Order),
        after: Option<(&Value, &str)>,
    ) -> Box<dyn Iterator<Item = Result<Indexed, Error>> + Send + 'a> {
        ranked(self, factory, path, (range, order), after)
    }
}

fn ranked<'a>(
    across: Across<'a>,
    factory: &Link,
    path: &str,
    (range, order): (&ValueRange, Order),
    after: Option<(&Value, &str)>,
) -> Entries<'a> {
    let keys = range.keys(factory, path);
    let seen = after.map(|(value, name)| (key::of_value(factory, path, value), name));
    match order {
        Order::Ascending => {
            let start = match seen {
                Some((value, name)) => later(keys.start, key::behind(&value, name)),
                None => keys.start,
            };
            Box::new(across.rows(factory, path, KeyRange { start, end: keys.end }, Order::Ascending))
        }
        Order::Descending => {
            let mut backwards = Backwards {
                across,
                factory: factory.clone(),
                path: path.to_owned(),
                rest: Box::new(std::iter::empty()),
                forwards: None,
                held: VecDeque::new(),
                ahead: None,
                start: keys.start,
            };
            let end = match seen {
                Some((value, name)) => {
                    let KeyRange { end, .. } = KeyRange::prefix(&value);
                    let start = Bound::Included(key::behind(&value, name));
                    backwards.forwards = Some(backwards.read(KeyRange { start, end }, Order::Ascending));
                    Bound::Excluded(value)
                }
                None => keys.end,
            };
            backwards.rest = backwards.read(KeyRange { start: backwards.start.clone(), end }, Order::Descending);
            Box::new(backwards)
        }
    }
}

/// Returns the later of two beginnings.
fn later(start: Bound<Vec<u8>>, other: Vec<u8>) -> Bound<Vec<u8>> {
    match start {
        Bound::Included(key) if key > other => Bound::Included(key),
        Bound::Excluded(key) if key >= other => Bound::Excluded(key),
        Bound::Included(_) | Bound::Excluded(_) | Bound::Unbounded => Bound::Included(other),
    }
}

/// Entries with the largest value first.
struct Backwards<'a> {
    across: Across<'a>,
    factory: Link,
    path: String,
    /// Where the range begins.
    start: Bound<Vec<u8>>,
    /// All values that have not come yet, backwards.
    rest: Entries<'a>,
    /// The value of very many documents whose turn it is.
    forwards: Option<Entries<'a>>,
    /// The documents of the value whose turn it is; the next one in front.
    held: VecDeque<Indexed>,
    /// The first of the next value.
    ahead: Option<Indexed>,
}

impl<'a> Backwards<'a> {
    fn read(&self, keys: KeyRange, order: Order) -> Entries<'a> {
        Box::new(self.across.rows(&self.factory, &self.path, keys, order))
    }

    /// Takes all documents of the next value.
    fn take_value(&mut self) -> Result<(), Error> {
        self.held.extend(self.ahead.take());
        for found in self.rest.by_ref() {
            let found = found?;
            if self.held.front().is_some_and(|held| held.value != found.value) {
                self.ahead = Some(found);
                return Ok(());
            }
            self.held.push_front(found);
            if self.held.len() > HELD_MAX {
                break;
            }
        }
        if self.held.len() > HELD_MAX {
            self.take_many();
        }
        Ok(())
    }

    /// Has a value of very many documents read forwards, and the rest from below it.
    fn take_many(&mut self) {
        let Some(value) = self.held.front().map(|held| key::of_value(&self.factory, &self.path, &held.value)) else {
            return;
        };
        self.held.clear();
        self.forwards = Some(self.read(KeyRange::prefix(&value), Order::Ascending));
        let below = KeyRange { start: self.start.clone(), end: Bound::Excluded(value) };
        self.rest = self.read(below, Order::Descending);
    }
}

impl Iterator for Backwards<'_> {
    type Item = Result<Indexed, Error>;

    fn next(&mut self) -> Option<Result<Indexed, Error>> {
        loop {
            if let Some(forwards) = &mut self.forwards {
                match forwards.next() {
                    Some(found) => return Some(found),
                    None => self.forwards = None,
                }
            }
            if let Some(held) = self.held.pop_front() {
                return Some(Ok(held));
            }
            if let Err(error) = self.take_value() {
                return Some(Err(error));
            }
            if self.held.is_empty() && self.forwards.is_none() {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::{alone, document, link, update, updated};
    use super::super::tests::fresh;
    use super::*;
    use crate::documents::PartitionStore;
    use crate::index::EveryScalar;

    /// Returns a store in which document number `n` has the n-th of these values.
    fn store_of(values: impl Iterator<Item = i64>) -> PartitionStore {
        let store = fresh();
        let records: Vec<_> = (0..)
            .zip(values)
            .map(|(n, value)| updated(n, update(document(&format!("/f/d{n:05}"), 0, &format!(r#"{{"n":{value}}}"#)))))
            .collect();
        store.apply(&records, &EveryScalar).expect("the records follow");
        store
    }

    fn names(store: &PartitionStore, order: Order, range: &ValueRange, after: Option<(i64, &str)>) -> Vec<String> {
        let view = store.view().expect("a view");
        let copies = alone(store);
        let across = Across::new(store.store().as_ref(), view.as_ref(), &copies);
        let after = after.map(|(value, name)| (number(value), name));
        let after = after.as_ref().map(|(value, name)| (value, *name));
        let found = across.ranked(&link("/f"), "n", (range, order), after);
        found.map(|found| found.expect("readable").link.name().to_owned()).collect()
    }

    fn number(value: i64) -> Value {
        Value::number(&value.into())
    }

    #[test]
    fn values_turn_round_and_names_do_not() {
        let store = store_of([1, 3, 2, 3, 1].into_iter());
        let all = |order, after| names(&store, order, &ValueRange::Any, after);
        assert_eq!(all(Order::Ascending, None), ["d00000", "d00004", "d00002", "d00001", "d00003"]);
        assert_eq!(all(Order::Descending, None), ["d00001", "d00003", "d00002", "d00000", "d00004"]);
        assert_eq!(all(Order::Ascending, Some((1, "d00000"))), ["d00004", "d00002", "d00001", "d00003"]);
        assert_eq!(all(Order::Descending, Some((3, "d00001"))), ["d00003", "d00002", "d00000", "d00004"]);
        assert_eq!(all(Order::Descending, Some((2, "d00002"))), ["d00000", "d00004"]);
        let range = ValueRange::Between { start: Bound::Included(number(2)), end: Bound::Unbounded };
        assert_eq!(names(&store, Order::Descending, &range, Some((3, "d00003"))), ["d00002"]);
        assert_eq!(names(&store, Order::Ascending, &range, None), ["d00002", "d00001", "d00003"]);
    }

    #[test]
    fn a_value_of_very_many_documents_is_read_like_any_other() {
        let count = 2 * HELD_MAX as i64 + 7;
        let store = store_of((0..count).map(|n| n % 2));
        let found = names(&store, Order::Descending, &ValueRange::Any, None);
        let expected = (1..count).step_by(2).chain((0..count).step_by(2)).map(|n| format!("d{n:05}"));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}
