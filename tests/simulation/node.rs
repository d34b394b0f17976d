//! A node of a world: the hardware, which stays, and one process start after another on it, built of the code of
//! production.

use std::sync::Arc;

use anyhow::{Context, Result};
use steward_model::{Epoch, Lane, Lsn, PartitionId, Position, codec};
use steward_protocol::replica::Member;
use steward_replication::checkpoint::{Logged, Row};
use steward_replication::completions::{Completions, DurabilityListener};
use steward_replication::{Observer, Options, Partition, Partitions, Recovered, Recovery, Shared, recovery};
use steward_storage::documents::PartitionStore;
use steward_storage::log::{self, FaultyDisk, Frame, FrameKind, MemoryLedger};
use steward_storage::state::{FaultyStore, MemoryStore, StateStore};

use crate::witness::{Listening, Witness};

/// Small segments, so that worlds of a few hundred steps fill and trim several.
const SEGMENT_BYTES: u64 = 64 << 10;

/// What a crash leaves.
pub(crate) struct Machine {
    pub(crate) disk: FaultyDisk,
    pub(crate) store: FaultyStore,
    ledger: Arc<MemoryLedger>,
}

/// One process start.
pub(crate) struct Node {
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) witness: Arc<Witness>,
    listening: Listening,
    pub(crate) volatile: Arc<dyn StateStore>,
    /// A checkpoint whose frame is on its way to the disk.
    pub(crate) checkpoint: Option<Logged>,
    /// Bytes of a torn end that opening the log has cut.
    pub(crate) cut_bytes: u64,
}

fn log_options(ledger: Option<Arc<dyn log::Ledger>>) -> log::Options {
    log::Options { segment_bytes: SEGMENT_BYTES, identity: 7, ledger, ..log::Options::default() }
}

/// Returns the highest epoch that the log on `disk` promises for a partition.
pub(crate) fn promised_on(disk: &FaultyDisk, partition: PartitionId) -> Epoch {
    if partition.lane == Lane::Volatile {
        return Epoch { incarnation: u16::MAX, ..Epoch::ZERO };
    }
    let mut promised = Epoch::ZERO;
    let mut read = |_, frame: Frame| {
        let epoch = match frame.kind {
            FrameKind::Promise if frame.partition == Some(partition) => codec::decode(&frame.payload).ok(),
            FrameKind::Record if frame.partition == Some(partition) => frame.position.map(|position| position.epoch),
            FrameKind::Checkpoint => {
                let rows: Vec<Row> = codec::decode(&frame.payload).unwrap_or_default();
                rows.iter().find(|row| row.partition == partition).map(|row| row.promised)
            }
            FrameKind::Promise | FrameKind::Record | FrameKind::Vote | FrameKind::System => None,
        };
        promised = promised.max(epoch.unwrap_or_default());
        Ok(())
    };
    // A log that cannot be opened promises nothing.
    let _ = log::Log::open(Arc::new(disk.clone()), log_options(None), &mut read);
    promised
}

/// Returns true if the log on `disk` has the record at `position`, and did not cut it off.
fn stands_on(disk: &FaultyDisk, partition: PartitionId, position: Position) -> bool {
    let mut stands = false;
    let mut read = |_, frame: Frame| {
        let at = frame.position.filter(|_| frame.kind == FrameKind::Record && frame.partition == Some(partition));
        // A record at an offset that was read before cuts everything from there on.
        if let Some(at) = at.filter(|at| at.offset <= position.offset) {
            stands = at == position;
        }
        Ok(())
    };
    // A log that cannot be opened holds nothing.
    let _ = log::Log::open(Arc::new(disk.clone()), log_options(None), &mut read);
    stands
}

impl Machine {
    pub(crate) fn new(disk_seed: u64, store_seed: u64) -> Machine {
        let (disk, store) = (FaultyDisk::new(disk_seed), FaultyStore::new(store_seed));
        Machine { disk, store, ledger: Arc::default() }
    }

    /// Returns the documents of a persisted partition as they are, for whoever judges them.
    pub(crate) fn documents(&self, partition: PartitionId) -> PartitionStore {
        let store: Arc<dyn StateStore> = Arc::new(self.store.clone());
        let found = self.store.without_faults(|| PartitionStore::find(store, partition));
        found.expect("a store without faults can be read")
    }

    /// Returns the epoch that a copy which was made anew has promised by that.
    pub(crate) fn base(&self, partition: PartitionId) -> Epoch {
        let store = self.documents(partition);
        let meta = self.store.without_faults(|| store.meta());
        meta.ok().and_then(|meta| meta.base).map_or(Epoch::ZERO, |base| base.at.epoch)
    }

    /// Returns true if a crash now would leave the record at `position`, which is committed, in the log or in the store.
    pub(crate) fn holds(&self, partition: PartitionId, position: Position) -> bool {
        let store = self.documents(partition);
        let applied = self.store.without_faults(|| store.meta()).ok().and_then(|meta| meta.applied);
        applied.is_some_and(|applied| applied.offset >= position.offset)
            || stands_on(&self.disk.lasting(), partition, position)
    }

    /// Starts the node as production does: stores, log, partitions. `found` is told what was found of each.
    ///
    /// # Errors
    /// If the node must not start.
    pub(crate) fn start(
        &self,
        own: Member,
        count: u16,
        options: Options,
        traced: bool,
        found: &mut dyn FnMut(PartitionId, Recovered),
    ) -> Result<Node> {
        let persisted: Arc<dyn StateStore> = Arc::new(self.store.clone());
        let volatile: Arc<dyn StateStore> = Arc::new(MemoryStore::new());
        let ids = PartitionId::all(Lane::Persisted).take(usize::from(count));
        let ledger = Arc::clone(&self.ledger) as Arc<dyn log::Ledger>;
        let stores = ids.map(|id| PartitionStore::find(Arc::clone(&persisted), id));
        let stores = stores.collect::<Result<Vec<_>, _>>().context("find the copies")?;
        let opened = recovery::open(stores.into_iter(), Arc::new(self.disk.clone()), log_options(Some(ledger)));
        let recovery::Opened { log, found: log_found, mut recovery } = opened.context("open the stores")?;
        let witness = Arc::new(Witness::new(self.disk.clone(), traced));
        let observer = Arc::clone(&witness) as Arc<dyn Observer>;
        let completions = Arc::new(Completions::default());
        let listener = DurabilityListener::new(Arc::clone(&completions), Arc::clone(&observer));
        let shared = Arc::new(Shared::new(Arc::new(log), completions, observer, own, options));
        let open = |id: PartitionId| {
            let store = if id.lane == Lane::Persisted { &persisted } else { &volatile };
            open_one(&shared, store, &mut recovery, id, found)
        };
        let partitions = Partitions::open(Arc::clone(&shared), count, open)?;
        let listening = Listening { listener, witness: Arc::clone(&witness) };
        let cut_bytes = log_found.cut_bytes;
        Ok(Node { partitions: Arc::new(partitions), witness, listening, volatile, checkpoint: None, cut_bytes })
    }
}

fn open_one(
    shared: &Arc<Shared>,
    store: &Arc<dyn StateStore>,
    recovery: &mut Recovery,
    id: PartitionId,
    found: &mut dyn FnMut(PartitionId, Recovered),
) -> Result<Partition> {
    let recovered = recovery.take(id);
    found(id, recovered.clone());
    let store = PartitionStore::find(Arc::clone(store), id).context("find the copy")?;
    Partition::open(id, Arc::clone(shared), store, recovered).with_context(|| format!("open partition {id}"))
}

impl Node {
    /// Writes one group of the log; false if there is none, or the disk failed.
    pub(crate) fn write(&self) -> bool {
        // A failed disk has told the witness.
        self.log().drive_one(&self.listening).unwrap_or(false)
    }

    pub(crate) fn log(&self) -> &log::Log {
        &self.partitions.shared().log
    }

    /// Returns the last frame that the log calls persisted.
    pub(crate) fn persisted(&self) -> Lsn {
        self.log().persisted()
    }

    /// Returns the documents of a volatile partition as they are.
    pub(crate) fn volatile_documents(&self, partition: PartitionId) -> PartitionStore {
        PartitionStore::find(Arc::clone(&self.volatile), partition).expect("memory can be read")
    }
}
