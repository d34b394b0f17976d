//! Which group, incarnation and node a data folder belongs to: the file `current`.
//!
//! The Raft id of a node is its node id, and Raft must know it before it can decide anything. The first node is node 1
//! by construction, so that is written down, with freshly drawn ids, before anything else is done in the folder.
//! Whatever a crash interrupts after that is repeated under the same ids.

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
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There are system logs, and nothing says which of them counts.
    #[error("{folder} holds a system log, but its file `current` is missing: restore it from a backup")]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder belongs to another node.
    #[error(
        "the data folder belongs to host {owner} with store {store:032x}: start with --id {owner}, or on a folder of its own"
    )]
    OtherNode {
        /// Whose it is.
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
    /// Returns the identity in `folder`, creating folder and identity if there are none.
    pub(super) fn open(folder: &Path, host: &HostId, store: StoreId) -> Result<Identity, Error> {
        let disk = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Disk { path, source }
        };
        let path = folder.join(FILE);
        lasting::make_folder(folder).map_err(disk(folder))?;
        let contents = match lasting::read(&path).map_err(disk(&path))? {
            Some(bytes) => parse(&path, &bytes)?,
            None => {
                if holds_folders(folder).map_err(disk(folder))? {
                    return Err(Error::Missing { folder: folder.to_owned() });
                }
                let contents = Contents::founding(host, store);
                let text = serde_json::to_vec_pretty(&contents).expect("plain fields are valid JSON");
                lasting::replace(&path, &text).map_err(disk(&path))?;
                contents
            }
        };
        if contents.host != *host || contents.store != store.0 {
            return Err(Error::OtherNode { owner: contents.host, store: contents.store });
        }
        Ok(contents.identity())
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

    fn founding(host: &HostId, store: StoreId) -> Contents {
        let (group, incarnation) = (Uuid::new_v4().as_u128(), Uuid::new_v4().as_u128());
        Contents { format: FORMAT, group, incarnation, node: NodeId(1), host: host.clone(), store: store.0 }
    }
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
