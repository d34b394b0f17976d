//! Raft's state machine: commands into the cluster state, states to the readers.

use std::io::Cursor;
use std::sync::Arc;

use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, BasicNode, Entry, EntryPayload, LogId, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta,
    StorageError, StorageIOError, StoredMembership,
};
use steward_model::codec;
use steward_protocol::cluster::ClusterState;
use tokio::sync::watch;

use super::snapshot::{self, Snapshots, Stored};
use super::types::{Outcome, TypeConfig};

/// The cluster state, and how far it is in the log.
pub(super) struct StateMachine {
    reached: Reached,
    readers: watch::Sender<Arc<ClusterState>>,
    snapshots: Arc<Snapshots>,
}

/// A state and the entry that led to it. Cheap to clone.
#[derive(Debug, Clone, Default)]
struct Reached {
    state: ClusterState,
    applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, BasicNode>,
}

impl Reached {
    fn from_stored(stored: &Stored) -> Result<Reached, snapshot::Error> {
        let state = stored.state()?;
        Ok(Reached { state, applied: stored.meta.last_log_id, membership: stored.meta.last_membership.clone() })
    }

    fn to_stored(&self) -> Stored {
        // Two snapshots up to the same entry are the same bytes, so the entry names the snapshot.
        let snapshot_id = self.applied.map(|id| id.to_string()).unwrap_or_default();
        let meta = SnapshotMeta { last_log_id: self.applied, last_membership: self.membership.clone(), snapshot_id };
        Stored { meta, state: codec::encode(&self.state) }
    }
}

impl StateMachine {
    /// Starts from the newest snapshot, or from nothing.
    pub(super) fn open(snapshots: Arc<Snapshots>) -> Result<StateMachine, snapshot::Error> {
        let reached = match snapshots.newest() {
            Some(stored) => Reached::from_stored(&stored)?,
            None => Reached::default(),
        };
        let (readers, _) = watch::channel(Arc::new(reached.state.clone()));
        Ok(StateMachine { reached, readers, snapshots })
    }

    /// Returns a receiver of every state from now on.
    pub(super) fn watch(&self) -> watch::Receiver<Arc<ClusterState>> {
        self.readers.subscribe()
    }

    fn apply_entry(&mut self, entry: Entry<TypeConfig>) -> Outcome {
        self.reached.applied = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => None,
            EntryPayload::Normal(command) => Some(self.reached.state.apply(&command)),
            EntryPayload::Membership(membership) => {
                self.reached.membership = StoredMembership::new(Some(entry.log_id), membership);
                None
            }
        }
    }

    fn publish(&self) {
        self.readers.send_replace(Arc::new(self.reached.state.clone()));
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = Builder;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<u64>>, StoredMembership<u64, BasicNode>), StorageError<u64>> {
        Ok((self.reached.applied, self.reached.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Outcome>, StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let outcomes = entries.into_iter().map(|entry| self.apply_entry(entry)).collect();
        // Before the outcomes reach the proposers: who was answered must find its command in the state.
        self.publish();
        Ok(outcomes)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder { reached: self.reached.clone(), snapshots: Arc::clone(&self.snapshots) }
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError<u64>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, BasicNode>,
        received: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError<u64>> {
        let stored = Stored { meta: meta.clone(), state: received.into_inner() };
        let reached = Reached::from_stored(&stored)
            .map_err(|error| StorageIOError::read_snapshot(Some(meta.signature()), AnyError::new(&error)))?;
        save(Arc::clone(&self.snapshots), stored).await?;
        self.reached = reached;
        self.publish();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError<u64>> {
        Ok(self.snapshots.lend())
    }
}

/// Writes one snapshot while the state machine goes on.
pub(super) struct Builder {
    reached: Reached,
    snapshots: Arc<Snapshots>,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError<u64>> {
        save(Arc::clone(&self.snapshots), self.reached.to_stored()).await
    }
}

/// Saves on a thread that may block.
async fn save(snapshots: Arc<Snapshots>, stored: Stored) -> Result<Snapshot<TypeConfig>, StorageError<u64>> {
    let signature = stored.meta.signature();
    let failed = |error: AnyError| StorageIOError::write_snapshot(Some(signature), error);
    match tokio::task::spawn_blocking(move || snapshots.save(stored)).await {
        Ok(Ok(snapshot)) => Ok(snapshot),
        Ok(Err(error)) => Err(failed(AnyError::new(&error)).into()),
        Err(error) => Err(failed(AnyError::new(&error)).into()),
    }
}
