//! Roles: what a replica does for its partition, and what it has only while it does that.

use std::collections::BTreeMap;

use steward_model::{Boot, Epoch, NodeId, Offset, Position};

use super::progress::Progress;

/// What the replica does for its partition; carries what only that role has.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Role {
    /// Holds a log, counts for nothing.
    Tailing,
    /// Counts for commits and promises; another member orders updates, or nobody does yet.
    InSync,
    /// Named, collects promises.
    Candidate(Candidate),
    /// Has appended its marker, which is not committed yet.
    Activating(Reign),
    /// Orders updates.
    Primary(Reign),
}

/// What a candidate has heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The epoch it was named for.
    pub(super) epoch: Epoch,
    /// Who has promised it, in which boot, with which last record. The own promise is here once it is durable.
    pub(super) promises: BTreeMap<NodeId, (Boot, Option<Position>)>,
}

/// What a replica has that has begun to reign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reign {
    pub(super) epoch: Epoch,
    /// Where the marker of the reign is. Nothing is committed before it is: only then do `W` members hold a record that
    /// no candidate of a lower epoch can displace.
    pub(super) marker: Offset,
    pub(super) progress: Progress,
}
