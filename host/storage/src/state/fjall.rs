//! A state store on disk, over fjall.
//!
//! One keyspace holds all families, each key behind the number of its family. More keyspaces would be flushed one by
//! one, each pinning the journals that the others no longer need, and a power cut between two flushes could be seen;
//! with one, the flushed tables and the journal behind them are always a prefix of what was written.
//!
//! Nothing is fsynced on write. Fjall gives up for good when a write fails, be it for want of space only. So the store
//! refuses writes while little space is left, before fjall sees them, and opens fjall anew once it has given up.
//!
//! Left out: reclaiming a dropped prefix at once. Its keys are removed one by one and go at compaction.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use bytes::Bytes;
use fjall::config::{BlockSizePolicy, BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry, PinningPolicy};
use fjall::{
    Database, Guard, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode, Readable as _, Snapshot,
};

use super::{Batch, Error, Family, KeyRange, Keys, Order, ReadView, Row, Rows, StateStore, marks};
use crate::space::is_full;

const KEYSPACE: &str = "state";

/// Values from this size on are stored apart from the keys, so that compaction does not move them.
const SEPARATED_BYTES: u32 = 4096;

/// Keys that one batch of [`StateStore::drop_prefix`] removes.
const DROPPED_KEYS: usize = 1024;

/// How often a store that gave up is opened, while views of it may still be open, and how long between.
const REOPEN_TRIES: u32 = 20;
const REOPEN_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// Budgets of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Memory for blocks that were read.
    pub cache_bytes: u64,
    /// Memory for writes before they are flushed; up to four times as much for an instant.
    pub write_buffer_bytes: u64,
    /// Threads that flush and compact.
    pub threads: usize,
    /// The store refuses writes if less than this is free on its disk.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { cache_bytes: 32 << 20, write_buffer_bytes: 16 << 20, threads: 2, reserve_bytes: 32 << 20 }
    }
}

/// A state store in a folder.
pub struct FjallStore {
    path: PathBuf,
    options: Options,
    /// None while it is opened anew.
    engine: RwLock<Option<Engine>>,
    /// Number of the newest checkpoint, completed or not.
    checkpoints: Mutex<u64>,
}

#[derive(Clone)]
struct Engine {
    database: Database,
    keyspace: Keyspace,
}

/// Sorts what fjall says into what the caller can do about it.
fn sorted(error: fjall::Error) -> Error {
    match error {
        fjall::Error::Io(source) | fjall::Error::Storage(fjall::LsmError::Io(source)) => match is_full(&source) {
            true => Error::Full { free: 0, needed: 1 },
            false => Error::Disk { what: "use", source },
        },
        fjall::Error::Poisoned => Error::Unavailable("an earlier write failed".into()),
        fjall::Error::Locked => Error::Unavailable("another process, or a reader of this one, uses it".into()),
        other => Error::Damaged(other.to_string()),
    }
}

impl FjallStore {
    /// Opens the store in the folder `path`, and creates it if there is none.
    ///
    /// # Errors
    /// [`Error::Damaged`] if what is there cannot be read; [`super::open_or_reset`] goes on from there.
    pub fn open(path: impl Into<PathBuf>, options: Options) -> Result<FjallStore, Error> {
        let path = path.into();
        let engine = Engine::open(&path, &options)?;
        let (found, completed) = (engine.newest_mark()?, marks::completed(&path));
        if found < completed {
            return Err(Error::Damaged(format!("checkpoint {completed} was completed, only {found} is there")));
        }
        Ok(FjallStore { path, options, engine: RwLock::new(Some(engine)), checkpoints: Mutex::new(found) })
    }

    /// Returns where the store is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn engine(&self) -> Result<Engine, Error> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        engine.clone().ok_or_else(|| Error::Unavailable("it is being opened anew".into()))
    }

    /// Refuses if there is so little space that fjall might give up.
    fn check_space(&self) -> Result<(), Error> {
        let free = crate::space::free_bytes(&self.path).map_err(|source| Error::Disk { what: "measure", source })?;
        match free < self.options.reserve_bytes {
            true => Err(Error::Full { free, needed: self.options.reserve_bytes }),
            false => Ok(()),
        }
    }

    /// Runs a write, and opens fjall anew if it has given up; the write may then be tried again.
    fn writing<T>(&self, write: impl Fn(&Engine) -> fjall::Result<T>) -> Result<T, Error> {
        self.check_space()?;
        let engine = match self.engine() {
            Ok(engine) => engine,
            Err(_) => self.reopen()?,
        };
        match write(&engine) {
            Err(fjall::Error::Poisoned) => {
                drop(engine);
                write(&self.reopen()?).map_err(sorted)
            }
            other => other.map_err(sorted),
        }
    }

    fn reopen(&self) -> Result<Engine, Error> {
        tracing::warn!(path = %self.path.display(), "state store gave up after a failed write, opening it anew");
        let mut slot = self.engine.write().unwrap_or_else(PoisonError::into_inner);
        *slot = None;
        let mut tries = 0;
        loop {
            match Engine::open(&self.path, &self.options) {
                Ok(engine) => {
                    *slot = Some(engine.clone());
                    return Ok(engine);
                }
                // Readers let go of the old one soon.
                Err(Error::Unavailable(_)) if tries < REOPEN_TRIES => std::thread::sleep(REOPEN_PAUSE),
                Err(error) => return Err(error),
            }
            tries += 1;
        }
    }
}

impl Engine {
    fn open(path: &Path, options: &Options) -> Result<Engine, Error> {
        let database = Database::builder(path)
            .cache_size(options.cache_bytes)
            .worker_threads(options.threads)
            .max_cached_files(Some(256))
            .open()
            .map_err(sorted)?;
        let write_buffer_bytes = options.write_buffer_bytes;
        let keyspace = database.keyspace(KEYSPACE, || keyspace_options(write_buffer_bytes)).map_err(sorted)?;
        Ok(Engine { database, keyspace })
    }

    fn newest_mark(&self) -> Result<u64, Error> {
        let mark = self.keyspace.get(marks::MARK_KEY).map_err(sorted)?;
        Ok(mark.and_then(|mark| marks::number_in(&mark)).unwrap_or(0))
    }

    fn write(&self, batch: &Batch) -> fjall::Result<()> {
        let mut written = self.database.batch();
        for ((family, key), value) in &batch.changes {
            let key = stored_key(*family, key);
            match value {
                Some(value) => written.insert(&self.keyspace, key, &value[..]),
                None => written.remove(&self.keyspace, key),
            }
        }
        written.commit()
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
    let start = match range.start {
        Bound::Unbounded => Bound::Included(vec![family as u8]),
        bound @ (Bound::Included(_) | Bound::Excluded(_)) => bound.map(|key| stored_key(family, &key)),
    };
    let end = match range.end {
        Bound::Unbounded => Bound::Excluded(vec![family as u8 + 1]),
        bound @ (Bound::Included(_) | Bound::Excluded(_)) => bound.map(|key| stored_key(family, &key)),
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

impl StateStore for FjallStore {
    fn write(&self, batch: Batch) -> Result<(), Error> {
        self.writing(|engine| engine.write(&batch))
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let value = self.engine()?.keyspace.get(stored_key(family, key)).map_err(sorted)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn view(&self) -> Result<Box<dyn ReadView>, Error> {
        let Engine { database, keyspace } = self.engine()?;
        Ok(Box::new(View { snapshot: database.snapshot(), keyspace }))
    }

    fn checkpoint(&self) -> Result<(), Error> {
        let mut newest = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        *newest += 1;
        self.writing(|engine| {
            engine.keyspace.insert(marks::MARK_KEY, marks::mark(*newest))?;
            engine.database.persist(PersistMode::SyncAll)
        })?;
        marks::note_completed(&self.path, *newest)
            .map_err(|source| Error::Disk { what: "note a checkpoint of", source })
    }

    fn drop_prefix(&self, prefix: &[u8]) -> Result<u64, Error> {
        let mut dropped = 0;
        for family in Family::ALL {
            loop {
                let view = self.view()?;
                let keys: Result<Vec<Bytes>, Error> =
                    view.scan_keys(family, KeyRange::prefix(prefix), Order::Ascending).take(DROPPED_KEYS).collect();
                let mut batch = Batch::new();
                keys?.into_iter().for_each(|key| batch.remove(family, key.into()));
                if batch.is_empty() {
                    break;
                }
                dropped += batch.len() as u64;
                self.write(batch)?;
            }
        }
        Ok(dropped)
    }

    fn ingest(&self, family: Family, rows: &mut dyn Iterator<Item = (Vec<u8>, Bytes)>) -> Result<u64, Error> {
        self.check_space()?;
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return Ok(0);
        }
        let engine = self.engine()?;
        let mut ingestion = engine.keyspace.start_ingestion().map_err(sorted)?;
        let mut taken = 0;
        for (key, value) in rows {
            ingestion.write(stored_key(family, &key), &value[..]).map_err(sorted)?;
            taken += 1;
        }
        ingestion.finish().map_err(sorted)?;
        Ok(taken)
    }

    fn bytes(&self) -> u64 {
        self.engine().ok().and_then(|engine| engine.database.disk_space().ok()).unwrap_or(0)
    }
}

struct View {
    snapshot: Snapshot,
    keyspace: Keyspace,
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
}

impl ReadView for View {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let value = self.snapshot.get(&self.keyspace, stored_key(family, key)).map_err(sorted)?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, family: Family, range: KeyRange, order: Order) -> Rows<'_> {
        let row = |guard: Guard| -> Result<Row, Error> {
            let (key, value) = guard.into_inner().map_err(sorted)?;
            Ok((Bytes::copy_from_slice(&key[1..]), Bytes::copy_from_slice(&value)))
        };
        Box::new(self.guards(family, range, order).map(row))
    }

    fn scan_keys(&self, family: Family, range: KeyRange, order: Order) -> Keys<'_> {
        let key = |guard: Guard| guard.key().map(|key| Bytes::copy_from_slice(&key[1..])).map_err(sorted);
        Box::new(self.guards(family, range, order).map(key))
    }
}
