//! Scopes: how much may happen in a world, and which worlds the suite looks at.

use steward_model::Lane;
use steward_model::mutation::Mutation;

/// How much may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) name: &'static str,
    pub(crate) lane: Lane,
    pub(crate) nodes: usize,
    /// How many of the nodes are in the in-sync set at first; all of them shall have copies.
    pub(crate) members: usize,
    pub(crate) write_quorum: u32,
    /// Reigns, restarts that are named included.
    pub(crate) epochs: usize,
    pub(crate) writes: usize,
    /// Changes of the in-sync set that the system group decides.
    pub(crate) alterations: usize,
    pub(crate) crashes: usize,
    /// How often two seconds pass for some node.
    pub(crate) ticks: usize,
    /// How often the quorum falls to this.
    pub(crate) quorum: Option<u32>,
    /// The quorum that the group wants.
    pub(crate) wants: u32,
    pub(crate) reads: usize,
    /// How often a copy is made anew, and how often a log loses its beginning.
    pub(crate) rebuilds: usize,
    pub(crate) trims: usize,
    /// Disks keep what they are given until they are told to write.
    pub(crate) has_slow_disks: bool,
    pub(crate) mutation: Option<Mutation>,
}

/// Three nodes, two of which commit, and nothing happens.
pub(crate) const QUIET: Scope = Scope {
    name: "quiet",
    lane: Lane::Persisted,
    nodes: 3,
    members: 3,
    write_quorum: 2,
    epochs: 0,
    writes: 0,
    alterations: 0,
    crashes: 0,
    ticks: 0,
    quorum: None,
    wants: 0,
    reads: 0,
    rebuilds: 0,
    trims: 0,
    has_slow_disks: false,
    mutation: None,
};
