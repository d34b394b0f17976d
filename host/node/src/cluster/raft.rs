//! openraft behind [`ControlLog`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use steward_model::{Member, Timestamp, codec};
use steward_protocol::cluster::{Applied, ClusterState, Command};
use tokio::sync::watch;

use super::ask::{Ask, Said};
use super::control_log::{ControlLog, ProposeError, ReadError};
use super::engine::DECISION_WAIT;
use super::group::Group;
use super::journal::Journal;

/// Longest wait for Raft to finish what it does.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// Longest wait for the group to let this node stop.
const LEAVE_WAIT: Duration = Duration::from_secs(2);

/// Pause before a leader is looked for again.
const LEADER_PAUSE: Duration = Duration::from_millis(20);

/// Largest command in bytes: one that does not fit into a segment would stop Raft for good.
const COMMAND_BYTES_MAX: usize = 1 << 20;

/// A running member of the system group.
pub(super) struct RaftControlLog {
    pub(super) group: Group,
    pub(super) journal: Arc<Journal>,
    pub(super) own: Member,
}

impl RaftControlLog {
    /// Asks the leader until one answers, for [`DECISION_WAIT`] at the longest. None: nobody did; nothing has happened.
    async fn ask(&self, ask: Ask) -> Option<Said> {
        let is_asked = AtomicBool::new(false);
        let asking = async {
            loop {
                is_asked.store(true, Ordering::Relaxed);
                match self.group.ask_leader(ask.clone()).await {
                    None | Some(Said::NotLeader { .. }) => is_asked.store(false, Ordering::Relaxed),
                    Some(said) => return Some(said),
                }
                // A group that has stopped never leads again.
                self.group.metrics().running_state.ok()?;
                tokio::time::sleep(LEADER_PAUSE).await;
            }
        };
        let said = tokio::time::timeout(DECISION_WAIT, asking).await;
        // Whoever was being asked when the time was over may still have it decided.
        said.unwrap_or_else(|_| is_asked.load(Ordering::Relaxed).then_some(Said::Undecided))
    }

    fn unheard(&self) -> ProposeError {
        match self.group.metrics().running_state {
            Ok(()) => ProposeError::NoLeader,
            Err(_) => ProposeError::Closed,
        }
    }
}

impl ControlLog for RaftControlLog {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Applied, ProposeError>> {
        Box::pin(async move {
            let bytes = codec::encode(&command).len();
            if bytes > COMMAND_BYTES_MAX {
                return Err(ProposeError::TooLarge { bytes, most: COMMAND_BYTES_MAX });
            }
            if self.group.metrics().running_state.is_err() {
                return Err(ProposeError::Closed);
            }
            match self.ask(Ask::Propose(command)).await {
                Some(Said::Applied { applied, index }) => {
                    // Whoever was answered must find its command in the state of this node.
                    if self.group.reached(index).await { Ok(applied) } else { Err(ProposeError::NoMajority) }
                }
                Some(Said::Refused(refused)) => Err(ProposeError::Refused(refused)),
                Some(Said::Undecided) => Err(ProposeError::NoMajority),
                Some(Said::Newest { .. } | Said::Registered(_) | Said::KnownStore { .. } | Said::NotLeader { .. })
                | None => Err(self.unheard()),
            }
        })
    }

    fn state(&self) -> Arc<ClusterState> {
        Arc::clone(&self.group.states.borrow())
    }

    fn newest(&self) -> BoxFuture<'_, Result<Arc<ClusterState>, ReadError>> {
        Box::pin(async move {
            let Some(Said::Newest { index }) = self.ask(Ask::Newest).await else { return Err(ReadError) };
            if self.group.reached(index).await { Ok(self.state()) } else { Err(ReadError) }
        })
    }

    fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.group.states.clone()
    }

    fn leave(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let alone = self.state().group().nodes().count() < 2;
            if self.group.links.is_none() || alone {
                return;
            }
            let leave = self.ask(Ask::Leave { member: self.own, at });
            match tokio::time::timeout(LEAVE_WAIT, leave).await {
                Ok(Some(Said::Applied { index, .. })) => {
                    // What was named before is what this node is still needed for: it must see all of it here.
                    if !self.group.reached(index).await {
                        tracing::warn!("this node did not hear what the group decided before it stops");
                    }
                    tracing::info!("the group knows that this node stops");
                }
                // It stops all the same; the others notice.
                Ok(Some(said)) => tracing::warn!(%said, "the group was not told that this node stops"),
                Ok(None) => tracing::warn!("the group was not told that this node stops: nobody leads it"),
                Err(_) => tracing::warn!("the group was not told in time that this node stops"),
            }
        })
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // An append that waits for space would wait for ever; closing the journal lets it go.
            match tokio::time::timeout(STOP_WAIT, self.group.raft.shutdown()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "system group did not stop in order"),
                Err(_) => tracing::warn!("system group did not stop in time"),
            }
            if let Some(links) = &self.group.links {
                links.stop();
            }
            let journal = Arc::clone(&self.journal);
            if let Err(error) = tokio::task::spawn_blocking(move || journal.close()).await {
                tracing::warn!(%error, "system log did not close in order");
            }
        })
    }
}
