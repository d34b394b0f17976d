//! openraft behind [`ControlLog`].

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use openraft::error::{ClientWriteError, RaftError};
use openraft::{Config, ConfigError, Raft, SnapshotPolicy};
use steward_model::{NodeId, codec};
use steward_protocol::cluster::{Applied, ClusterState, Command};
use tokio::sync::watch;

use super::control_log::{ControlLog, ProposeError};
use super::journal::Journal;
use super::types::TypeConfig;

/// Longest wait for a decision.
const DECISION_WAIT: Duration = Duration::from_secs(10);

/// Longest wait for Raft to finish what it does.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// Largest command in bytes: one that does not fit into a segment would stop Raft for good.
const COMMAND_BYTES_MAX: usize = 1 << 20;

/// Entries between two system snapshots.
pub(super) const SNAPSHOT_EVERY: u64 = 2_000;

/// Entries kept behind a system snapshot, for voters that are a little behind.
pub(super) const ENTRIES_KEPT: u64 = 500;

/// Returns the Raft id of a node: its number.
pub(super) fn raft_id(node: NodeId) -> u64 {
    u64::from(node.0)
}

/// Returns the settings of the group. Source: host/docs/protocol.md, "Parameters".
pub(super) fn config() -> Result<Config, Box<ConfigError>> {
    let config = Config {
        cluster_name: "steward".to_owned(),
        heartbeat_interval: 100,
        election_timeout_min: 300,
        election_timeout_max: 600,
        install_snapshot_timeout: 10_000,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(SNAPSHOT_EVERY),
        max_in_snapshot_log_to_keep: ENTRIES_KEPT,
        ..Config::default()
    };
    config.validate().map_err(Box::new)
}

/// A running member of the system group.
pub(super) struct RaftControlLog {
    pub(super) raft: Raft<TypeConfig>,
    pub(super) states: watch::Receiver<Arc<ClusterState>>,
    pub(super) journal: Arc<Journal>,
}

impl ControlLog for RaftControlLog {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Applied, ProposeError>> {
        Box::pin(async move {
            let bytes = codec::encode(&command).len();
            if bytes > COMMAND_BYTES_MAX {
                return Err(ProposeError::TooLarge { bytes, most: COMMAND_BYTES_MAX });
            }
            let decided = tokio::time::timeout(DECISION_WAIT, self.raft.client_write(command)).await;
            match decided.map_err(|_| ProposeError::NoMajority)? {
                Ok(response) => {
                    let outcome = response.data.expect("an entry with a command has an outcome: see the state machine");
                    outcome.map_err(ProposeError::Refused)
                }
                Err(RaftError::APIError(ClientWriteError::ForwardToLeader(forward))) => {
                    let leader = forward.leader_id.and_then(|id| u32::try_from(id).ok()).map(NodeId);
                    Err(ProposeError::NotLeader { leader })
                }
                Err(RaftError::APIError(ClientWriteError::ChangeMembershipError(error))) => {
                    unreachable!("a command is no change of membership: {error}")
                }
                Err(RaftError::Fatal(fatal)) => {
                    tracing::error!(%fatal, "system group stopped");
                    Err(ProposeError::Closed)
                }
            }
        })
    }

    fn state(&self) -> Arc<ClusterState> {
        Arc::clone(&self.states.borrow())
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.states.clone()
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // An append that waits for space would wait for ever; closing the journal lets it go.
            match tokio::time::timeout(STOP_WAIT, self.raft.shutdown()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "system group did not stop in order"),
                Err(_) => tracing::warn!("system group did not stop in time"),
            }
            let journal = Arc::clone(&self.journal);
            if let Err(error) = tokio::task::spawn_blocking(move || journal.close()).await {
                tracing::warn!(%error, "system log did not close in order");
            }
        })
    }
}
