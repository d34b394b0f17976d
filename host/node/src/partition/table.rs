//! All partitions of this node.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use steward_model::partition::PARTITIONS_PER_LANE;
use steward_model::{Epoch, Lane, Link, Lsn, PartitionId, Position};
use steward_protocol::cluster::ClusterState;
use steward_storage::log;

use super::{Behind, Partition, Shared};

/// The partitions of the default selector, both lanes.
pub struct Table {
    shared: Arc<Shared>,
    persisted: Vec<Arc<Partition>>,
    volatile: Vec<Arc<Partition>>,
}

impl Table {
    /// Returns the table of the partitions that `open` returns.
    ///
    /// # Errors
    /// The first of `open`.
    pub fn open<E>(shared: Arc<Shared>, mut open: impl FnMut(PartitionId) -> Result<Partition, E>) -> Result<Table, E> {
        let mut lane = |lane| PartitionId::all(lane).map(|id| open(id).map(Arc::new)).collect::<Result<Vec<_>, E>>();
        let (persisted, volatile) = (lane(Lane::Persisted)?, lane(Lane::Volatile)?);
        Ok(Table { shared, persisted, volatile })
    }

    /// Returns what the partitions share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns a partition of the default selector.
    ///
    /// # Panics
    /// If its index is not below [`PARTITIONS_PER_LANE`]; ids are made by [`PartitionId::of`] and [`PartitionId::all`].
    pub fn get(&self, id: PartitionId) -> &Arc<Partition> {
        assert!(id.index < PARTITIONS_PER_LANE, "partition {id} does not exist");
        match id.lane {
            Lane::Persisted => &self.persisted[usize::from(id.index)],
            Lane::Volatile => &self.volatile[usize::from(id.index)],
        }
    }

    /// Returns the partition of a document.
    pub fn of(&self, link: &Link, lane: Lane) -> &Arc<Partition> {
        self.get(PartitionId::of(link, lane))
    }

    /// Returns every partition.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.persisted.iter().chain(&self.volatile)
    }

    /// Returns the partitions of a lane.
    pub fn lane(&self, lane: Lane) -> &[Arc<Partition>] {
        match lane {
            Lane::Persisted => &self.persisted,
            Lane::Volatile => &self.volatile,
        }
    }

    /// Tells every partition what the system group says about it.
    pub fn cluster_changed(&self, cluster: &ClusterState) {
        for partition in self.all() {
            if let Some(row) = cluster.row(partition.id()) {
                partition.table_changed(row);
            }
        }
    }

    /// Returns once the state stores hold everything that is committed now in `lane`.
    ///
    /// # Errors
    /// [`Behind`] names a partition whose state store takes nothing for a while.
    pub async fn flushed(&self, lane: Lane) -> Result<(), Behind> {
        // All ends are noted before the first is waited for: under load each partition would otherwise wait for a run of its own.
        let ends: Vec<_> = self.lane(lane).iter().map(|partition| partition.committed_end()).collect();
        for (partition, end) in self.lane(lane).iter().zip(ends) {
            partition.flushed_through(end).await?;
        }
        Ok(())
    }
}

/// Tells partitions what the log has made durable. Made before the table, because the log is opened before it.
#[derive(Default)]
pub struct LogEvents {
    table: OnceLock<Arc<Table>>,
    promises: Mutex<Vec<(Lsn, PartitionId, Epoch)>>,
}

impl LogEvents {
    /// Names the table to tell.
    pub fn connect(&self, table: Arc<Table>) {
        // Connecting twice would be harmless: the first table stays.
        let _ = self.table.set(table);
    }

    /// Appends a promise and takes note of it. The log's thread may be quicker than this one: it waits for the note.
    pub(super) fn promise(&self, partition: PartitionId, epoch: Epoch, append: impl FnOnce() -> Lsn) {
        let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
        let lsn = append();
        promises.push((lsn, partition, epoch));
    }

    fn promises_through(&self, through: Lsn) -> Vec<(PartitionId, Epoch)> {
        let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
        let (done, waiting) = promises.drain(..).partition(|(lsn, _, _)| *lsn <= through);
        *promises = waiting;
        let done: Vec<(Lsn, PartitionId, Epoch)> = done;
        done.into_iter().map(|(_, partition, epoch)| (partition, epoch)).collect()
    }
}

impl log::Listener for LogEvents {
    fn persisted(&self, through: Lsn, ends: &[(PartitionId, Position)]) {
        let Some(table) = self.table.get() else { return };
        for (partition, epoch) in self.promises_through(through) {
            table.get(partition).promise_persisted(epoch);
        }
        for (partition, end) in ends {
            table.get(*partition).persisted(*end);
        }
    }
}
