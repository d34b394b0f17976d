//! Which group, incarnation and node a data folder belongs to: the file `current`.
//!
//! The Raft id of a node is its node id, and Raft must know it before it can decide anything. The first node is node 1
//! by construction, so that is written down, with freshly drawn ids, before anything else is done in the folder; every other
//! node is told its number by the group that lets it in. Whatever a crash interrupts after that is repeated under the same ids.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steward_model::NodeId;
use steward_model::group::GroupId;
use steward_model::node::{HostId, StoreId};
use steward_storage::lasting;
use uuid::Uuid;

const FILE: &str = "current";

/// Says that the folder has asked a group to let it in. Written before the first time, so that a folder which was lost since is not
/// taken for one that never was.
const ASKED_FILE: &str = "asked";

const FORMAT: u32 = 1;

/// Why a data folder cannot take part.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The disk does not work.
    #[error("cannot read or write {path}: {source}")]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is damaged, or from another version of the host.
    #[error("{path} is damaged ({reason}): restore it from a backup of the data folder")]
    Damaged {
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There are system logs, and nothing says which of them counts.
    #[error("{folder} holds a system log, but its file `current` is missing: restore it from a backup")]
    Missing { folder: PathBuf },
    /// The folder belongs to another node.
    #[error(
        "the data folder belongs to host {owner} with store {store:032x}: start with --id {owner}, or on a folder of its own"
    )]
    OtherNode {
        owner: HostId,
        /// The store it was created with.
        store: u128,
    },
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) group: GroupId,
    pub(super) incarnation: u128,
    pub(super) node: NodeId,
}

/// The file as it is written: JSON, for people.
#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    format: u32,
    #[serde(with = "hexadecimal")]
    group: u128,
    #[serde(with = "hexadecimal")]
    incarnation: u128,
    node: NodeId,
    host: HostId,
    #[serde(with = "hexadecimal")]
    store: u128,
}

impl Identity {
    /// Returns the identity in `folder`; none if there is none yet. Creates the folder.
    pub(super) fn open(folder: &Path, host: &HostId, store: StoreId) -> Result<Option<Identity>, Error> {
        let path = folder.join(FILE);
        lasting::make_folder(folder).map_err(disk(folder))?;
        let Some(bytes) = lasting::read(&path).map_err(disk(&path))? else {
            return match holds_folders(folder).map_err(disk(folder))? {
                true => Err(Error::Missing { folder: folder.to_owned() }),
                false => Ok(None),
            };
        };
        let contents = parse(&path, &bytes)?;
        if contents.host != *host || contents.store != store.0 {
            return Err(Error::OtherNode { owner: contents.host, store: contents.store });
        }
        Ok(Some(contents.identity()))
    }

    /// Draws the identity of the first node of a new cluster, and keeps it in `folder`.
    pub(super) fn found(folder: &Path, host: &HostId, store: StoreId) -> Result<Identity, Error> {
        let (group, incarnation) = (GroupId(Uuid::new_v4().as_u128()), Uuid::new_v4().as_u128());
        let identity = Identity { group, incarnation, node: NodeId(1) };
        identity.keep(folder, host, store)?;
        Ok(identity)
    }

    /// Keeps the identity in `folder`, durably.
    pub(super) fn keep(&self, folder: &Path, host: &HostId, store: StoreId) -> Result<(), Error> {
        let path = folder.join(FILE);
        let Identity { group, incarnation, node } = *self;
        let contents =
            Contents { format: FORMAT, group: group.0, incarnation, node, host: host.clone(), store: store.0 };
        let text = serde_json::to_vec_pretty(&contents).expect("plain fields are valid JSON");
        lasting::replace(&path, &text).map_err(disk(&path))
    }

    /// Takes note that the folder asks a group to let it in; returns true if it never has before.
    pub(super) fn asks(folder: &Path) -> Result<bool, Error> {
        let path = folder.join(ASKED_FILE);
        let first = lasting::read(&path).map_err(disk(&path))?.is_none();
        if first {
            lasting::replace(&path, b"asked\n").map_err(disk(&path))?;
        }
        Ok(first)
    }

    /// Returns the identity in `folder`, whoever it belongs to; none if there is none. Changes nothing.
    pub(super) fn read(folder: &Path) -> Result<Option<Identity>, Error> {
        let path = folder.join(FILE);
        match lasting::read(&path).map_err(|source| Error::Disk { path: path.clone(), source })? {
            Some(bytes) => Ok(Some(parse(&path, &bytes)?.identity())),
            None => Ok(None),
        }
    }

    /// Returns the name of the incarnation's folder.
    pub(super) fn folder_name(&self) -> String {
        format!("{:032x}", self.incarnation)
    }
}

impl Contents {
    fn identity(&self) -> Identity {
        Identity { group: GroupId(self.group), incarnation: self.incarnation, node: self.node }
    }
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Disk { path, source }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Contents, Error> {
    let damaged = |reason: String| Error::Damaged { path: path.to_owned(), reason };
    let contents: Contents = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    if contents.format != FORMAT {
        return Err(damaged(format!("format {} is not supported, this host reads {FORMAT}", contents.format)));
    }
    Ok(contents)
}

fn holds_folders(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_type()?.is_dir() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes 128 random bits as 32 hexadecimal digits, as folders are named.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bits: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{bits:032x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(de::Error::custom)
    }
}
