//! All copies of partitions of one node, and the steps that move them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use steward_model::partition::PARTITIONS_PER_LANE;
use steward_model::{Lane, Link, Moment, PartitionId};
use steward_protocol::cluster::ClusterState;
use steward_protocol::replica::Member;
use steward_storage::documents;
use steward_storage::log::Log;
use steward_storage::state::StateStore;

use crate::applier::Applying;
use crate::cache::Cache;
use crate::completions::Completions;
use crate::observer::{Fatal, Observer, unpoisoned};
use crate::partition::{Message, Partition};
use crate::space::Space;

/// Bounds of a node's copies.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many operations may wait for one document.
    pub queue_limit: usize,
    /// Bytes of documents that are kept in memory.
    pub cache_bytes: u64,
    /// Bytes of committed updates that may wait for the state stores before no more are admitted.
    pub unapplied_bytes_max: u64,
    /// Bytes of log that are kept for copies that were away, although the state store holds them.
    pub backlog_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { queue_limit: 1024, cache_bytes: 48 << 20, unapplied_bytes_max: 256 << 20, backlog_bytes: 256 << 20 }
    }
}

/// What a state store refused last, until it takes everything again.
#[derive(Debug, Default)]
struct StoreHealth {
    problem: Mutex<Option<String>>,
    is_damaged: AtomicBool,
}

/// What all partitions of a node share.
pub struct Shared {
    /// The commit log of the persisted lane.
    pub log: Arc<Log>,
    /// What the log has made durable.
    pub completions: Arc<Completions>,
    /// Whether the disk has room.
    pub space: Space,
    /// Documents read or written lately.
    pub cache: Cache,
    /// The partitions whose state stores are behind.
    pub applying: Applying,
    /// Is told what happens.
    pub observer: Arc<dyn Observer>,
    /// This process start of this node.
    pub own: Member,
    /// Bounds of queues, cache, backlog and what waits for the stores.
    pub options: Options,
    store_health: StoreHealth,
    /// Partitions whose frames the log had no room for.
    wanting_space: Mutex<BTreeSet<PartitionId>>,
    failed: AtomicBool,
}

impl Shared {
    /// Returns what the partitions of a node share that begins with an empty memory.
    pub fn new(
        log: Arc<Log>,
        completions: Arc<Completions>,
        observer: Arc<dyn Observer>,
        own: Member,
        options: Options,
    ) -> Shared {
        Shared {
            log,
            completions,
            space: Space::default(),
            cache: Cache::new(options.cache_bytes),
            applying: Applying::new(options.unapplied_bytes_max),
            observer,
            own,
            options,
            store_health: StoreHealth::default(),
            wanting_space: Mutex::default(),
            failed: AtomicBool::new(false),
        }
    }

    /// Returns true once something has happened after which nothing may be decided any more.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Ends everything.
    pub(crate) fn fail(&self, fatal: &Fatal) {
        self.failed.store(true, Ordering::Release);
        self.observer.failed(fatal);
    }

    /// Returns the largest update, in bytes as [`Update::bytes`](steward_model::update::Update::bytes) counts them.
    pub fn record_bytes_max(&self) -> u64 {
        // Twice what is counted leaves room for what the encoding adds.
        self.log.append_bytes_max() / 2
    }

    pub(crate) fn wants_space(&self, partition: PartitionId) {
        unpoisoned(self.wanting_space.lock()).insert(partition);
    }

    /// Returns true if frames wait for the log to have room.
    pub fn is_wanting_space(&self) -> bool {
        !unpoisoned(self.wanting_space.lock()).is_empty()
    }

    /// Returns what is wrong with the state store, if it does not take what is committed.
    pub fn store_problem(&self) -> Option<String> {
        unpoisoned(self.store_health.problem.lock()).clone()
    }

    /// Notes that the state store does not do what it was asked; ends everything if what it holds is unknown now.
    pub(crate) fn store_refused(&self, partition: PartitionId, error: documents::Error) {
        // Damage is told by the thread that looks after the store, once and with what to do about it.
        if !error.is_damage() {
            tracing::warn!(%partition, %error, "state store refused a batch, trying again");
        }
        *unpoisoned(self.store_health.problem.lock()) = Some(error.to_string());
        if error.is_fatal() {
            self.fail(&Fatal::Store(error));
        }
    }

    pub(crate) fn store_took_all(&self) {
        if self.is_store_damaged() {
            return;
        }
        if unpoisoned(self.store_health.problem.lock()).take().is_some() {
            tracing::info!("state store takes everything again");
        }
    }

    /// Returns true if parts of the state store cannot be read. No checkpoint is made any more: the log keeps what the store
    /// has to be made anew from.
    pub fn is_store_damaged(&self) -> bool {
        self.store_health.is_damaged.load(Ordering::Acquire)
    }

    /// Looks whether damage was found in the state store. The first time it is told, and the store is condemned: the next
    /// start makes it anew out of the log. Until then what can be read is read.
    pub fn look_after(&self, store: &dyn StateStore) {
        let Some(damage) = store.damage() else { return };
        if self.store_health.is_damaged.swap(true, Ordering::AcqRel) {
            return;
        }
        *unpoisoned(self.store_health.problem.lock()) = Some(format!("damaged: {damage}"));
        match store.condemn(&damage) {
            Ok(()) => {
                tracing::error!(%damage, "state store is damaged: start the node anew, it then makes the store anew out of the commit log")
            }
            Err(error) => {
                tracing::error!(%damage, %error, "state store is damaged, and that could not be noted: stop the node, move the state store aside, start the node anew")
            }
        }
    }
}

/// The partitions of the default selector, both lanes.
pub struct Partitions {
    shared: Arc<Shared>,
    persisted: Vec<Arc<Partition>>,
    volatile: Vec<Arc<Partition>>,
}

impl Partitions {
    /// Returns the partitions that `open` returns, `count` per lane.
    ///
    /// # Errors
    /// The first of `open`.
    ///
    /// # Panics
    /// If `count` is above [`PARTITIONS_PER_LANE`].
    pub fn open<E>(
        shared: Arc<Shared>,
        count: u16,
        mut open: impl FnMut(PartitionId) -> Result<Partition, E>,
    ) -> Result<Partitions, E> {
        assert!(count <= PARTITIONS_PER_LANE, "{count} partitions per lane, {PARTITIONS_PER_LANE} exist");
        let mut lane = |lane| {
            let ids = PartitionId::all(lane).take(usize::from(count));
            ids.map(|id| open(id).map(Arc::new)).collect::<Result<Vec<_>, E>>()
        };
        let (persisted, volatile) = (lane(Lane::Persisted)?, lane(Lane::Volatile)?);
        Ok(Partitions { shared, persisted, volatile })
    }

    /// Returns what the partitions share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns a partition.
    ///
    /// # Panics
    /// If it is not among those that were opened.
    pub fn get(&self, id: PartitionId) -> &Arc<Partition> {
        let found = self.lane(id.lane).get(usize::from(id.index));
        found.unwrap_or_else(|| panic!("partition {id} does not exist"))
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
    pub fn cluster_changed(&self, now: Moment, cluster: &ClusterState) {
        for partition in self.all() {
            if let Some(row) = cluster.row(partition.id()) {
                partition.post(Message::Row(Box::new(row.clone())));
                partition.step(now);
            }
        }
    }

    /// Takes what the log has made durable since the last step, and tries again what it had no room for. Returns how many
    /// groups of the log that were.
    pub fn step(&self, now: Moment) -> usize {
        let mut groups = 0;
        while self.step_group(now) {
            groups += 1;
        }
        self.retry_outgoing(now);
        groups
    }

    /// Takes one group that the log has made durable; for simulations that stop between two. Returns false if there is none.
    pub fn step_group(&self, now: Moment) -> bool {
        let Some(messages) = self.shared.completions.next() else { return false };
        for (partition, message) in messages {
            // One after the other: a partition whose promise and records became durable together hears of them in order.
            let partition = self.get(partition);
            partition.post(message);
            partition.step(now);
        }
        true
    }

    /// Hands the log again what it had no room for.
    pub fn retry_outgoing(&self, now: Moment) {
        let wanting = std::mem::take(&mut *unpoisoned(self.shared.wanting_space.lock()));
        for partition in wanting {
            let partition = self.get(partition);
            partition.post(Message::SpaceInLog);
            partition.step(now);
        }
    }
}
