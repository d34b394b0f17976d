//! Compiled code on disk.
//!
//! Problem: compiling costs a second of processor time per megabyte of component, loading a millisecond. But nobody can
//! check machine code for harmlessness once it is made.
//!
//! Promise: nothing is loaded but what this crate has written itself, whole, and for the same component and engine.
//!
//! ```text
//! <folder>/<digest of the component>-<fingerprint of the engine>.cwasm
//!
//! ┌──────────────────────────┬───────────────┐
//! │ machine code, as wasmtime│ seal          │
//! │ serializes it            │ 32 bytes      │
//! └──────────────────────────┴───────────────┘
//!   seal = BLAKE3 of the code under a key that is derived from digest and fingerprint
//! ```
//!
//! A file that was cut off, damaged or renamed has the wrong seal; the module is compiled again and the file replaced.
//! Files appear whole, by rename. The seal is no secret: only the permissions of the folder keep others from writing to
//! it. They allow the node's user alone.
//!
//! The folder has a bound: when it is passed, those files go first that were not loaded for longest, be they of this engine or of one
//! that is no longer in use. It may also be deleted at any time.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use steward_model::module::Digest;
use tracing::{debug, warn};
use wasmtime::component::Component;

use crate::error::Error;

const SEAL_BYTES: usize = 32;
const SEAL_CONTEXT: &str = "steward sandbox 2026-11 seal of compiled code";

/// The folder of compiled code.
pub(crate) struct Cache {
    folder: PathBuf,
    fingerprint: String,
    bytes_max: u64,
}

/// Machine code that was made here: its seal was right, or this program has just made it.
pub(super) struct Trusted(Vec<u8>);

impl Cache {
    /// Opens the folder for an engine; makes it if it does not exist. It will hold about `bytes_max`.
    ///
    /// # Errors
    /// [`Error::CacheFolder`] if it can neither be found nor made, [`Error::CacheNotPrivate`] if others may write to it.
    pub(crate) fn open(folder: &Path, bytes_max: u64, engine: &wasmtime::Engine) -> Result<Cache, Error> {
        let failed = |source| Error::CacheFolder { folder: folder.to_owned(), source };
        make_private(folder).map_err(failed)?;
        if let Some(reason) = who_else_writes(folder).map_err(failed)? {
            return Err(Error::CacheNotPrivate { folder: folder.to_owned(), reason });
        }
        let mut hasher = Fingerprint(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let fingerprint = hasher.0.finalize().to_hex()[..16].to_owned();
        Ok(Cache { folder: folder.to_owned(), fingerprint, bytes_max })
    }

    /// Returns the compiled code of a component, if there is any that can be trusted.
    pub(crate) fn load(&self, digest: Digest, engine: &wasmtime::Engine) -> Option<Component> {
        let path = self.path(digest);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(path = %path.display(), %error, "compiled code not readable");
                return None;
            }
        };
        let Some(code) = self.unseal(digest, bytes) else {
            warn!(path = %path.display(), "compiled code has the wrong seal");
            return None;
        };
        match deserialize(engine, &code) {
            Ok(component) => {
                used(&path);
                Some(component)
            }
            Err(error) => {
                debug!(path = %path.display(), error = %format!("{error:#}"), "compiled code refused");
                None
            }
        }
    }

    /// Keeps compiled code for the next start. A failure costs time at the next start and is only logged.
    pub(super) fn keep(&self, digest: Digest, code: &Trusted) {
        let path = self.path(digest);
        if let Err(error) = self.write(digest, &path, &code.0).and_then(|()| self.shrink(&path)) {
            warn!(path = %path.display(), %error, "compiled code not saved");
        }
    }

    /// Removes what was not used for longest until the folder is within its bound; `newest` stays.
    fn shrink(&self, newest: &Path) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another call may have removed it meanwhile.
            if let Ok(metadata) = entry.metadata() {
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                files.push((used, metadata.len(), entry.path()));
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, size, path) in files.into_iter().filter(|(.., path)| path != newest) {
            if bytes <= self.bytes_max {
                break;
            }
            match fs::remove_file(&path) {
                Ok(()) => debug!(path = %path.display(), "compiled code removed: the folder is at its bound"),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            bytes -= size;
        }
        Ok(())
    }

    fn write(&self, digest: Digest, path: &Path, code: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(code)?;
        file.write_all(&self.seal(digest, code))?;
        // Not synchronized: after a power cut the seal tells a torn file from a whole one.
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{digest}-{}.cwasm", self.fingerprint))
    }

    fn seal(&self, digest: Digest, code: &[u8]) -> [u8; SEAL_BYTES] {
        let purpose = format!("{digest}-{}", self.fingerprint);
        let key = blake3::derive_key(SEAL_CONTEXT, purpose.as_bytes());
        *blake3::keyed_hash(&key, code).as_bytes()
    }

    fn unseal(&self, digest: Digest, mut bytes: Vec<u8>) -> Option<Trusted> {
        let code_bytes = bytes.len().checked_sub(SEAL_BYTES)?;
        let seal = bytes.split_off(code_bytes);
        (seal == self.seal(digest, &bytes)).then_some(Trusted(bytes))
    }
}

/// Notes that a file was loaded. Where that cannot be noted, it goes a little early.
fn used(path: &Path) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    let noted = fs::File::options().append(true).open(path).and_then(|file| Ok(futimens(&file, &times)?));
    if let Err(error) = noted {
        debug!(path = %path.display(), %error, "use of compiled code not noted");
    }
}

/// Returns the component out of what the compiler has made, in this process or in another of this program, and its code to be kept.
///
/// # Errors
/// Those of the engine if it is code for another one.
pub(super) fn made_by_compiler(engine: &wasmtime::Engine, code: Vec<u8>) -> wasmtime::Result<(Component, Trusted)> {
    let code = Trusted(code);
    Ok((deserialize(engine, &code)?, code))
}

#[expect(unsafe_code, reason = "wasmtime cannot check machine code; a seal or a pipe says that we made it")]
fn deserialize(engine: &wasmtime::Engine, code: &Trusted) -> wasmtime::Result<Component> {
    // SAFETY: the bytes must come from the serializer of this version of the engine unaltered. A `Trusted` is made by two alone: by
    // `unseal`, which checks the seal that `keep` wrote after it was made, in a folder that is writable for the node's own user
    // only; and by `made_by_compiler`, from the serializer of this process or the pipe of one that runs this very program.
    unsafe { Component::deserialize(engine, &code.0) }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

/// Returns who besides the user of this process could write to the folder, if anybody could.
#[cfg(unix)]
fn who_else_writes(folder: &Path) -> std::io::Result<Option<&'static str>> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(folder)?;
    Ok(if metadata.uid() != rustix::process::geteuid().as_raw() {
        Some("belongs to another user")
    } else if metadata.mode() & 0o022 != 0 {
        Some("may be written to by other users")
    } else {
        None
    })
}

#[cfg(not(unix))]
fn who_else_writes(_: &Path) -> std::io::Result<Option<&'static str>> {
    Ok(None)
}

/// Hashes with an algorithm that stays the same from one build of the host to the next.
struct Fingerprint(blake3::Hasher);

impl Hasher for Fingerprint {
    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(folder: &Path, fingerprint: &str) -> Cache {
        Cache { folder: folder.to_owned(), fingerprint: fingerprint.to_owned(), bytes_max: 100 }
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = cache(folder.path(), "a");
        let paths = [b"one", b"two", b"six"].map(|component| {
            let path = cache.path(Digest::of(component));
            cache.write(Digest::of(component), &path, b"machine code").expect("written");
            path
        });
        let hours = |n: u64| SystemTime::now() - std::time::Duration::from_secs(n * 3600);
        for (path, used) in paths.iter().zip([hours(3), hours(4), hours(2)]) {
            fs::File::options().append(true).open(path).and_then(|file| file.set_modified(used)).expect("made older");
        }
        cache.shrink(&paths[2]).expect("there is room now");
        assert_eq!(paths.map(|path| path.exists()), [true, false, true], "three of 44 bytes are more than 100");
    }

    fn sealed(cache: &Cache, digest: Digest, code: &[u8]) -> Vec<u8> {
        [code, &cache.seal(digest, code)].concat()
    }

    #[test]
    fn code_is_trusted_only_whole_and_for_its_own_component_and_engine() {
        let folder = Path::new("/nowhere");
        let (ours, digest) = (cache(folder, "a"), Digest::of(b"one"));
        let bytes = sealed(&ours, digest, b"machine code");
        assert!(ours.unseal(digest, bytes.clone()).is_some());
        assert!(ours.unseal(Digest::of(b"two"), bytes.clone()).is_none());
        assert!(cache(folder, "b").unseal(digest, bytes.clone()).is_none());
        let mut altered = bytes.clone();
        altered[3] ^= 1;
        assert!(ours.unseal(digest, altered).is_none());
        for end in 0..bytes.len() {
            assert!(ours.unseal(digest, bytes[..end].to_vec()).is_none(), "cut off at {end}");
        }
    }
}
