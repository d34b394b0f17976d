//! The engine of the store on disk: fjall, opened, with its errors sorted and its panics caught.
//!
//! If fjall meets contents that cannot be right, it returns an error or fails an assertion. Both are [`Error::Damaged`]
//! here, wherever they happen. The first is logged as an error; later ones say nothing new.

use std::cell::Cell;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::Bound;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use fjall::config::{BlockSizePolicy, BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry, PinningPolicy};
use fjall::{
    Database, Guard, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode, Readable as _, Snapshot,
};

use super::{Batch, Error, Family, KEY_BYTES_MAX, KeyRange, Keys, Order, ReadView, Row, Rows, marks, notes};
use crate::space::{is_full, wants_descriptors};
use crate::{background, lasting};

const KEYSPACE: &str = "state";

/// The file that an open engine has locked.
const LOCK_FILE: &str = "lock";

/// Values from this size on are stored apart from the keys, so that compaction does not move them.
const SEPARATED_BYTES: u32 = 4096;

/// How much memory, how many threads and how much disk space the store may count on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Memory for blocks that were read, in bytes.
    pub cache_bytes: u64,
    /// Memory for writes before they are flushed, in bytes; for an instant up to four times as much.
    pub write_buffer_bytes: u64,
    /// How many threads flush and compact. With more than one, fjall keeps one free for flushes, which asks for work without a
    /// pause while another compacts.
    pub threads: usize,
    /// The store refuses writes if fewer bytes than these are free on its disk.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { cache_bytes: 32 << 20, write_buffer_bytes: 16 << 20, threads: 1, reserve_bytes: 32 << 20 }
    }
}

/// The first damage that was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// Returns the reason of the first damage; none as long as no damage was met.
    pub(super) fn found(&self) -> Option<String> {
        self.0.get().cloned()
    }

    /// Runs `work` on the contents of the engine. Its error, or its panic, is returned as one of ours.
    pub(super) fn watch<T>(&self, what: &'static str, work: impl FnOnce() -> fjall::Result<T>) -> Result<T, Error> {
        let watched = Watched::enter();
        let ended = std::panic::catch_unwind(AssertUnwindSafe(work));
        drop(watched);
        let done = match ended {
            Ok(done) => done.map_err(|error| sorted(what, error)),
            Err(_) => Err(Error::Damaged(format!("the engine cannot make sense of its files, tried to {what}"))),
        };
        if let Err(Error::Damaged(reason)) = &done {
            self.report(reason);
        }
        done
    }

    /// Takes note of damage, and tells of the first.
    pub(super) fn report(&self, reason: &str) {
        if self.0.set(reason.to_owned()).is_ok() {
            tracing::warn!(reason, "state store is damaged and has to be rebuilt");
        }
    }
}

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
}

/// Returns true while the engine works on this thread under a watch: it panics at files of which it can make no sense, and whoever
/// asked is told that they are damaged. A hook that ends the process at a panic must let such a one pass, or a power cut that tears
/// the engine's journal would end every start.
pub fn is_watched() -> bool {
    WATCHED.get()
}

struct Watched(bool);

impl Watched {
    fn enter() -> Watched {
        Watched(WATCHED.replace(true))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        WATCHED.set(self.0);
    }
}

/// Sorts what fjall says into what the caller can do about it.
fn sorted(what: &'static str, error: fjall::Error) -> Error {
    match error {
        fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => match source.kind() {
            // The engine asks for nothing that it has not written.
            io::ErrorKind::NotFound
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput => Error::Damaged(format!("{source}, tried to {what}")),
            _ if is_full(&source) => Error::Full { free: 0, needed: 1 },
            _ => Error::Disk { what, source },
        },
        fjall::Error::Poisoned => Error::Unavailable("an earlier write failed".into()),
        fjall::Error::Locked => Error::Unavailable("another process, or a reader of this one, uses it".into()),
        other => Error::Damaged(format!("{other}, tried to {what}")),
    }
}

/// Returns the failure of what makes contents lasting.
fn not_lasting(source: std::io::Error) -> Error {
    if wants_descriptors(&source) { Error::Disk { what: "open", source } } else { Error::Lasting { source } }
}

/// An open engine. Dropping the last clone, and the last view, closes it.
#[derive(Clone)]
pub(super) struct Engine {
    database: Database,
    keyspace: Keyspace,
    damage: Damage,
    /// See [`StateStore::instance`](super::StateStore::instance).
    pub(super) instance: u64,
}

impl Engine {
    /// Opens the engine in the folder `path`, and creates it if there is none.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the contents make no sense, [`Error::Lasting`] if they cannot be made lasting, [`Error::Disk`] if that was
    /// not even begun.
    pub(super) fn open(path: &Path, options: &Options, damage: Damage, instance: u64) -> Result<Engine, Error> {
        // Not while another engine writes what is read here.
        let lock = lock(path)?;
        if !notes::take_closed(path).map_err(|source| Error::Disk { what: "open", source })? {
            notes::harden(path).map_err(not_lasting)?;
        }
        drop(lock);
        // The engine starts threads that flush and compact, which are in no hurry.
        let open = || {
            let database = Database::builder(path)
                .cache_size(options.cache_bytes)
                .worker_threads(options.threads)
                .max_cached_files(Some(256))
                .open()?;
            let write_buffer_bytes = options.write_buffer_bytes;
            let keyspace = database.keyspace(KEYSPACE, || keyspace_options(write_buffer_bytes))?;
            Ok((database, keyspace))
        };
        // Whether what is damaged here is told loudly is decided by who can repair it.
        let opened = background::run("state-open", || Damage::default().watch("open", open));
        let (database, keyspace) = opened.map_err(|source| Error::Disk { what: "open", source })??;
        // The engine fsyncs files and the folders that they are in, but not the folders that those folders are in. The name of its own
        // folder counts as well: where a store was put aside, it would come back in the place of the new one.
        lasting::sync_folders(path).map_err(not_lasting)?;
        lasting::make_folder(path).map_err(not_lasting)?;
        Ok(Engine { database, keyspace, damage, instance })
    }

    /// Returns the number of the newest checkpoint whose mark is there.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn newest_mark(&self) -> Result<u64, Error> {
        let mark = self.damage.watch("read", || self.keyspace.get(marks::MARK_KEY))?;
        Ok(mark.and_then(|mark| marks::number_in(&mark)).unwrap_or(0))
    }

    /// Writes the mark of checkpoint `number`.
    ///
    /// # Errors
    /// Those of writing: the engine is of no use afterwards.
    pub(super) fn mark(&self, number: u64) -> Result<(), Error> {
        self.damage.watch("write to", || self.keyspace.insert(marks::MARK_KEY, marks::mark(number)))
    }

    /// Makes everything written before lasting.
    ///
    /// # Errors
    /// [`Error::Lasting`]; [`Error::Unavailable`] if the engine had given up before. It is of no use afterwards.
    pub(super) fn persist(&self) -> Result<(), Error> {
        match self.database.persist(PersistMode::SyncAll) {
            Err(fjall::Error::Io(source)) => Err(Error::Lasting { source }),
            other => self.damage.watch("sync", || other),
        }
    }

    /// Returns true if no write and no sync has failed.
    pub(super) fn is_well(&self) -> bool {
        self.database.persist(PersistMode::Buffer).is_ok()
    }

    /// Writes a batch.
    ///
    /// # Errors
    /// Those of writing: the batch may be there or not, and the engine is of no use afterwards.
    pub(super) fn write(&self, batch: &Batch) -> Result<(), Error> {
        self.damage.watch("write to", || {
            let mut written = self.database.batch();
            for ((family, key), value) in &batch.changes {
                let key = stored_key(*family, key);
                match value {
                    Some(value) => written.insert(&self.keyspace, key, &value[..]),
                    None => written.remove(&self.keyspace, key),
                }
            }
            written.commit()
        })
    }

    /// Returns the newest value of a key.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error> {
        if key.len() > KEY_BYTES_MAX {
            return Ok(None);
        }
        let value = self.damage.watch("read", || self.keyspace.get(stored_key(family, key)))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Returns a view of what the engine holds now; later writes do not change it.
    pub(super) fn view(&self) -> View {
        View { snapshot: self.database.snapshot(), keyspace: self.keyspace.clone(), damage: self.damage.clone() }
    }

    /// Returns how many bytes the files take.
    pub(super) fn bytes(&self) -> u64 {
        self.database.disk_space().unwrap_or(0)
    }
}

/// Takes the lock that an open engine holds; none if there is no engine's folder yet.
fn lock(path: &Path) -> Result<Option<File>, Error> {
    let disk = |source| Error::Disk { what: "lock", source };
    let file = match File::open(path.join(LOCK_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(disk(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Unavailable("another process, or a reader of this one, uses it".into()))
        }
        Err(TryLockError::Error(error)) => Err(disk(error)),
    }
}

fn keyspace_options(write_buffer_bytes: u64) -> KeyspaceCreateOptions {
    let bits = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0));
    KeyspaceCreateOptions::default()
        .max_memtable_size(write_buffer_bytes)
        .data_block_size_policy(BlockSizePolicy::all(4096))
        .filter_policy(FilterPolicy::all(bits))
        // Blocks of filters and indexes live in the cache, so that its budget bounds the memory.
        .filter_block_pinning_policy(PinningPolicy::disabled())
        .index_block_pinning_policy(PinningPolicy::disabled())
        .with_kv_separation(Some(KvSeparationOptions::default().separation_threshold(SEPARATED_BYTES)))
}

fn stored_key(family: Family, key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + key.len());
    stored.push(family as u8);
    stored.extend_from_slice(key);
    stored
}

/// Returns a range of one family as a range of the keyspace.
fn stored_range(family: Family, range: KeyRange) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    // No key is so long as a bound may be, and fjall takes no longer bounds: the longest key that a bound begins with
    // stands right before it.
    let start = match range.start {
        Bound::Unbounded => Bound::Included(vec![family as u8]),
        Bound::Included(key) if key.len() > KEY_BYTES_MAX => Bound::Excluded(stored_key(family, &key[..KEY_BYTES_MAX])),
        Bound::Included(key) => Bound::Included(stored_key(family, &key)),
        Bound::Excluded(key) => Bound::Excluded(stored_key(family, &key[..key.len().min(KEY_BYTES_MAX)])),
    };
    let end = match range.end {
        Bound::Unbounded => Bound::Excluded(vec![family as u8 + 1]),
        Bound::Excluded(key) if key.len() > KEY_BYTES_MAX => Bound::Included(stored_key(family, &key[..KEY_BYTES_MAX])),
        Bound::Excluded(key) => Bound::Excluded(stored_key(family, &key)),
        Bound::Included(key) => Bound::Included(stored_key(family, &key[..key.len().min(KEY_BYTES_MAX)])),
    };
    (start, end)
}

/// Returns true if nothing can be in the range; fjall does not take such ranges.
fn is_empty(range: &(Bound<Vec<u8>>, Bound<Vec<u8>>)) -> bool {
    match range {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start >= end,
    }
}

/// What the engine held at one instant.
pub(super) struct View {
    snapshot: Snapshot,
    keyspace: Keyspace,
    damage: Damage,
}

impl View {
    fn guards(&self, family: Family, range: KeyRange, order: Order) -> Box<dyn Iterator<Item = Guard> + Send + '_> {
        let range = stored_range(family, range);
        if is_empty(&range) {
            return Box::new(std::iter::empty());
        }
        let guards = self.snapshot.range(&self.keyspace, range);
        match order {
            Order::Ascending => Box::new(guards),
            Order::Descending => Box::new(guards.rev()),
        }
    }

    /// Reads what the guards of a range stand for, up to the first that cannot be read.
    fn read<'a, T: 'a>(
        &'a self,
        (family, range, order): (Family, KeyRange, Order),
        read: impl Fn(Guard) -> fjall::Result<T> + Send + 'a,
    ) -> Box<dyn Iterator<Item = Result<T, Error>> + Send + 'a> {
        let mut guards = Some(self.guards(family, range, order));
        Box::new(std::iter::from_fn(move || {
            let found = self.damage.watch("read", || guards.as_mut().and_then(Iterator::next).map(&read).transpose());
            if found.is_err() {
                // What comes behind damage, if anything, is not what was asked for.
                guards = None;
            }
            found.transpose()
        }))
    }
}

impl ReadView for View {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error> {
        if key.len() > KEY_BYTES_MAX {
            return Ok(None);
        }
        let value = self.damage.watch("read", || self.snapshot.get(&self.keyspace, stored_key(family, key)))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, family: Family, range: KeyRange, order: Order) -> Rows<'_> {
        self.read((family, range, order), |guard: Guard| -> fjall::Result<Row> {
            let (key, value) = guard.into_inner()?;
            Ok((Bytes::copy_from_slice(&key[1..]), Bytes::copy_from_slice(&value)))
        })
    }

    fn scan_keys(&self, family: Family, range: KeyRange, order: Order) -> Keys<'_> {
        self.read((family, range, order), |guard: Guard| {
            let key = guard.key()?;
            Ok(Bytes::copy_from_slice(&key[1..]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_engine_is_damage_and_known_as_such_while_it_happens() {
        let refused = Damage::default().watch::<()>("read", || {
            assert!(is_watched());
            panic!("the files make no sense")
        });
        assert!(matches!(refused, Err(Error::Damaged(_))));
        assert!(!is_watched());
    }
}
