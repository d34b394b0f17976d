//! Guest modules as bytes, under their digests.
//!
//! Promise: bytes that [`ModuleStore::put`] has taken survive a power cut. Bytes that [`ModuleStore::get`] returns have
//! the digest that was asked for, whatever has happened to the disk meanwhile. Bytes that are gone or damaged are an
//! error that says so, never another module. The caller may then fetch them elsewhere under the same digest: the store
//! of another node can stand behind the same trait.
//!
//! ```text
//! <folder>/<digest>.wasm    a component; its SHA-256 digest is its name
//! <folder>/<digest>.unfinished    one that is being written, worth nothing after a crash
//! <folder>/clock            an empty file that is touched to learn the time
//! ```
//!
//! Bytes that the cluster state does not name are removed once they are old: an upload stores them first and has them named
//! afterwards. Nothing is removed for as long after the folder was opened: what this node knows of the cluster then may be older than
//! the bytes. Ages are told by the file system, which stamps the files, too.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use steward_model::module::Digest;
use steward_storage::lasting;

/// Why the bytes of a module are not to be had, or not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// There are no such bytes.
    #[error(
        "guest module {digest} is not at {place}; copy the file from another node or a backup, or upload the module again"
    )]
    Missing {
        digest: Digest,
        /// Where it should be.
        place: String,
    },
    /// The bytes are others than those that were put there.
    #[error(
        "guest module at {place} is damaged: its digest is {found}; copy the file from another node or a backup, or upload the module again"
    )]
    Damaged { place: String, found: Digest },
    /// The bytes cannot be read or written.
    #[error("guest module file {}: {source}; check the disk and who owns the folder", path.display())]
    File {
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Every call may block.
pub(crate) trait ModuleStore: Send + Sync {
    /// Keeps `bytes` durably, in place of whatever was there under their digest, and returns that.
    ///
    /// # Errors
    /// [`StoreError::File`]: what was there is there still.
    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError>;

    /// Returns the bytes with this digest.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Damaged`] if there are none, [`StoreError::File`] if they cannot be read.
    fn get(&self, digest: Digest) -> Result<Bytes, StoreError>;

    /// Returns true if something is kept under the digest; whether it is whole only [`ModuleStore::get`] says.
    fn has(&self, digest: Digest) -> bool;

    /// Returns under which digests something is kept, in no particular order.
    ///
    /// # Errors
    /// [`StoreError::File`] if that cannot be read.
    fn list(&self) -> Result<Vec<Digest>, StoreError>;

    /// Removes what was put longer than `age` ago and is not `wanted`, and returns those digests.
    ///
    /// # Errors
    /// [`StoreError::File`] if something cannot be read or removed; the rest is as it was.
    fn remove_unwanted(&self, wanted: &dyn Fn(Digest) -> bool, age: Duration) -> Result<Vec<Digest>, StoreError>;
}

const ENDING: &str = "wasm";

/// The modules in a folder of this node.
#[derive(Debug)]
pub(crate) struct ModuleFolder {
    folder: PathBuf,
    /// When it was opened, by the file system.
    opened: SystemTime,
}

impl ModuleFolder {
    /// Returns the modules in `folder`, which is made if it does not exist.
    ///
    /// # Errors
    /// [`StoreError::File`] if it cannot be made.
    pub(crate) fn open(folder: &Path) -> Result<ModuleFolder, StoreError> {
        let failed = |source| StoreError::File { path: folder.to_owned(), source };
        lasting::make_folder(folder).map_err(failed)?;
        let opened = time_in(folder).map_err(failed)?;
        Ok(ModuleFolder { folder: folder.to_owned(), opened })
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}.{ENDING}"))
    }
}

impl ModuleStore for ModuleFolder {
    fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let path = self.path(digest);
        // Whatever is there may be damaged, or its writer may have failed before it was durable.
        lasting::replace(&path, bytes).map_err(|source| StoreError::File { path, source })?;
        Ok(digest)
    }

    fn get(&self, digest: Digest) -> Result<Bytes, StoreError> {
        let path = self.path(digest);
        let place = || path.display().to_string();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::Missing { digest, place: place() });
            }
            Err(source) => return Err(StoreError::File { path, source }),
        };
        let found = Digest::of(&bytes);
        if found == digest { Ok(bytes) } else { Err(StoreError::Damaged { place: place(), found }) }
    }

    fn has(&self, digest: Digest) -> bool {
        self.path(digest).exists()
    }

    fn list(&self) -> Result<Vec<Digest>, StoreError> {
        let failed = |source| StoreError::File { path: self.folder.clone(), source };
        let mut listed = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let named = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| Digest::parse(stem).ok());
            if path.extension().is_some_and(|ending| ending == ENDING) {
                listed.extend(named);
            }
        }
        Ok(listed)
    }

    fn remove_unwanted(&self, wanted: &dyn Fn(Digest) -> bool, age: Duration) -> Result<Vec<Digest>, StoreError> {
        let now = time_in(&self.folder).map_err(|source| StoreError::File { path: self.folder.clone(), source })?;
        // What lies in the future is young: the clock was set back.
        let is_old = |moment: SystemTime| now.duration_since(moment).is_ok_and(|passed| passed > age);
        let mut removed = Vec::new();
        if !is_old(self.opened) {
            return Ok(removed);
        }
        for digest in self.list()?.into_iter().filter(|digest| !wanted(*digest)) {
            let path = self.path(digest);
            let put = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
            if put.is_ok_and(is_old) {
                std::fs::remove_file(&path).map_err(|source| StoreError::File { path, source })?;
                removed.push(digest);
            }
        }
        Ok(removed)
    }
}

/// Returns the time by which the file system stamps what is written into the folder.
fn time_in(folder: &Path) -> std::io::Result<SystemTime> {
    let path = folder.join("clock");
    std::fs::write(&path, "x")?;
    let written = std::fs::metadata(&path)?.modified()?;
    // Empty again, so that nobody takes it for something.
    std::fs::File::options().write(true).truncate(true).open(&path)?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, ModuleFolder) {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = ModuleFolder::open(&place.path().join("modules")).expect("a folder");
        (place, folder)
    }

    #[test]
    fn what_was_put_is_found_by_its_digest() {
        let (_place, folder) = folder();
        let digest = folder.put(b"one").expect("kept");
        assert_eq!(folder.get(digest).expect("there"), b"one".as_slice());
        assert!(folder.has(digest) && !folder.has(Digest::of(b"two")));
        assert_eq!(folder.list().expect("listed"), [digest]);
    }

    #[test]
    fn bytes_that_are_gone_or_damaged_are_told_apart_and_mended_by_putting_them_again() {
        let (_place, folder) = folder();
        let digest = folder.put(b"one").expect("kept");
        std::fs::write(folder.path(digest), b"other").expect("damaged");
        let found = folder.get(digest).expect_err("damaged");
        assert!(matches!(found, StoreError::Damaged { found, .. } if found == Digest::of(b"other")), "{found}");
        folder.put(b"one").expect("kept again");
        assert!(folder.get(digest).is_ok());
        std::fs::remove_file(folder.path(digest)).expect("removed");
        assert!(matches!(folder.get(digest), Err(StoreError::Missing { .. })));
    }

    #[test]
    fn what_nobody_wants_is_removed_once_it_is_old() {
        let (_place, mut folder) = folder();
        let digests = [b"wanted", b"rotten", b"recent"].map(|bytes| folder.put(bytes).expect("kept"));
        for digest in &digests[..2] {
            let file = std::fs::File::options().write(true).open(folder.path(*digest)).expect("there");
            file.set_modified(SystemTime::now() - Duration::from_secs(7200)).expect("made older");
        }
        let wanted = |digest| digest == digests[0];
        let hour = Duration::from_secs(3600);
        assert_eq!(folder.remove_unwanted(&wanted, hour).expect("looked"), [], "it was opened just now");
        folder.opened -= 2 * hour;
        let removed = folder.remove_unwanted(&wanted, hour);
        assert_eq!(removed.expect("removed"), [digests[1]]);
        assert!(folder.has(digests[0]) && folder.has(digests[2]));
    }

    #[test]
    fn what_else_lies_in_the_folder_is_no_module() {
        let (_place, folder) = folder();
        std::fs::write(folder.folder.join("readme.txt"), b"x").expect("written");
        std::fs::write(folder.folder.join("short.wasm"), b"x").expect("written");
        assert_eq!(folder.list().expect("listed"), []);
    }
}
