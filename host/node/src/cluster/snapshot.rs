//! System snapshots: the whole cluster state in one file that is replaced whole.
//!
//! ```text
//!  0          8                    40
//!  ┌──────────┬────────────────────┬────────────────────────────────────────────────────────┐
//!  │ STSYSN01 │ BLAKE3 of the rest │ codec: Raft's metadata, codec bytes of the cluster state │
//!  └──────────┴────────────────────┴────────────────────────────────────────────────────────┘
//! ```
//!
//! The log in front of a snapshot is thrown away only after the snapshot is durable, so a damaged file is a loss, and
//! the node refuses to start rather than to begin with half a history.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use openraft::{BasicNode, Snapshot, SnapshotMeta};
use serde::{Deserialize, Serialize};
use steward_model::codec::{self, Format};
use steward_protocol::cluster::ClusterState;
use steward_protocol::cluster::invariants::{self, Violation};
use steward_storage::lasting;

use super::types::TypeConfig;

const FILE: &str = "snapshot";
const MAGIC: &[u8; 8] = b"STSYSN01";
const DIGEST_BYTES: usize = 32;

/// Why there is no snapshot to start from, or none to be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The disk does not work.
    #[error("cannot {what} system snapshot {path}: {source}")]
    Disk {
        what: &'static str,
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("system snapshot {path} is damaged ({reason}): restore it from a backup of the data folder")]
    Damaged {
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The bytes are no cluster state.
    #[error("system snapshot holds no cluster state: {0}")]
    Encoding(#[from] codec::Error),
    /// The state contradicts itself.
    #[error("system snapshot holds a state that contradicts itself: {0}")]
    Violation(#[from] Violation),
}

/// A snapshot and what Raft says about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) meta: SnapshotMeta<u64, BasicNode>,
    pub(super) state: Vec<u8>,
}

impl Format for Stored {
    const NAME: &'static str = "system snapshot";
}

impl Stored {
    /// Returns the cluster state in the snapshot, checked.
    pub(super) fn state(&self) -> Result<ClusterState, Error> {
        let state: ClusterState = codec::decode(&self.state)?;
        // Before genesis there is nothing to contradict.
        if !state.is_blank() {
            invariants::check(&state)?;
        }
        Ok(state)
    }

    fn lent(&self) -> Snapshot<TypeConfig> {
        Snapshot { meta: self.meta.clone(), snapshot: Box::new(Cursor::new(self.state.clone())) }
    }
}

/// The one snapshot that an incarnation keeps.
#[derive(Debug)]
pub(super) struct Snapshots {
    path: PathBuf,
    newest: Mutex<Option<Stored>>,
}

impl Snapshots {
    /// Opens the snapshot in `folder`, if there is one.
    pub(super) fn open(folder: &Path) -> Result<Snapshots, Error> {
        let path = folder.join(FILE);
        let read = lasting::read(&path).map_err(|source| Error::Disk { what: "read", path: path.clone(), source })?;
        let newest = read.map(|bytes| parse(&path, &bytes)).transpose()?;
        Ok(Snapshots { path, newest: Mutex::new(newest) })
    }

    /// Returns the newest snapshot.
    pub(super) fn newest(&self) -> Option<Stored> {
        self.lock().clone()
    }

    /// Returns the newest snapshot in the form that Raft sends.
    pub(super) fn lend(&self) -> Option<Snapshot<TypeConfig>> {
        self.lock().as_ref().map(Stored::lent)
    }

    /// Makes `stored` the newest snapshot, durably; an older one changes nothing. Blocks on the disk.
    pub(super) fn save(&self, stored: Stored) -> Result<Snapshot<TypeConfig>, Error> {
        let mut newest = self.lock();
        let overtaken = newest.as_ref().is_some_and(|kept| kept.meta.last_log_id > stored.meta.last_log_id);
        let lent = stored.lent();
        if !overtaken {
            lasting::replace(&self.path, &encode(&stored)).map_err(|source| Error::Disk {
                what: "write",
                path: self.path.clone(),
                source,
            })?;
            *newest = Some(stored);
        }
        Ok(lent)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stored>> {
        // The value is replaced in one assignment: whoever panicked left a whole one.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode(stored: &Stored) -> Vec<u8> {
    let body = codec::encode(stored);
    [MAGIC.as_slice(), blake3::hash(&body).as_bytes(), &body].concat()
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Stored, Error> {
    let damaged = |reason| Error::Damaged { path: path.to_owned(), reason };
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it does not begin as one"))?;
    let (digest, body) = rest.split_at_checked(DIGEST_BYTES).ok_or_else(|| damaged("it is too short"))?;
    if blake3::hash(body).as_bytes() != digest {
        return Err(damaged("its digest is wrong"));
    }
    Ok(codec::decode(body)?)
}
