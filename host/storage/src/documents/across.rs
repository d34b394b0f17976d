//! Reads over all partitions of a store.
//!
//! Problem: a query asks for documents of a factory, and those lie in all partitions. Promise: one scan of one range finds
//! them, whatever the number of partitions, and only what lies in copies that count is returned: another copy of a partition
//! may be under construction, about to be removed, or answer for itself on another node.
//!
//! ```text
//!  range of one factory and field ──► rows in order ──► of copies that count ──► candidates
//! ```

use std::ops::Bound;

use steward_model::partition::{PARTITIONS_PER_LANE, SelectorId};
use steward_model::{Lane, Link, PartitionId, Timestamp};

use super::{Error, tally};
use crate::index::{self, ValueRange};
use crate::keys::index::{Entry, Value};
use crate::keys::{self, Space};
use crate::state::{Family, KeyRange, Order, ReadView, Row, StateStore};

/// Which copies of partitions of the default selector count for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    lane: Lane,
    /// By partition; none: no copy of it counts.
    generations: Vec<Option<u32>>,
}

impl Copies {
    /// Returns that no copy of a partition of `lane` counts.
    pub fn none(lane: Lane) -> Copies {
        Copies { lane, generations: vec![None; usize::from(PARTITIONS_PER_LANE)] }
    }

    /// Lets a copy count, in place of any other of its partition.
    pub fn add(&mut self, copy: Space) {
        if let Some(generation) = self.place(copy.partition) {
            *generation = Some(copy.generation);
        }
    }

    /// Lets a copy count no more.
    pub fn remove(&mut self, copy: Space) {
        if let Some(generation) = self.place(copy.partition) {
            generation.take_if(|generation| *generation == copy.generation);
        }
    }

    /// Returns true if the copy counts.
    pub fn hold(&self, copy: Space) -> bool {
        let PartitionId { selector, lane, index } = copy.partition;
        let is_ours = lane == self.lane && selector == SelectorId::default();
        is_ours && self.generations.get(usize::from(index)) == Some(&Some(copy.generation))
    }

    /// Returns the first of `partitions` of which no copy counts.
    pub fn lacking(&self, mut partitions: impl Iterator<Item = PartitionId>) -> Option<PartitionId> {
        partitions.find(|id| self.generations.get(usize::from(id.index)).is_none_or(Option::is_none))
    }

    fn place(&mut self, partition: PartitionId) -> Option<&mut Option<u32>> {
        let is_ours = partition.lane == self.lane && partition.selector == SelectorId::default();
        self.generations.get_mut(usize::from(partition.index)).filter(|_| is_ours)
    }
}

/// How much an entry of the field index says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certain {
    /// If the plan never changed, the document has exactly this value in the field, and no other.
    Only,
    /// The document has other values in the field, or may have.
    OneOfSeveral,
    /// The value is a text that may have been cut.
    Beginning,
}

/// One entry of the field index.
#[derive(Debug, Clone, PartialEq)]
pub struct Indexed {
    /// The value; texts are cut. True for a document that is not indexed in full.
    pub value: Value,
    /// The document that has it, or had it before the plan changed, or may have it.
    pub link: Link,
    /// How much is certain.
    pub certainty: Certain,
}

/// One entry of the listing of a factory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The document.
    pub link: Link,
    /// When it expires; 0: never.
    pub expires: Timestamp,
}

/// What a view of a store shows of all partitions whose copies count.
#[derive(Clone, Copy)]
pub struct Across<'a> {
    store: &'a dyn StateStore,
    view: &'a dyn ReadView,
    copies: &'a Copies,
}

impl<'a> Across<'a> {
    /// Returns the documents that `view`, which is one of `store`, shows in `copies`.
    pub fn new(store: &'a dyn StateStore, view: &'a dyn ReadView, copies: &'a Copies) -> Across<'a> {
        Across { store, view, copies }
    }

    /// Returns the living documents of a factory with values of a range in the field `path`, sorted by value and then by name,
    /// and behind them those that are not indexed in full, whatever they hold.
    ///
    /// These are candidates, see [`crate::index`]; a document may come more than once.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn indexed(
        self,
        factory: &Link,
        path: &str,
        range: &ValueRange,
    ) -> Result<impl Iterator<Item = Result<Indexed, Error>> + Send + use<'a>, Error> {
        let found = self.rows(factory, path, range.keys(factory, path), Order::Ascending);
        // Hardly any factory has such documents, and a look for nothing costs as much as one that finds something.
        let left_out = self.is_partial(factory)?.then(|| {
            let prefix = keys::index::of_path(factory, "").len();
            self.entries(factory.clone(), prefix, index::partial_keys(factory), Order::Ascending)
        });
        let left_out = left_out.into_iter().flatten();
        Ok(found.chain(left_out.map(|found| found.map(|found| Indexed { certainty: Certain::OneOfSeveral, ..found }))))
    }

    /// Returns the entries of keys of one field.
    pub(super) fn rows(
        self,
        factory: &Link,
        path: &str,
        keys: KeyRange,
        order: Order,
    ) -> impl Iterator<Item = Result<Indexed, Error>> + Send + use<'a> {
        self.entries(factory.clone(), keys::index::of_path(factory, path).len(), keys, order)
    }

    fn entries(
        self,
        factory: Link,
        path_bytes: usize,
        keys: KeyRange,
        order: Order,
    ) -> impl Iterator<Item = Result<Indexed, Error>> + Send + use<'a> {
        self.view.scan(Family::Index, keys, order).filter_map(move |row| {
            let read = |(key, value): Row| {
                let entry = Entry::read(&key, path_bytes).ok_or_else(|| self.damaged(Family::Index, "no such key"))?;
                if !self.copies.hold(entry.space) {
                    return Ok(None);
                }
                let known = entry.value().ok_or_else(|| self.damaged(Family::Index, "no such value"))?;
                let link = factory.child(entry.name).map_err(|_| self.damaged(Family::Index, "no such name"))?;
                let certainty = match (index::is_cut(&known), value.is_empty()) {
                    (true, _) => Certain::Beginning,
                    (false, true) => Certain::Only,
                    (false, false) => Certain::OneOfSeveral,
                };
                Ok(Some(Indexed { value: known, link, certainty }))
            };
            row.map_err(Error::from).and_then(read).transpose()
        })
    }

    /// Returns the living documents of a factory behind the one called `after`, sorted by name.
    pub fn listed(
        self,
        factory: &Link,
        after: Option<&str>,
    ) -> impl Iterator<Item = Result<Listed, Error>> + Send + use<'a> {
        let mut range = KeyRange::prefix(&keys::listing::of(factory));
        if let Some(after) = after {
            range.start = Bound::Included(keys::listing::behind(factory, after));
        }
        self.view.scan(Family::Listing, range, Order::Ascending).filter_map(move |row| {
            let read = |(key, value): Row| {
                let damaged = |reason| self.damaged(Family::Listing, reason);
                let (link, copy) = keys::listing::decode(&key).ok_or_else(|| damaged("no such key"))?;
                let expires = keys::listing::expires(&value).ok_or_else(|| damaged("no such time"))?;
                Ok(self.copies.hold(copy).then_some(Listed { link, expires }))
            };
            row.map_err(Error::from).and_then(read).transpose()
        })
    }

    /// Returns how many living documents a factory has, those that have expired and are not removed yet included.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Key`]
    pub fn count(self, factory: &Link) -> Result<u64, Error> {
        self.tallies(factory, tally::count_in).sum()
    }

    /// Returns true if every living document of a factory is known to have a value in the index at `path`; they may all have one without
    /// this being known.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Key`]
    pub fn is_everywhere(self, factory: &Link, path: &str) -> Result<bool, Error> {
        for is_there in self.tallies(factory, |row| tally::names(row, path)) {
            if !is_there? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns what `read` takes from what each copy keeps of the documents of a factory.
    fn tallies<T>(
        self,
        factory: &Link,
        read: impl Fn(&[u8]) -> Result<T, &'static str>,
    ) -> impl Iterator<Item = Result<T, Error>> {
        let keys = KeyRange::prefix(&keys::factory::tallies(factory));
        self.view.scan(Family::Factory, keys, Order::Ascending).filter_map(move |row| {
            let taken = |(key, value): Row| {
                let damaged = |reason| self.damaged(Family::Factory, reason);
                let copy = keys::factory::space(&key).ok_or_else(|| damaged("no such key"))?;
                if !self.copies.hold(copy) {
                    return Ok(None);
                }
                read(&value).map(Some).map_err(damaged)
            };
            row.map_err(Error::from).and_then(taken).transpose()
        })
    }

    /// Returns true if a document of the factory may not be indexed in full.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn is_partial(self, factory: &Link) -> Result<bool, Error> {
        self.is_flagged(factory, keys::factory::Key::Partial)
    }

    /// Returns true if a document of the factory may expire.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn is_expiring(self, factory: &Link) -> Result<bool, Error> {
        self.is_flagged(factory, keys::factory::Key::Expiring)
    }

    fn is_flagged(self, factory: &Link, flag: keys::factory::Key) -> Result<bool, Error> {
        Ok(self.view.get(Family::Factory, &keys::factory::encode(factory, &flag))?.is_some())
    }

    fn damaged(self, family: Family, reason: &str) -> Error {
        let error = Error::Key { family, reason: reason.to_owned() };
        self.store.report_damage(&error.to_string());
        error
    }
}
