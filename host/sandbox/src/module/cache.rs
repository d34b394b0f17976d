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
//! Left out: removal. Files of engines that are no longer in use stay until someone deletes the folder, which is always
//! safe.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

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
}

/// Machine code whose seal was right.
struct Trusted(Vec<u8>);

impl Cache {
    /// Opens the folder for an engine; makes it if it does not exist.
    ///
    /// # Errors
    /// [`Error::CacheFolder`] if it can neither be found nor made.
    pub(crate) fn open(folder: &Path, engine: &wasmtime::Engine) -> Result<Cache, Error> {
        make_private(folder).map_err(|source| Error::CacheFolder { folder: folder.to_owned(), source })?;
        let mut hasher = Fingerprint(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let fingerprint = hasher.0.finalize().to_hex()[..16].to_owned();
        Ok(Cache { folder: folder.to_owned(), fingerprint })
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
            Ok(component) => Some(component),
            Err(error) => {
                debug!(path = %path.display(), error = %format!("{error:#}"), "compiled code refused");
                None
            }
        }
    }

    /// Keeps compiled code for the next start. A failure costs time at the next start and is only logged.
    pub(crate) fn save(&self, digest: Digest, component: &Component) {
        let path = self.path(digest);
        let saved =
            component.serialize().map_err(std::io::Error::other).and_then(|code| self.write(digest, &path, &code));
        if let Err(error) = saved {
            warn!(path = %path.display(), %error, "compiled code not saved");
        }
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

#[expect(unsafe_code, reason = "wasmtime cannot check machine code; the seal says that we made it")]
fn deserialize(engine: &wasmtime::Engine, code: &Trusted) -> wasmtime::Result<Component> {
    // SAFETY: the bytes must come from `Component::serialize` unaltered. A `Trusted` is made by `unseal` alone, which
    // checks the seal that `save` wrote after it serialized; the folder is writable for the node's own user only.
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
        Cache { folder: folder.to_owned(), fingerprint: fingerprint.to_owned() }
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
