//! The state store: ordered keys in families, written in atomic batches.
//!
//! Problem: the newest state of every document, its older versions, the indexes and the bookkeeping must agree at any
//! instant, also after a crash. And the store must not slow the commit path down.
//!
//! Promise: a [`Batch`] is there as a whole or not at all, and a later batch is never there without the earlier ones. After
//! a crash the store is as it was after some batch, which is no earlier than the last
//! [`checkpoint`](StateStore::checkpoint). The commit log still has what the store has lost.
//!
//! **Errors.** After an error the caller knows nothing, unless it was [`Error::KeyTooLong`]: the write may be there or not,
//! and what the caller has read before may be older than what is there now. A caller with a cache drops it and reads again.
//! Each time the store is opened again, its [`instance`](StateStore::instance) number changes. A [`Batch`] that follows from
//! reads carries the number of their instance; the store refuses it under any other number. What each error means:
//!
//! | error | means | the caller |
//! |---|---|---|
//! | `KeyTooLong` | the batch can never be written | gives the batch up |
//! | `Full`, `Unavailable`, `Disk` | the store does not work now | forgets what it read, tries again later |
//! | `Damaged` | what was written is not there | has the store rebuilt, see [`StateStore::condemn`] |
//! | `Lasting` | what is lasting is unknown | ends the process |
//!
//! The trait has three implementations: [`fjall`] on disk, [`memory`] for the volatile lane, and [`faulty`] for simulation.
//! All of them pass the examination in [`conformance`].

pub mod conformance;
mod engine;
pub mod faulty;
pub mod fjall;
mod marks;
pub mod memory;
mod notes;
mod open;
mod write_back;

#[cfg(test)]
#[path = "tests.rs"]
mod store_tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;

pub use engine::is_watched;
pub use faulty::{FaultyStore, Odds};
pub use fjall::{FjallStore, Options};
pub use memory::MemoryStore;
pub use open::{Opened, Reset, open_or_reset};

/// A key family: all keys of one layout. The numbers are frozen: they stand in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// The newest version of each document; layout in [`keys::document`](crate::keys::document).
    Document = 1,
    /// Older versions that are kept; layout in [`keys::version`](crate::keys::version).
    Version = 2,
    /// Documents by the offset of their newest record; layout in [`keys::sequence`](crate::keys::sequence).
    Sequence = 3,
    /// Documents by the values of their fields; layout in [`keys::index`](crate::keys::index).
    Index = 4,
    /// What is known about the partition as a whole; layout in [`keys::meta`](crate::keys::meta).
    Meta = 5,
    /// Effects that wait; layout in [`keys::outbox`](crate::keys::outbox).
    Outbox = 6,
    /// Remembered answers by document and request; layout in [`keys::reply`](crate::keys::reply).
    Reply = 7,
    /// Documents by the time at which they expire; layout in [`keys::expiry`](crate::keys::expiry).
    Expiry = 8,
    /// Remembered answers by the offset of their record; layout in [`keys::answered`](crate::keys::answered).
    Answered = 9,
    /// Tombstones by the offset of their record; layout in [`keys::tombstone`](crate::keys::tombstone).
    Tombstone = 10,
    /// Remembered answers of each document, oldest first; layout in [`keys::answers`](crate::keys::answers).
    Answers = 11,
    /// Living documents of each factory; layout in [`keys::listing`](crate::keys::listing).
    Listing = 12,
    /// Counts of each factory, and what is special about its documents; layout in [`keys::factory`](crate::keys::factory).
    Factory = 13,
}

impl Family {
    /// All families, in the order of their numbers.
    pub const ALL: [Family; 13] = [
        Family::Document,
        Family::Version,
        Family::Sequence,
        Family::Index,
        Family::Meta,
        Family::Outbox,
        Family::Reply,
        Family::Expiry,
        Family::Answered,
        Family::Tombstone,
        Family::Answers,
        Family::Listing,
        Family::Factory,
    ];
}

impl std::fmt::Display for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Family::Document => "document",
            Family::Version => "version",
            Family::Sequence => "sequence",
            Family::Index => "index",
            Family::Meta => "meta",
            Family::Outbox => "outbox",
            Family::Reply => "reply",
            Family::Expiry => "expiry",
            Family::Answered => "answered",
            Family::Tombstone => "tombstone",
            Family::Answers => "answers",
            Family::Listing => "listing",
            Family::Factory => "factory",
        })
    }
}

/// Longest key, in bytes; every store refuses longer ones, so that none takes what another does not.
pub const KEY_BYTES_MAX: usize = 60 * 1024;

/// Why a state store does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key is longer than any store takes. Nothing happened, and nothing will if the same is tried again.
    #[error(
        "key of family {family} has {bytes} bytes, the state store takes {max}: shorten the name that it is made of"
    )]
    KeyTooLong {
        /// The family that the key belongs to.
        family: Family,
        /// How many bytes the key has.
        bytes: usize,
        /// How many it may have: [`KEY_BYTES_MAX`].
        max: usize,
    },
    /// The disk is full. Reads go on; writes succeed again once space was freed.
    #[error("disk is full: the state store needs {needed} bytes and {free} are free, free some space")]
    Full {
        /// Bytes that are free on its disk.
        free: u64,
        /// Bytes that the store wants free before it writes.
        needed: u64,
    },
    /// What stands on the disk is not what was written. The store has to be rebuilt.
    #[error("state store is damaged: {0}")]
    Damaged(String),
    /// The store is not open, or not the one that was read: a write failed and it comes back soon. What was to be written
    /// may be there or not.
    #[error("state store does not work since a write failed, try again soon: {0}")]
    Unavailable(String),
    /// Data did not become lasting, and nobody knows which. The process has to end: the next one opens the store without
    /// trusting what the memory of the operating system says.
    #[error("cannot make the state store lasting, what of it is on the disk is unknown: {source}")]
    Lasting {
        /// The reason of the operating system.
        source: std::io::Error,
    },
    /// The operating system refused a call; nothing is known of the cause but its reason.
    #[error("cannot {what} the state store: {source}")]
    Disk {
        /// The verb that failed, as in "cannot read".
        what: &'static str,
        /// The reason of the operating system.
        source: std::io::Error,
    },
}

impl Error {
    /// Returns true if the store has to be rebuilt.
    pub fn is_damage(&self) -> bool {
        match self {
            Error::Damaged(_) => true,
            Error::KeyTooLong { .. }
            | Error::Full { .. }
            | Error::Unavailable(_)
            | Error::Lasting { .. }
            | Error::Disk { .. } => false,
        }
    }

    /// Returns true if the process has to end, because nobody knows what is lasting.
    pub fn is_fatal(&self) -> bool {
        match self {
            Error::Lasting { .. } => true,
            Error::KeyTooLong { .. }
            | Error::Full { .. }
            | Error::Unavailable(_)
            | Error::Damaged(_)
            | Error::Disk { .. } => false,
        }
    }
}

/// Refuses a key that no store takes.
///
/// # Errors
/// [`Error::KeyTooLong`]
fn check_key(family: Family, key: &[u8]) -> Result<(), Error> {
    match key.len() > KEY_BYTES_MAX {
        true => Err(Error::KeyTooLong { family, bytes: key.len(), max: KEY_BYTES_MAX }),
        false => Ok(()),
    }
}

/// Writes that become visible together, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    changes: BTreeMap<(Family, Vec<u8>), Option<Bytes>>,
    /// The instance of the store from which the changes follow; none: any instance takes them.
    instance: Option<u64>,
}

impl Batch {
    /// Returns an empty batch that any instance of a store takes.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Returns an empty batch that only instance `instance` of a store takes, because it will follow from what was read
    /// there.
    pub fn after_reads_of(instance: u64) -> Batch {
        Batch { instance: Some(instance), ..Batch::default() }
    }

    /// Refuses the batch if a key is too long, or if it was made for another instance than `instance`.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`], [`Error::Unavailable`]
    fn check(&self, instance: u64) -> Result<(), Error> {
        if self.instance.is_some_and(|wanted| wanted != instance) {
            return Err(Error::Unavailable("it was opened anew since it was read".into()));
        }
        self.changes.keys().try_for_each(|(family, key)| check_key(*family, key))
    }

    /// Sets a value. A later change of the same key in the same batch wins.
    pub fn put(&mut self, family: Family, key: Vec<u8>, value: impl Into<Bytes>) {
        self.changes.insert((family, key), Some(value.into()));
    }

    /// Removes a key; there need be none.
    pub fn remove(&mut self, family: Family, key: Vec<u8>) {
        self.changes.insert((family, key), None);
    }

    /// Returns what the batch does to a key: nothing, a new value, or its removal.
    pub fn get(&self, family: Family, key: &[u8]) -> Option<Option<&Bytes>> {
        // The map wants its own key type.
        self.changes.get(&(family, key.to_vec())).map(Option::as_ref)
    }

    /// Returns the keys of a range that the batch sets.
    pub fn keys_set(&self, family: Family, range: &KeyRange) -> BTreeSet<Vec<u8>> {
        let start = match &range.start {
            Bound::Unbounded => Bound::Included((family, Vec::new())),
            Bound::Included(key) => Bound::Included((family, key.clone())),
            Bound::Excluded(key) => Bound::Excluded((family, key.clone())),
        };
        let is_before_end = |key: &Vec<u8>| match &range.end {
            Bound::Unbounded => true,
            Bound::Included(end) => key <= end,
            Bound::Excluded(end) => key < end,
        };
        let from = self.changes.range((start, Bound::Unbounded));
        let within = from.take_while(|((known, key), _)| *known == family && is_before_end(key));
        within.filter(|(_, value)| value.is_some()).map(|((_, key), _)| key.clone()).collect()
    }

    /// Returns how many keys the batch sets or removes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Returns true if there is no change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns how many bytes of keys and values there are.
    pub fn bytes(&self) -> u64 {
        let value_bytes = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
        self.changes.iter().map(|((_, key), value)| (key.len() + value_bytes(value)) as u64).sum()
    }

    /// Returns the changes, sorted by family and key; a change without a value removes its key.
    pub fn into_changes(self) -> impl Iterator<Item = (Family, Vec<u8>, Option<Bytes>)> {
        self.changes.into_iter().map(|((family, key), value)| (family, key, value))
    }
}

/// A range of keys within one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The smallest key of the range, or the key after which it begins; unbounded: from the first key on.
    pub start: Bound<Vec<u8>>,
    /// The greatest key of the range, or the key before which it ends; unbounded: to the last key.
    pub end: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Returns the range of all keys that begin with `prefix`.
    pub fn prefix(prefix: &[u8]) -> KeyRange {
        KeyRange { start: Bound::Included(prefix.to_vec()), end: end_of(prefix) }
    }

    /// Returns the range of all keys that begin with `prefix` and come after `after`.
    pub fn prefix_after(prefix: &[u8], after: Vec<u8>) -> KeyRange {
        KeyRange { start: Bound::Excluded(after), end: end_of(prefix) }
    }
}

/// Returns the first key behind all keys that begin with `prefix`.
fn end_of(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

/// The direction of a scan over a range of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// From the smallest key to the greatest, byte by byte.
    Ascending,
    /// From the greatest key to the smallest.
    Descending,
}

/// A key without its family, and its value.
pub type Row = (Bytes, Bytes);

/// The rows of a scan, read one by one; a caller stops at the first error.
pub type Rows<'a> = Box<dyn Iterator<Item = Result<Row, Error>> + Send + 'a>;

/// The keys of a scan, read one by one; a caller stops at the first error.
pub type Keys<'a> = Box<dyn Iterator<Item = Result<Bytes, Error>> + Send + 'a>;

/// A store of ordered keys, as the head of this module promises it.
pub trait StateStore: Send + Sync {
    /// Makes all changes of a batch visible at once. Not lasting before the next checkpoint.
    ///
    /// # Errors
    /// [`Error::KeyTooLong`] and a batch that was made for another instance: nothing happened. Any other: the batch may be
    /// there as a whole, now or once the store was opened anew, or not.
    fn write(&self, batch: Batch) -> Result<(), Error>;

    /// Returns how often the store was opened anew since the process began. What was read under another number may be
    /// older than what is there.
    fn instance(&self) -> u64;

    /// Returns what was found damaged since the store was opened; the first find only.
    fn damage(&self) -> Option<String>;

    /// Takes note of damage that a reader of the values has found in them.
    fn report_damage(&self, reason: &str);

    /// Returns why nobody opens the store any more, whoever has found it, such as a reader that had it opened anew: [`Error::Lasting`]
    /// after a failed fsync, [`Error::Damaged`] if what was there is not. The process has to end; the next start looks what can be kept.
    fn unusable(&self) -> Option<Error>;

    /// Notes, for good, that the store must not be used as it is: the next start puts it aside and begins with an empty
    /// one, to be filled out of the log. This process goes on with it.
    ///
    /// # Errors
    /// Those of the disk.
    fn condemn(&self, reason: &str) -> Result<(), Error>;

    /// Returns the newest value of a key.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it cannot be read.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// Returns what the store holds now, and goes on holding for this reader.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store is just being opened anew. A view that is open goes on after that.
    fn view(&self) -> Result<Box<dyn ReadView>, Error>;

    /// Makes everything written before lasting.
    ///
    /// # Errors
    /// [`Error::Lasting`]: the caller ends the process. Any other: nothing more became lasting, the caller may try again.
    fn checkpoint(&self) -> Result<(), Error>;

    /// Returns about how many bytes the store takes, on disk or in memory.
    fn bytes(&self) -> u64;
}

/// What a store held at one instant.
pub trait ReadView: Send + Sync {
    /// Returns the value of a key.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it cannot be read.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error>;

    /// Returns the rows of a range.
    fn scan(&self, family: Family, range: KeyRange, order: Order) -> Rows<'_>;

    /// Returns the keys of a range; cheaper than the rows if values are large.
    fn scan_keys(&self, family: Family, range: KeyRange, order: Order) -> Keys<'_>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_numbers_are_frozen() {
        for (number, family) in (1_u8..).zip(Family::ALL) {
            assert_eq!(family as u8, number);
        }
    }

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(end_of(&[1, 2]), Bound::Excluded(vec![1, 3]));
        assert_eq!(end_of(&[1, 0xff]), Bound::Excluded(vec![2]));
        assert_eq!(end_of(&[0xff]), Bound::Unbounded);
    }

    #[test]
    fn the_last_change_of_a_key_wins() {
        let mut batch = Batch::new();
        batch.put(Family::Meta, vec![1], "one");
        batch.remove(Family::Meta, vec![1]);
        assert_eq!(batch.len(), 1);
        assert_eq!(batch.get(Family::Meta, &[1]), Some(None));
        assert_eq!(batch.get(Family::Document, &[1]), None);
        assert_eq!(batch.bytes(), 1);
    }
}
