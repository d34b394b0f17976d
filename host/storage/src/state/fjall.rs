//! A state store on disk, over fjall.
//!
//! One keyspace holds all families; the number of its family stands in front of each key. Several keyspaces would be
//! flushed one by one. Each would keep journals alive that the others no longer need, and a power cut between two
//! flushes could be seen. With one keyspace, the flushed tables and the journal behind them are always a prefix of what
//! was written.
//!
//! Writes are not fsynced. After a failed write, fjall refuses all further ones, even if only space was short. So the
//! store refuses writes itself while little space is left, before fjall tries. When fjall has given up, the next
//! caller, reader or writer, opens it again; other callers are refused meanwhile. Each opening has a number, see
//! [`StateStore::instance`], because a batch whose outcome was unknown may have become visible with it.
//!
//! Two findings end that for good, because a start does better. After a failed fsync of the host the next one may say that all is
//! well although nothing more was written. And an opening may find less than there was, which a start repairs out of the log. From then
//! on nobody opens the store, every caller is told the same error, and the process ends ([`StateStore::unusable`]). A failed fsync of
//! the engine's own shows as a failed write: the journals are written anew before they are read.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use bytes::Bytes;

pub use super::engine::Options;
use super::engine::{Damage, Engine};
use super::write_back::WriteBack;
use super::{Batch, Error, Family, ReadView, StateStore, marks, notes};

/// How often a store that gave up is opened, while views of it may still be open, and how long between.
const REOPEN_TRIES: u32 = 20;
const REOPEN_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// A state store in a folder; see the head of this module.
pub struct FjallStore {
    path: PathBuf,
    options: Options,
    slot: RwLock<Slot>,
    /// Held by the one that opens the engine anew.
    reviving: Mutex<()>,
    /// Number of the newest checkpoint, completed or not.
    checkpoints: Mutex<u64>,
    damage: Damage,
    /// What the first finding was after which nobody opens it.
    unusable: OnceLock<Unusable>,
    write_back: WriteBack,
}

/// Why nobody opens the store any more.
#[derive(Debug)]
enum Unusable {
    /// An fsync failed; the kind and the words of the operating system.
    NotLasting(std::io::ErrorKind, String),
    /// What was there is not, as an opening has found.
    Damaged(String),
}

impl Unusable {
    /// Returns what follows from an error; none if the next opening may mend it.
    fn of(error: &Error) -> Option<Unusable> {
        match error {
            Error::Lasting { source } => Some(Unusable::NotLasting(source.kind(), source.to_string())),
            Error::Damaged(reason) => Some(Unusable::Damaged(reason.clone())),
            Error::KeyTooLong { .. } | Error::Full { .. } | Error::Unavailable(_) | Error::Disk { .. } => None,
        }
    }

    fn error(&self) -> Error {
        match self {
            Unusable::NotLasting(kind, text) => Error::Lasting { source: std::io::Error::new(*kind, text.clone()) },
            Unusable::Damaged(reason) => Error::Damaged(reason.clone()),
        }
    }
}

struct Slot {
    /// None: it gave up, and is not open again.
    engine: Option<Engine>,
    instance: u64,
}

impl FjallStore {
    /// Opens the store in the folder `path`, and creates it if there is none.
    ///
    /// # Errors
    /// [`Error::Damaged`] if what is there cannot be read, or was [condemned](StateStore::condemn);
    /// [`super::open_or_reset`] goes on from there.
    pub fn open(path: impl Into<PathBuf>, options: Options) -> Result<FjallStore, Error> {
        let path = path.into();
        if let Some(reason) = notes::condemned(&path) {
            return Err(Error::Damaged(reason));
        }
        let damage = Damage::default();
        let (engine, newest) = open_whole(&path, &options, &damage, 0)?;
        let slot = RwLock::new(Slot { engine: Some(engine), instance: 0 });
        let (reviving, checkpoints) = (Mutex::default(), Mutex::new(newest));
        let (unusable, write_back) = (OnceLock::new(), WriteBack::default());
        Ok(FjallStore { path, options, slot, reviving, checkpoints, damage, unusable, write_back })
    }

    /// Returns the folder that the engine has for itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    // A panic under these locks leaves nothing half-done: each holds one assignment.
    fn slot(&self) -> RwLockReadGuard<'_, Slot> {
        self.slot.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_slot(&self) -> RwLockWriteGuard<'_, Slot> {
        self.slot.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn owner(&self) -> Result<MutexGuard<'_, ()>, Error> {
        match self.reviving.try_lock() {
            Ok(owner) => Ok(owner),
            Err(TryLockError::Poisoned(owner)) => Ok(owner.into_inner()),
            Err(TryLockError::WouldBlock) => Err(Error::Unavailable("it is being opened anew".into())),
        }
    }

    /// Returns the engine, and opens it anew if it gave up.
    pub(super) fn engine(&self) -> Result<Engine, Error> {
        if let Some(engine) = self.slot().engine.clone() {
            return Ok(engine);
        }
        let _owner = self.owner()?;
        let instance = {
            let slot = self.slot();
            if let Some(engine) = slot.engine.clone() {
                return Ok(engine);
            }
            slot.instance + 1
        };
        let engine = self.open_again(instance).inspect_err(|error| self.note_unusable(error))?;
        let mut slot = self.change_slot();
        // Somebody who still had the old engine may have found it meanwhile.
        self.check_usable()?;
        *slot = Slot { engine: Some(engine.clone()), instance };
        drop(slot);
        tracing::info!(path = %self.path.display(), instance, "state store is open again");
        Ok(engine)
    }

    fn open_again(&self, instance: u64) -> Result<Engine, Error> {
        let mut tries = 0;
        loop {
            self.check_usable()?;
            match open_whole(&self.path, &self.options, &self.damage, instance) {
                Ok((engine, _)) => return Ok(engine),
                // Readers let go of the old one soon.
                Err(Error::Unavailable(_)) if tries < REOPEN_TRIES => std::thread::sleep(REOPEN_PAUSE),
                Err(error) => return Err(error),
            }
            tries += 1;
        }
    }

    fn check_usable(&self) -> Result<(), Error> {
        self.unusable.get().map_or(Ok(()), |unusable| Err(unusable.error()))
    }

    fn note_unusable(&self, error: &Error) {
        if let Some(unusable) = Unusable::of(error) {
            // Only the first: nothing is tried after it.
            let _ = self.unusable.set(unusable);
        }
    }

    /// Closes an engine that failed, so that the next caller opens it anew, unless an fsync has failed.
    pub(super) fn give_up(&self, engine: Engine, error: &Error) {
        if let Error::Lasting { .. } = error {
            self.note_unusable(error);
            tracing::warn!(path = %self.path.display(), %error, "state store failed, nothing opens it before the next start");
        } else {
            tracing::warn!(path = %self.path.display(), %error, "state store failed, it is opened anew");
        }
        let mut slot = self.change_slot();
        if slot.instance == engine.instance {
            slot.engine = None;
        }
    }

    /// Refuses if there is so little space that fjall might give up.
    fn check_space(&self) -> Result<(), Error> {
        let free = crate::space::free_bytes(&self.path).map_err(|source| Error::Disk { what: "measure", source })?;
        match free < self.options.reserve_bytes {
            true => Err(Error::Full { free, needed: self.options.reserve_bytes }),
            false => Ok(()),
        }
    }

    /// Runs a write. If it fails, nobody knows what it did before the engine was opened anew.
    fn writing<T>(&self, write: impl FnOnce(&Engine) -> Result<T, Error>) -> Result<T, Error> {
        self.check_space()?;
        let engine = self.engine()?;
        write(&engine).inspect_err(|error| match error {
            Error::KeyTooLong { .. } => {}
            Error::Unavailable(_) if engine.is_well() => {}
            Error::Full { .. }
            | Error::Unavailable(_)
            | Error::Damaged(_)
            | Error::Disk { .. }
            | Error::Lasting { .. } => self.give_up(engine.clone(), error),
        })
    }
}

/// Opens the engine, and returns it with the number of its newest checkpoint.
///
/// # Errors
/// Those of [`Engine::open`], and [`Error::Damaged`] if a checkpoint that was completed is not there.
fn open_whole(path: &Path, options: &Options, damage: &Damage, instance: u64) -> Result<(Engine, u64), Error> {
    let engine = Engine::open(path, options, damage.clone(), instance)?;
    let (found, completed) = (engine.newest_mark()?, marks::completed(path));
    if found < completed {
        return Err(Error::Damaged(format!("checkpoint {completed} was completed, only {found} is there")));
    }
    Ok((engine, found))
}

impl Drop for FjallStore {
    fn drop(&mut self) {
        let engine = self.change_slot().engine.take();
        let well = self.unusable.get().is_none() && engine.as_ref().is_some_and(Engine::is_well);
        // Closing writes what is buffered.
        drop(engine);
        if well && let Err(error) = notes::closed(&self.path) {
            tracing::debug!(%error, "state store cannot note that it was closed, the next start looks more closely");
        }
    }
}

impl StateStore for FjallStore {
    fn write(&self, batch: Batch) -> Result<(), Error> {
        self.writing(|engine| {
            batch.check(engine.instance)?;
            engine.write(&batch)?;
            self.write_back.wrote(&self.path, &batch).map_err(|source| Error::Lasting { source })
        })
    }

    fn instance(&self) -> u64 {
        self.slot().instance
    }

    fn damage(&self) -> Option<String> {
        self.damage.found()
    }

    fn report_damage(&self, reason: &str) {
        self.damage.report(reason);
    }

    fn unusable(&self) -> Option<Error> {
        self.unusable.get().map(Unusable::error)
    }

    fn condemn(&self, reason: &str) -> Result<(), Error> {
        tracing::warn!(path = %self.path.display(), reason, "state store is put aside at the next start");
        notes::condemn(&self.path, reason).map_err(|source| Error::Disk { what: "condemn", source })
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, Error> {
        self.engine()?.get(family, key)
    }

    fn view(&self) -> Result<Box<dyn ReadView>, Error> {
        Ok(Box::new(self.engine()?.view()))
    }

    fn checkpoint(&self) -> Result<(), Error> {
        let mut newest = self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner);
        *newest += 1;
        self.writing(|engine| {
            engine.mark(*newest)?;
            engine.persist()
        })?;
        marks::note_completed(&self.path, *newest)
            .map_err(|source| Error::Disk { what: "note a checkpoint of", source })
    }

    fn bytes(&self) -> u64 {
        self.slot().engine.as_ref().map_or(0, Engine::bytes)
    }
}
