//! What openraft is told: who is who, and how fast things go.

use std::time::Duration;

use openraft::{Config, ConfigError, SnapshotPolicy};
use steward_model::NodeId;

/// Longest wait for a decision.
pub(super) const DECISION_WAIT: Duration = Duration::from_secs(10);

/// Entries between two system snapshots.
pub(super) const SNAPSHOT_EVERY: u64 = 2_000;

/// Entries kept behind a system snapshot, for voters that are a little behind.
pub(super) const ENTRIES_KEPT: u64 = 500;

/// Returns the Raft id of a node: its number.
pub(super) fn raft_id(node: NodeId) -> u64 {
    u64::from(node.0)
}

/// Returns the node with a Raft id; none if no node has it.
pub(super) fn node_id(raft: u64) -> Option<NodeId> {
    u32::try_from(raft).ok().map(NodeId)
}

/// How often the leader is heard, and how long it may be missed, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timing {
    heartbeat: u64,
    election: (u64, u64),
}

impl Timing {
    /// Of a node that was started without peers: nobody misses it.
    pub(super) const ALONE: Timing = Timing { heartbeat: 100, election: (300, 600) };

    /// Of a node that has peers.
    pub(super) const AMONG_PEERS: Timing = Timing { heartbeat: 60, election: (200, 400) };
}

/// Returns the settings of the group. Source: host/docs/protocol.md, "Parameters".
pub(super) fn config(timing: Timing) -> Result<Config, Box<ConfigError>> {
    let config = Config {
        cluster_name: "steward".to_owned(),
        heartbeat_interval: timing.heartbeat,
        election_timeout_min: timing.election.0,
        election_timeout_max: timing.election.1,
        install_snapshot_timeout: 10_000,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY),
        max_in_snapshot_log_to_keep: ENTRIES_KEPT,
        ..Config::default()
    };
    config.validate().map_err(Box::new)
}
