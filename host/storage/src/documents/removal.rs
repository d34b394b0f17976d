//! Removing a copy of a partition, row by row.
//!
//! Problem: what a copy keeps begins with its key space and is found at once; what is looked for over all partitions (index,
//! listing, counts) ends with it and stands among the rows of others. Promise: a removal takes steps, each of which reads and
//! removes a bounded number of rows; a removal that was interrupted is begun anew and ends the same. The position of the copy
//! goes last: as long as it is there, the removal has not ended, and no other copy may take the key space.
//!
//! A reader passes over the rows of a copy that does not count, so nobody waits for a removal.
//!
//! Left out: who decides. A node of a group of one keeps all its copies; removals begin when copies move between nodes.

use std::ops::Bound;

use super::{Error, PartitionStore};
use crate::keys::{self, Space};
use crate::state::{Batch, Family, KeyRange, Order};

/// The families in the order in which they are emptied.
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

/// How far a removal has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Removal {
    /// Families of [`ORDER`] that are done.
    done: usize,
    /// The last row that was looked at of the next one.
    after: Option<Vec<u8>>,
}

impl Removal {
    /// Returns true if nothing is left.
    pub fn is_done(&self) -> bool {
        self.done == ORDER.len()
    }
}

/// Reads from a key which copy its row belongs to; none if it belongs to no copy.
type CopyOf = fn(&[u8]) -> Option<Space>;

/// Returns how the copy of a row is read, in a family whose keys begin with the factory; none if they begin with the key space.
fn walked(family: Family) -> Option<CopyOf> {
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

impl PartitionStore {
    /// Looks at up to `limit` rows more and removes those of this copy, in one batch. The caller goes on until
    /// [`Removal::is_done`]; nobody applies anything meanwhile.
    ///
    /// # Errors
    /// [`Error::State`]: the step was made or not, and may be made again.
    pub fn remove_some(&self, removal: &mut Removal, limit: usize) -> Result<(), Error> {
        let Some(family) = ORDER.get(removal.done).copied() else { return Ok(()) };
        // Whatever is known of the copy is true no more.
        *self.summary() = None;
        let walked = walked(family);
        let range = match walked {
            // Rows of others stay where they are, so a walk over them has to go on from where it was.
            Some(_) => {
                let start = removal.after.clone().map_or(Bound::Unbounded, Bound::Excluded);
                KeyRange { start, end: Bound::Unbounded }
            }
            None => KeyRange::prefix(&self.space.prefix()),
        };
        // The position is the first row of its family.
        let order = if family == Family::Meta { Order::Descending } else { Order::Ascending };
        let view = self.store.view()?;
        let (mut batch, mut last, mut seen) = (Batch::after_reads_of(self.store.instance()), None, 0);
        for key in view.scan_keys(family, range, order).take(limit) {
            let key = Vec::from(key?);
            seen += 1;
            if walked.is_none_or(|copy_of| copy_of(&key) == Some(self.space)) {
                batch.remove(family, key.clone());
            }
            last = Some(key);
        }
        if !batch.is_empty() {
            self.store.write(batch)?;
        }
        *removal = match seen < limit {
            true => Removal { done: removal.done + 1, after: None },
            false => Removal { done: removal.done, after: last.filter(|_| walked.is_some()) },
        };
        Ok(())
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
    use crate::documents::{Across, Copies};
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
    fn a_removed_copy_leaves_nothing_and_takes_nothing_of_others_whenever_it_is_interrupted() {
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
        let mut removal = Removal::default();
        for _ in 0..5 {
            goes.remove_some(&mut removal, 3).expect("memory takes writes");
        }
        assert_eq!(removal.done, 0, "interrupted among the rows of the index");
        let (mut removal, mut steps) = (Removal::default(), 0);
        while !removal.is_done() {
            goes.remove_some(&mut removal, 7).expect("memory takes writes");
            let of_ours =
                |(family, key): &&(Family, Vec<u8>)| walked(*family).unwrap_or(Space::of)(key) == Some(goes.copy());
            let is_left = rows(&*shared).iter().any(|row| of_ours(&row));
            assert_eq!(goes.meta().expect("readable").applied.is_some(), is_left, "its position goes last");
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
