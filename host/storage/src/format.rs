//! The data folder: whose it is, which layout it has, and that only one process uses it.
//!
//! ```text
//! <data folder>/
//!   format.json            product, format version, store id, when created, whether the log was begun
//!   lock                   held by the process that uses the folder
//!   log-<store>/           the commit log
//!   log-<store>.segments   which files the commit log has
//!   state/                 the state store
//! ```
//!
//! The folder of the log is named after the store.
//!
//! Log and ledger have names alike, and a pattern that moves one away moves both. So it is noted beside the name of the store that
//! there was a log: without that name there is no store.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steward_model::Timestamp;
use steward_model::node::StoreId;

use crate::lasting;

/// The layout of data folders that this build writes. The second has one field index for all partitions, the third the cause of
/// each version in its document, the fourth what it was made of.
pub const FORMAT_VERSION: u32 = 4;

/// The oldest layout that this build reads.
pub const FORMAT_READABLE_FROM: u32 = 4;

const PRODUCT: &str = "steward";
const FORMAT_NAME: &str = "format.json";
const LOCK_NAME: &str = "lock";

/// Why a folder cannot be used as a data folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process holds the lock of the folder.
    #[error("another steward uses the folder {}: stop it, or give this one a folder of its own", path.display())]
    InUse {
        /// The path of the folder, as it was given.
        path: PathBuf,
    },
    /// There are files in the folder, and they are not of this product.
    #[error("folder {} is not empty and no data folder of steward: choose another one", path.display())]
    Foreign {
        /// The path of the folder, as it was given.
        path: PathBuf,
    },
    /// The folder was written by a newer host.
    #[error(
        "folder {} has format {found}, this steward reads up to {FORMAT_VERSION}: use the version that wrote it",
        path.display()
    )]
    Newer {
        /// The path of the folder, as it was given.
        path: PathBuf,
        /// The format version in its `format.json`.
        found: u32,
    },
    /// The folder was written by a host that is too old.
    #[error(
        "folder {} has format {found}, this steward reads from {FORMAT_READABLE_FROM} on: use the version that wrote it",
        path.display()
    )]
    Older {
        /// The data folder.
        path: PathBuf,
        /// The format version in its `format.json`.
        found: u32,
    },
    /// The file that says what the folder is cannot be understood.
    #[error("file {FORMAT_NAME} in folder {} is damaged: {reason}", path.display())]
    Damaged {
        /// The path of the folder, as it was given.
        path: PathBuf,
        /// What of `format.json` cannot be understood.
        reason: String,
    },
    /// The path leads to no data folder. Only [`DataFolder::look`] says so: [`DataFolder::open`] makes one.
    #[error("{} is no data folder of steward: there is no {FORMAT_NAME} in it", path.display())]
    Absent {
        /// The path at which a data folder was looked for.
        path: PathBuf,
    },
    /// There was a commit log, and nothing of it is left. What was acknowledged last was nowhere else on this disk.
    #[error(
        "the commit log of folder {} is gone: {} is missing, and {FORMAT_NAME} says that there was one. Put it and the folder {} back where they were, or \
         restore the whole folder from a backup; if other nodes have copies of everything, start this node on an empty folder",
        path.display(), ledger.display(), log.display()
    )]
    LogGone {
        /// The path of the folder, as it was given.
        path: PathBuf,
        /// Where the segments of the log should be.
        log: PathBuf,
        /// Where the list of its segments should be.
        ledger: PathBuf,
    },
    /// The operating system refused a call.
    #[error("cannot {what} in folder {}: {source}", path.display())]
    Disk {
        /// The verb that failed, as in "cannot read".
        what: &'static str,
        /// The path of the folder, as it was given.
        path: PathBuf,
        /// The reason of the operating system.
        source: std::io::Error,
    },
}

/// The content of `format.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Format {
    product: String,
    format: u32,
    store: String,
    created_micros: i64,
    #[serde(default)]
    log_begun: bool,
}

/// A data folder that this process holds, until it is dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    store: StoreId,
    created: Timestamp,
    log_begun: bool,
    /// Held, not used: the lock lasts as long as the file is open. None: there is nothing to be locked.
    _lock: Option<File>,
}

impl DataFolder {
    /// Takes the folder at `path`, and makes it one if it is missing or empty; then it is called `fresh`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn open(path: &Path, now: Timestamp, fresh: StoreId) -> Result<DataFolder, Error> {
        let disk = |what| move |source| Error::Disk { what, path: path.to_owned(), source };
        lasting::make_folder(path).map_err(disk("create a data folder"))?;
        let has_format = path.join(FORMAT_NAME).try_exists().map_err(disk("look for files"))?;
        if !has_format && !is_empty(path).map_err(disk("look for files"))? {
            return Err(Error::Foreign { path: path.to_owned() });
        }
        let lock = File::create(path.join(LOCK_NAME)).map_err(disk("create the lock file"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::InUse { path: path.to_owned() },
            TryLockError::Error(source) => disk("lock")(source),
        })?;
        // Looked for again: another process may have made the folder before the lock was held.
        let format = match lasting::read(&path.join(FORMAT_NAME)).map_err(disk("read the format file"))? {
            Some(bytes) => read(path, &bytes)?,
            None => {
                let format = format(fresh, now);
                write(path, &format).map_err(disk("write the format file"))?;
                format
            }
        };
        DataFolder::of(path, &format, Some(lock))
    }

    /// Takes the folder at `path` to look at what a stopped node has left, and changes nothing. No node starts on it meanwhile.
    ///
    /// # Errors
    /// [`Error::Absent`], [`Error::InUse`] and those of a format file that cannot be read.
    pub fn look(path: &Path) -> Result<DataFolder, Error> {
        let disk = |what| move |source| Error::Disk { what, path: path.to_owned(), source };
        let absent = || Error::Absent { path: path.to_owned() };
        let bytes = lasting::read(&path.join(FORMAT_NAME)).map_err(|error| match error.kind() {
            ErrorKind::NotADirectory => absent(),
            _ => disk("read the format file")(error),
        })?;
        let bytes = bytes.ok_or_else(absent)?;
        let format = read(path, &bytes)?;
        let lock = match File::open(path.join(LOCK_NAME)) {
            Ok(lock) => Some(lock),
            // A copy without its lock file is used by nobody.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(disk("open the lock file")(error)),
        };
        match lock.as_ref().map_or(Ok(()), File::try_lock) {
            Ok(()) => DataFolder::of(path, &format, lock),
            Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(disk("lock")(source)),
        }
    }

    fn of(path: &Path, format: &Format, lock: Option<File>) -> Result<DataFolder, Error> {
        let store = u128::from_str_radix(&format.store, 16).map(StoreId).map_err(|_| Error::Damaged {
            path: path.to_owned(),
            reason: format!("store {:?} is no hexadecimal number", format.store),
        })?;
        let (created, log_begun) = (Timestamp(format.created_micros), format.log_begun);
        Ok(DataFolder { path: path.to_owned(), store, created, log_begun, _lock: lock })
    }

    /// Returns the store id: the name of what this folder holds. A wiped disk gets another one.
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// Returns when the folder was made.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// Returns the path of the folder, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder of the commit log.
    pub fn log_path(&self) -> PathBuf {
        self.path.join(format!("log-{:032x}", self.store.0))
    }

    /// Returns the file in which the commit log notes its files. It is not in their folder, so that it is there without them.
    pub fn log_ledger_path(&self) -> PathBuf {
        self.path.join(format!("log-{:032x}.segments", self.store.0))
    }

    /// Returns nothing if the commit log is where it was left, as far as that can be seen without opening it.
    ///
    /// # Errors
    /// [`Error::LogGone`], or [`Error::Disk`] if that cannot be found out.
    pub fn check_log(&self) -> Result<(), Error> {
        let (path, log, ledger) = (self.path.clone(), self.log_path(), self.log_ledger_path());
        match ledger.try_exists() {
            Ok(there) if there || !self.log_begun => Ok(()),
            Ok(_) => Err(Error::LogGone { path, log, ledger }),
            Err(source) => Err(Error::Disk { what: "look for the commit log", path, source }),
        }
    }

    /// Notes that there is a commit log from now on. Called when the log and its list of segments are on the disk.
    ///
    /// # Errors
    /// [`Error::Disk`]: it may not be noted; the next start notes it.
    pub fn note_log(&self) -> Result<(), Error> {
        if self.log_begun {
            return Ok(());
        }
        let format = Format { log_begun: true, ..format(self.store, self.created) };
        write(&self.path, &format).map_err(|source| Error::Disk {
            what: "write the format file",
            path: self.path.clone(),
            source,
        })
    }

    /// Returns the folder of the state store.
    pub fn state_path(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Returns the name of the commit log, for `log::Options`.
    pub fn log_identity(&self) -> u64 {
        (self.store.0 >> 64) as u64 ^ self.store.0 as u64
    }
}

fn format(store: StoreId, created: Timestamp) -> Format {
    let store = format!("{:032x}", store.0);
    Format { product: PRODUCT.into(), format: FORMAT_VERSION, store, created_micros: created.0, log_begun: false }
}

/// Returns true if there is nothing in the folder but what a first start may have left.
fn is_empty(path: &Path) -> std::io::Result<bool> {
    let unfinished = lasting::unfinished(&path.join(FORMAT_NAME));
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != LOCK_NAME && Some(name.as_os_str()) != unfinished.file_name() && name != "lost+found" {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read(path: &Path, bytes: &[u8]) -> Result<Format, Error> {
    let format: Format = serde_json::from_slice(bytes)
        .map_err(|error| Error::Damaged { path: path.to_owned(), reason: error.to_string() })?;
    if format.product != PRODUCT {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    if format.format > FORMAT_VERSION {
        return Err(Error::Newer { path: path.to_owned(), found: format.format });
    }
    if format.format < FORMAT_READABLE_FROM {
        return Err(Error::Older { path: path.to_owned(), found: format.format });
    }
    Ok(format)
}

fn write(path: &Path, format: &Format) -> std::io::Result<()> {
    let mut text = serde_json::to_vec_pretty(format)?;
    text.push(b'\n');
    lasting::replace(&path.join(FORMAT_NAME), &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, store: u128) -> Result<DataFolder, Error> {
        DataFolder::open(path, Timestamp(5), StoreId(store))
    }

    #[test]
    fn a_folder_keeps_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/data");
        drop(open(&path, 7).expect("a new folder"));
        let held = open(&path, 8).expect("the same folder");
        assert_eq!((held.store(), held.created()), (StoreId(7), Timestamp(5)));
        assert_eq!(held.log_path(), path.join("log-00000000000000000000000000000007"));
    }

    #[test]
    fn a_log_that_was_begun_is_missed_and_one_that_was_not_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = open(folder.path(), 7).expect("a new folder");
        held.check_log().expect("there was no log yet");
        std::fs::write(held.log_ledger_path(), "segments").expect("writable");
        held.note_log().expect("writable");
        drop(held);
        let held = open(folder.path(), 7).expect("the same folder");
        held.check_log().expect("it is there");
        std::fs::remove_file(held.log_ledger_path()).expect("removable");
        let refused = held.check_log().expect_err("it is gone");
        assert!(refused.to_string().contains("restore the whole folder from a backup"), "{refused}");
    }

    #[test]
    fn a_folder_is_used_once_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = open(folder.path(), 7).expect("a new folder");
        let refused = open(folder.path(), 7).expect_err("it is in use");
        assert!(refused.to_string().contains("another steward uses the folder"), "{refused}");
        drop(held);
        open(folder.path(), 7).expect("it is free again");
    }

    #[test]
    fn looking_changes_nothing_and_refuses_what_is_in_use_or_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(DataFolder::look(folder.path()), Err(Error::Absent { .. })));
        assert!(matches!(DataFolder::look(&folder.path().join("none")), Err(Error::Absent { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
        let held = open(folder.path(), 7).expect("a new folder");
        assert!(matches!(DataFolder::look(folder.path()), Err(Error::InUse { .. })));
        drop(held);
        let looked_at = DataFolder::look(folder.path()).expect("it is free");
        assert_eq!(looked_at.store(), StoreId(7));
        assert!(matches!(open(folder.path(), 7), Err(Error::InUse { .. })), "no node starts meanwhile");
        drop(looked_at);
        std::fs::remove_file(folder.path().join(LOCK_NAME)).expect("removable");
        DataFolder::look(folder.path()).expect("a copy without its lock");
        assert!(!folder.path().join(LOCK_NAME).exists(), "nothing is written");
    }

    #[test]
    fn folders_of_others_and_of_newer_and_older_hosts_are_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("holiday.jpg"), "x").expect("writable");
        assert!(matches!(open(folder.path(), 7), Err(Error::Foreign { .. })));
        assert!(!folder.path().join(LOCK_NAME).exists(), "nothing is written");
        let newer = r#"{"product":"steward","format":5,"store":"1","createdMicros":0}"#;
        for (text, is_expected) in [
            (newer, (|error| matches!(error, Error::Newer { found: 5, .. })) as fn(&Error) -> bool),
            (r#"{"product":"steward","format":1,"store":"1","createdMicros":0}"#, |error| {
                matches!(error, Error::Older { found: 1, .. })
            }),
            (r#"{"product":"other","format":4,"store":"1","createdMicros":0}"#, |error| {
                matches!(error, Error::Foreign { .. })
            }),
            ("{", |error| matches!(error, Error::Damaged { .. })),
            (r#"{"product":"steward","format":4,"store":"x","createdMicros":0}"#, |error| {
                matches!(error, Error::Damaged { .. })
            }),
        ] {
            std::fs::write(folder.path().join(FORMAT_NAME), text).expect("writable");
            let refused = open(folder.path(), 7).expect_err("it must be refused");
            assert!(is_expected(&refused), "{refused}");
        }
    }
}
