//! Removing what is left of copies that do not count, row by row.
//!
//! Problem: what a copy keeps begins with its key space and is found at once; what is looked for over all partitions (index,
//! listing, counts) ends with it and stands among the rows of others. Promise: a sweep takes steps, each of which looks at a
//! bounded number of rows and removes those that nobody keeps; one that was interrupted is begun anew and ends the same. The
//! families that are walked go first: a key space in which nothing begins has no rows among those of others either, and another
//! copy may be built in it.
//!
//! A reader passes over the rows of a copy that does not count, so nobody waits for a sweep.

use std::ops::Bound;

use super::Error;
use crate::keys::{self, Space};
use crate::state::{Batch, Family, KeyRange, Order, StateStore};

/// The families in the order in which they are looked through.
const ORDER: [Family; 13] = [
    Family::Index,
    Family::Listing,
    Family::Factory,
    Family::Document,
    Family::Version,
    Family::Sequence,
    Family::Outbox,
    Family::Reply,
    Family::Expiry,
    Family::Answered,
    Family::Tombstone,
    Family::Answers,
    Family::Meta,
];

/// How far a sweep has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sweep {
    /// Families of [`ORDER`] that are done.
    done: usize,
    /// Where the next one goes on; none: at its first row.
    from: Option<Vec<u8>>,
}

/// Reads from a key which copy its row belongs to; none if it belongs to no copy.
type CopyOf = fn(&[u8]) -> Option<Space>;

/// Returns how the copy of a row is read, in a family whose keys begin with the factory; none if they begin with the key space.
pub(super) fn walked(family: Family) -> Option<CopyOf> {
    match family {
        Family::Index | Family::Listing => Some(keys::listing::space),
        Family::Factory => Some(keys::factory::space),
        Family::Document
        | Family::Version
        | Family::Sequence
        | Family::Meta
        | Family::Outbox
        | Family::Reply
        | Family::Expiry
        | Family::Answered
        | Family::Tombstone
        | Family::Answers => None,
    }
}

impl Sweep {
    /// Returns true if there is nothing left to look at.
    pub fn is_done(&self) -> bool {
        self.done == ORDER.len()
    }

    /// Looks at up to `limit` rows more, and removes those of copies that `is_kept` does not name, in one batch. Asked of a copy that
    /// is being built, it must say yes from before its first row on.
    ///
    /// # Errors
    /// [`Error::State`]: the step was made or not, and may be made again.
    pub fn step(&mut self, store: &dyn StateStore, is_kept: &dyn Fn(Space) -> bool, limit: usize) -> Result<(), Error> {
        let Some(family) = ORDER.get(self.done).copied() else { return Ok(()) };
        let start = self.from.clone().map_or(Bound::Unbounded, Bound::Included);
        let range = KeyRange { start, end: Bound::Unbounded };
        let copy_of = walked(family);
        let view = store.view()?;
        let (mut batch, mut seen, mut next) = (Batch::after_reads_of(store.instance()), 0, None);
        for key in view.scan_keys(family, range, Order::Ascending) {
            let key = Vec::from(key?);
            if seen == limit {
                next = Some(key);
                break;
            }
            seen += 1;
            let copy = copy_of.unwrap_or(Space::of)(&key);
            if copy.is_some_and(|copy| !is_kept(copy)) {
                batch.remove(family, key);
            } else if let Some(copy) = copy.filter(|_| copy_of.is_none()) {
                // Everything else of a copy that is kept stands right behind.
                next = Some(behind(copy));
                break;
            }
        }
        if !batch.is_empty() {
            store.write(batch)?;
        }
        *self = match next {
            Some(next) => Sweep { done: self.done, from: Some(next) },
            None => Sweep { done: self.done + 1, from: None },
        };
        Ok(())
    }
}

/// Returns a key behind all rows that begin with the space, and before those of any other that follows.
fn behind(copy: Space) -> Vec<u8> {
    match KeyRange::prefix(&copy.prefix()).end {
        Bound::Excluded(end) | Bound::Included(end) => end,
        // Nothing can follow the last of all spaces.
        Bound::Unbounded => copy.prefix().iter().map(|_| u8::MAX).chain([u8::MAX]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use steward_model::update::Update;
    use steward_model::{PartitionId, Timestamp};

    use super::super::examples::{document, effect, link, partition, reply, update, updated};
    use super::*;
    use crate::documents::{Across, Copies, PartitionStore};
    use crate::index::EveryScalar;
    use crate::state::{MemoryStore, StateStore};

    fn fill(store: &PartitionStore) {
        for offset in 0..20 {
            let mut changed = document(&format!("/f/d{}", offset % 12), offset / 12, &format!(r#"{{"n":{offset}}}"#));
            changed.expires = Timestamp(if offset % 3 == 0 { 7 } else { 0 });
            let name = changed.link.to_string();
            let remembered = Some(reply(&offset.to_string(), 1));
            let full = Update { effects: vec![effect(&name, offset, 0)], remembered, ..update(changed) };
            store.apply(&[updated(offset, full)], &EveryScalar).expect("the records follow");
        }
    }

    fn rows(store: &dyn StateStore) -> BTreeSet<(Family, Vec<u8>)> {
        let view = store.view().expect("a view");
        let keys_of = |family| view.scan_keys(family, KeyRange::prefix(&[]), Order::Ascending);
        let of = |family| keys_of(family).map(move |key| (family, key.expect("readable").to_vec()));
        Family::ALL.into_iter().flat_map(of).collect()
    }

    #[test]
    fn a_sweep_leaves_nothing_of_a_copy_and_takes_nothing_of_others_whenever_it_is_interrupted() {
        let shared: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
        let store = |generation, index| {
            PartitionStore::new(Arc::clone(&shared), generation, PartitionId { index, ..partition() })
        };
        let others = [store(2, partition().index), store(1, 9)];
        others.iter().for_each(fill);
        let expected = rows(&*shared);
        let goes = store(1, partition().index);
        fill(&goes);
        assert!(rows(&*shared).len() > expected.len());
        let is_kept = |copy: Space| copy != goes.copy();
        let mut sweep = Sweep::default();
        for _ in 0..5 {
            sweep.step(&*shared, &is_kept, 3).expect("memory takes writes");
        }
        assert_eq!(sweep.done, 0, "interrupted among the rows of the index");
        let (mut sweep, mut steps) = (Sweep::default(), 0);
        while !sweep.is_done() {
            sweep.step(&*shared, &is_kept, 7).expect("memory takes writes");
            let of_ours =
                |(family, key): &&(Family, Vec<u8>)| walked(*family).unwrap_or(Space::of)(key) == Some(goes.copy());
            let is_left = rows(&*shared).iter().any(|row| of_ours(&row));
            assert_eq!(goes.is_vacant().expect("readable"), !is_left, "what it keeps goes last");
            steps += 1;
        }
        assert!(steps > 20, "rows are removed few at a time, here {steps} times");
        assert_eq!(rows(&*shared), expected);
    }

    #[test]
    fn a_copy_that_does_not_count_is_not_seen() {
        let shared: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
        let store = |generation| PartitionStore::new(Arc::clone(&shared), generation, partition());
        let (ours, other) = (store(1), store(2));
        fill(&ours);
        let view = ours.view().expect("a view");
        let mut copies = Copies::none(partition().lane);
        let counted = |copies: &Copies| {
            let across = Across::new(&*shared, view.as_ref(), copies);
            let indexed = across.indexed(&link("/f"), "n", &crate::index::ValueRange::Any).expect("readable");
            let listed = across.listed(&link("/f"), None);
            (indexed.count(), listed.count(), across.count(&link("/f")).expect("readable"))
        };
        assert_eq!(counted(&copies), (0, 0, 0));
        copies.add(other.copy());
        assert_eq!(counted(&copies), (0, 0, 0), "another copy of the same partition");
        copies.add(ours.copy());
        assert_eq!(counted(&copies), (12, 12, 12));
        copies.remove(other.copy());
        assert_eq!(counted(&copies), (12, 12, 12), "it counts no more already");
        copies.remove(ours.copy());
        assert_eq!(counted(&copies), (0, 0, 0));
    }
}
