//! Nodes of a cluster: how they are named, their role in the group, and their state.

use serde::{Deserialize, Serialize};

/// A node's number, assigned by the system group for one (host id, store id), never reused; also its Raft id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct NodeId(pub u32);

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Counts the process starts of one node, from 1; assigned by the system group when the process registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Boot(pub u32);

/// One process start of one node: what acknowledges, promises and is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    /// The number of the node, the same in every boot.
    pub node: NodeId,
    /// The process start: a node that has restarted is another member.
    pub boot: Boot,
}

impl std::fmt::Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.node, self.boot.0)
    }
}

/// The role of a node in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// It may hold replicas and counts for the quorum.
    Peer,
    /// It holds no replicas and does not count for the quorum; it sees the cluster state.
    Observer,
}

/// The state of a node, as the system group knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NodeStatus {
    /// It has registered and brings its replicas up to date.
    Synchronizing,
    /// It serves requests.
    Available,
    /// It gives up its duties in order to stop.
    Leaving,
    /// Another store serves under its host id.
    Replaced,
    /// It is silent, and owns nothing until it reports again.
    Unavailable,
}

impl NodeStatus {
    /// All states, in the order of a node's life.
    pub const ALL: [NodeStatus; 5] = [
        NodeStatus::Synchronizing,
        NodeStatus::Available,
        NodeStatus::Leaving,
        NodeStatus::Replaced,
        NodeStatus::Unavailable,
    ];

    /// Returns the word that people see.
    pub fn as_str(self) -> &'static str {
        match self {
            NodeStatus::Synchronizing => "synchronizing",
            NodeStatus::Available => "available",
            NodeStatus::Leaving => "leaving",
            NodeStatus::Replaced => "replaced",
            NodeStatus::Unavailable => "unavailable",
        }
    }

    /// Returns true if the node takes part: it hears of changes of the quorum as they happen.
    pub fn is_present(self) -> bool {
        match self {
            NodeStatus::Synchronizing | NodeStatus::Available => true,
            NodeStatus::Leaving | NodeStatus::Replaced | NodeStatus::Unavailable => false,
        }
    }
}

impl std::fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one data folder: random, written at its first use. A wiped disk is another store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct StoreId(pub u128);

/// Characters a host id may have besides letters and digits.
const HOST_ID_PUNCTUATION: &str = "-_.:@";

/// Longest host id, in bytes; host ids are ASCII.
pub const HOST_ID_BYTES_MAX: usize = 128;

/// The name an operator gave a node (`--id`), `documentOwner` in REST. It may return on another disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostId(String);

/// Why a text is no host id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is empty or longer than [`HOST_ID_BYTES_MAX`].
    #[error("host id has {0} bytes: it needs 1 to {HOST_ID_BYTES_MAX}")]
    Length(usize),
    /// The text has a character that is not allowed.
    #[error("host id {id:?} contains {character:?}: only letters, digits and {HOST_ID_PUNCTUATION} are allowed")]
    Character {
        /// The text in which the character stands.
        id: String,
        /// The first character that is not allowed.
        character: char,
    },
}

impl HostId {
    /// Parses a host id.
    ///
    /// # Errors
    /// [`Error`] if the text is empty, too long, or has a character outside letters, digits and `-_.:@`.
    pub fn parse(text: &str) -> Result<HostId, Error> {
        if text.is_empty() || text.len() > HOST_ID_BYTES_MAX {
            return Err(Error::Length(text.len()));
        }
        match text.chars().find(|c| !c.is_ascii_alphanumeric() && !HOST_ID_PUNCTUATION.contains(*c)) {
            Some(character) => Err(Error::Character { id: text.to_owned(), character }),
            None => Ok(HostId(text.to_owned())),
        }
    }

    /// Returns the id as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for HostId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
