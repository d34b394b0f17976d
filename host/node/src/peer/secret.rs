//! The secret that all nodes of a cluster know, and the proof that one knows it.
//!
//! ```text
//! key   = BLAKE3 derive_key("steward cluster secret, key of links, 2026", secret)
//! proof = BLAKE3 keyed_hash(key, role ‖ length of the dialer's Hello ‖ dialer's Hello ‖ acceptor's Hello)
//! ```
//!
//! Each Hello holds a nonce, so a proof is good for one handshake; the role keeps a proof from being sent back to its maker. Proofs
//! are compared in constant time.

use std::io;
use std::path::{Path, PathBuf};

use crate::config::whole;

/// Fewer bytes can be guessed.
const BYTES_MIN: usize = 16;

/// More bytes are some other file.
const BYTES_MAX: u64 = 4096;

const CONTEXT: &str = "steward cluster secret, key of links, 2026";

/// Who proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dialer,
    Acceptor,
}

/// A proof as it travels.
pub(super) type Proof = [u8; 32];

/// The key that is made of the secret. It is never shown.
#[derive(Clone)]
pub(crate) struct Secret {
    key: [u8; 32],
}

/// Why a file is no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be read.
    #[error("cannot read the cluster secret in {path}: {source}")]
    Unreadable {
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is too short or too long.
    #[error(
        "the cluster secret in {path} has {bytes} bytes, {BYTES_MIN} to {BYTES_MAX} are needed: make one with `openssl rand -hex 32`"
    )]
    Length {
        path: PathBuf,
        /// Its size without blanks at both ends.
        bytes: u64,
    },
}

impl Secret {
    /// Reads the secret in a file; blanks at both ends do not count.
    ///
    /// # Errors
    /// [`Error`] if there is no secret in it.
    pub(crate) fn read(path: &Path) -> Result<Secret, Error> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let Some(contents) = whole::read(file, BYTES_MAX).map_err(unreadable)? else {
            // A device has no length.
            return Err(Error::Length { path: path.to_owned(), bytes: length.max(BYTES_MAX + 1) });
        };
        let secret = contents.trim_ascii();
        if secret.len() < BYTES_MIN {
            return Err(Error::Length { path: path.to_owned(), bytes: secret.len() as u64 });
        }
        Ok(Secret::of(secret))
    }

    /// Returns what nodes without a secret prove to each other: nothing.
    pub(crate) fn none() -> Secret {
        Secret::of(b"")
    }

    /// Returns the key made of `secret`.
    pub(crate) fn of(secret: &[u8]) -> Secret {
        Secret { key: blake3::derive_key(CONTEXT, secret) }
    }

    fn digest(&self, role: Role, dialer: &[u8], acceptor: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(match role {
            Role::Dialer => b"dialer",
            Role::Acceptor => b"accept",
        });
        hasher.update(&(dialer.len() as u64).to_be_bytes()).update(dialer).update(acceptor);
        hasher.finalize()
    }

    /// Returns the proof of one side of a handshake, of which both Hellos are given.
    pub(super) fn prove(&self, role: Role, dialer: &[u8], acceptor: &[u8]) -> Proof {
        *self.digest(role, dialer, acceptor).as_bytes()
    }

    /// Returns true if whoever made `proof` knows the secret.
    pub(super) fn is_proven(&self, proof: &Proof, role: Role, dialer: &[u8], acceptor: &[u8]) -> bool {
        // Equality of hashes takes the same time whatever differs.
        self.digest(role, dialer, acceptor) == blake3::Hash::from_bytes(*proof)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_one_secret_one_role_and_one_handshake() {
        let secret = Secret::of(b"of sixteen bytes");
        let proof = secret.prove(Role::Dialer, b"one", b"other");
        assert!(secret.is_proven(&proof, Role::Dialer, b"one", b"other"));
        assert!(!secret.is_proven(&proof, Role::Acceptor, b"one", b"other"));
        assert!(!secret.is_proven(&proof, Role::Dialer, b"oneo", b"ther"));
        assert!(!Secret::none().is_proven(&proof, Role::Dialer, b"one", b"other"));
    }

    #[test]
    fn blanks_around_a_secret_do_not_count_and_a_short_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "of sixteen bytes\n").expect("written");
        assert_eq!(Secret::read(&path).expect("a secret").key, Secret::of(b"of sixteen bytes").key);
        std::fs::write(&path, "short\n\n\n\n\n\n\n\n\n\n\n\n").expect("written");
        assert!(matches!(Secret::read(&path), Err(Error::Length { bytes: 5, .. })));
        assert!(matches!(Secret::read(Path::new("/dev/zero")), Err(Error::Length { .. })));
        assert!(matches!(Secret::read(folder.path().join("none").as_path()), Err(Error::Unreadable { .. })));
    }
}
