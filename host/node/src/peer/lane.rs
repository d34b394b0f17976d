//! Which connection a message takes, and what it is about.

use std::fmt::{Display, Formatter, Result};

use serde::{Deserialize, Serialize};

/// The connections between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Lane {
    /// Beats, votes, promises, confirmations, forwarded commands: small, and somebody waits.
    Urgent,
    /// What may be large.
    Bulk,
}

impl Lane {
    /// Both.
    pub(crate) const ALL: [Lane; 2] = [Lane::Urgent, Lane::Bulk];

    /// Returns the size of the largest frame.
    pub(super) fn frame_bytes_max(self) -> usize {
        match self {
            Lane::Urgent => 5 << 20,
            // A frame of the commit log, and what stands around it.
            Lane::Bulk => 40 << 20,
        }
    }

    /// Returns how many bytes may be under way in one direction before the receiver has taken any of them. The last message that
    /// begins within the window may reach beyond it.
    pub(super) fn window_bytes(self) -> u32 {
        match self {
            Lane::Urgent => 1 << 20,
            Lane::Bulk => 8 << 20,
        }
    }
}

impl Display for Lane {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Lane::Urgent => "urgent",
            Lane::Bulk => "bulk",
        })
    }
}

/// What a message is about; one service takes all messages of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Topic {
    /// Votes, entries and snapshots of the system group.
    Raft,
    /// Commands and questions to the leader of the system group.
    Control,
    /// Who is there.
    Liveness,
    /// What copies of partitions say to one another.
    Copies,
    /// Operations on documents that the other node owns.
    Operations,
    /// What a query finds among the documents that the other node owns.
    Queries,
    /// Guest modules as bytes.
    Modules,
    /// Copies that are made anew.
    Rebuilds,
}

impl Topic {
    /// All of them.
    pub(super) const ALL: [Topic; 8] = [
        Topic::Raft,
        Topic::Control,
        Topic::Liveness,
        Topic::Copies,
        Topic::Operations,
        Topic::Queries,
        Topic::Modules,
        Topic::Rebuilds,
    ];

    /// Returns true if a node that is not registered may ask about it.
    pub(super) fn is_for_guests(self) -> bool {
        match self {
            Topic::Control => true,
            Topic::Raft
            | Topic::Liveness
            | Topic::Copies
            | Topic::Operations
            | Topic::Queries
            | Topic::Modules
            | Topic::Rebuilds => false,
        }
    }
}

impl Display for Topic {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Topic::Raft => "raft",
            Topic::Control => "control",
            Topic::Liveness => "liveness",
            Topic::Copies => "copies",
            Topic::Operations => "operations",
            Topic::Queries => "queries",
            Topic::Modules => "modules",
            Topic::Rebuilds => "rebuilds",
        })
    }
}
