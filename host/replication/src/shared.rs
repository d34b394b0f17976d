//! What all copies of partitions on one node share: the log, the partitions that wait to be applied, the room on the
//! disk, and the health of the state store.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use steward_model::PartitionId;
use steward_model::mutation::{self, Mutation};
use steward_protocol::replica::{self, Member};
use steward_storage::documents;
use steward_storage::log::Log;
use steward_storage::state::StateStore;

use crate::applying::Applying;
use crate::cache::Cache;
use crate::completions::Completions;
use crate::mail::Mail;
use crate::observer::{Fatal, Observer, unpoisoned};
use crate::pending::{Amount, PendingEffects};
use crate::served::Served;
use crate::space::Space;
use crate::uncommitted::UncommittedBytes;

/// Bounds of a node's copies.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many operations may wait for one document.
    pub queue_limit: usize,
    /// Bytes of documents that are kept in memory.
    pub cache_bytes: u64,
    /// Bytes of committed updates that may wait for the state stores before no more are admitted.
    pub unapplied_bytes_max: u64,
    /// Bytes of updates that may be appended and not committed before no more are admitted.
    pub uncommitted_bytes_max: u64,
    /// Bytes of log that are kept for copies that were away, although the state store holds them.
    pub backlog_bytes: u64,
    /// What documents of this node may have to send.
    pub pending_effects_max: Amount,
    /// How patient replicas are, and how much they send at once.
    pub replica: replica::Settings,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            queue_limit: 1024,
            cache_bytes: 48 << 20,
            unapplied_bytes_max: 256 << 20,
            uncommitted_bytes_max: 256 << 20,
            backlog_bytes: 256 << 20,
            pending_effects_max: Amount::bound(1_000_000, 512 << 20),
            replica: replica::Settings::default(),
        }
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
    /// What copies want from others.
    pub mail: Mail,
    /// The partitions whose state stores are behind.
    pub applying: Applying,
    /// What waits for a quorum.
    pub uncommitted: Arc<UncommittedBytes>,
    /// What documents of this node have to send.
    pub pending_effects: Arc<PendingEffects>,
    /// Which copies this node answers for.
    pub served: Served,
    /// Is told what happens.
    pub observer: Arc<dyn Observer>,
    /// This process start of this node.
    pub own: Member,
    /// Bounds of queues, cache, backlog and what waits for a quorum or the stores.
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
            mail: Mail::default(),
            applying: Applying::new(options.unapplied_bytes_max),
            uncommitted: Arc::new(UncommittedBytes::new(options.uncommitted_bytes_max)),
            pending_effects: Arc::new(PendingEffects::new(options.pending_effects_max)),
            served: Served::default(),
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

    /// Returns true unless the state stores are so far behind that memory would run out.
    pub(crate) fn takes_appends(&self) -> bool {
        self.applying.check().is_ok()
    }

    /// Returns the largest update, in bytes as [`Update::bytes`](steward_model::update::Update::bytes) counts them.
    pub fn record_bytes_max(&self) -> u64 {
        // Twice what is counted leaves room for what the encoding adds.
        self.log.append_bytes_max() / 2
    }

    pub(crate) fn wants_space(&self, partition: PartitionId) {
        unpoisoned(self.wanting_space.lock()).insert(partition);
    }

    /// Returns the partitions whose frames the log had no room for; they are asked for once.
    pub(crate) fn take_wanting_space(&self) -> BTreeSet<PartitionId> {
        std::mem::take(&mut *unpoisoned(self.wanting_space.lock()))
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
    ///
    /// Ends everything if the store cannot be opened any more: whoever met that may have been a reader, who can only tell its client.
    pub fn look_after(&self, store: &dyn StateStore) {
        self.look_for_damage(store);
        if let Some(error) = store.unusable().filter(|_| !mutation::is(Mutation::FailedSyncIgnored)) {
            self.fail(&Fatal::Store(error.into()));
        }
    }

    fn look_for_damage(&self, store: &dyn StateStore) {
        let Some(damage) = store.damage() else { return };
        if self.store_health.is_damaged.swap(true, Ordering::AcqRel) {
            return;
        }
        *unpoisoned(self.store_health.problem.lock()) = Some(format!("damaged: {damage}"));
        match store.condemn(&damage) {
            Ok(()) => {
                tracing::warn!(%damage, "state store is damaged: start the node anew, it then makes the store anew out of the commit log")
            }
            Err(error) => {
                tracing::warn!(%damage, %error, "state store is damaged, and that could not be noted: stop the node, move the state store aside, start the node anew")
            }
        }
    }
}
