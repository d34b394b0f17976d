//! The types that openraft works with.

use openraft::BasicNode;
use steward_protocol::cluster::{Applied, Command, Refused};

/// How applying an entry ended; none for entries that carry no command.
pub(super) type Outcome = Option<Result<Applied, Refused>>;

openraft::declare_raft_types!(
    /// The types that openraft works with: our commands and outcomes, its own for the rest.
    pub(super) TypeConfig:
        D = Command,
        R = Outcome,
        NodeId = u64,
        Node = BasicNode,
        SnapshotData = std::io::Cursor<Vec<u8>>,
);
