//! What everything else of a node stands on: folder, stores, log, system group, partitions.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use steward_model::{Lane, PartitionId};
use steward_protocol::cluster::Member;
use steward_storage::state::StateStore;

use super::folder::Folder;
use super::recover::{self, Found};
use crate::clock::Clock;
use crate::cluster::{self, ControlLog, System};
use crate::config::{Options, Quorum};
use crate::partition::{Applier, Cache, LogEvents, Partition, Shared, Space, Table, UNDER_WAY_BYTES_MAX};
use crate::shutdown::Shutdown;

/// Bytes of documents that are kept in memory.
const CACHE_BYTES: u64 = 48 * 1024 * 1024;

/// Free space that is kept in reserve for what is under way when the disk gets full.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;

/// How often the free space is looked at.
const LOOK_AT_SPACE: Duration = Duration::from_millis(100);

/// See the head of this module.
pub(super) struct Foundation {
    pub(super) folder: Folder,
    pub(super) persisted: Arc<dyn StateStore>,
    pub(super) system: System,
    pub(super) table: Arc<Table>,
    pub(super) events: Arc<LogEvents>,
}

impl Foundation {
    /// Opens everything that the disk holds, and registers with the system group.
    ///
    /// # Errors
    /// If the folder cannot be used, or holds less than was acknowledged.
    pub(super) async fn lay(
        options: &Options,
        port: u16,
        public_uri: &str,
        clock: &Arc<Clock>,
    ) -> anyhow::Result<Foundation> {
        let folder = Folder::open(options, port, clock.timestamp())?;
        let Found { log, persisted, volatile, mut recovery } = recover::open(&folder).await?;
        clock.observe(recovery.latest());
        let system = system(options, &folder, public_uri, clock).await.context("start the system group")?;
        let events = Arc::new(LogEvents::default());
        let shared = Arc::new(Shared {
            clock: Arc::clone(clock),
            log,
            space: Arc::new(Space::new(folder.path().to_owned(), RESERVE_BYTES)),
            under_way: Arc::new(tokio::sync::Semaphore::new(UNDER_WAY_BYTES_MAX)),
            cache: Arc::new(Cache::new(CACHE_BYTES)),
            applier: Applier::default(),
            events: Arc::clone(&events),
            outbox_changed: tokio::sync::Notify::new(),
            own: Member { node: system.node, boot: system.boot },
            queue_limit: options.queue_limit,
        });
        let open = |id: PartitionId| {
            let store = match id.lane {
                Lane::Persisted => &persisted,
                Lane::Volatile => &volatile,
            };
            let store = recover::store_of(store, id);
            anyhow::Ok(Partition::open(id, Arc::clone(&shared), store, recovery.take(id))?)
        };
        let table = Arc::new(Table::open(Arc::clone(&shared), open).context("open the partitions")?);
        events.connect(Arc::clone(&table));
        Ok(Foundation { folder, persisted, system, table, events })
    }
}

async fn system(options: &Options, folder: &Folder, public_uri: &str, clock: &Clock) -> Result<System, cluster::Error> {
    let bootstrap = cluster::Bootstrap {
        folder: folder.path().to_owned(),
        host: folder.host_id().clone(),
        store: folder.store_id(),
        address: public_uri.to_owned(),
        location: options.location.clone().unwrap_or_default(),
        quorum: match options.membership_quorum {
            Quorum::Auto => None,
            Quorum::Fixed(quorum) => Some(quorum),
        },
        now: clock.timestamp(),
    };
    cluster::start(bootstrap).await
}

/// Tells the partitions what the system group says about them, now and whenever it changes.
pub(super) fn follow_table(control: &Arc<dyn ControlLog>, table: &Arc<Table>, shutdown: &Shutdown) {
    let mut cluster = control.watch();
    let state = cluster.borrow_and_update().clone();
    table.cluster_changed(&state);
    let (table, stop) = (Arc::clone(table), shutdown.clone());
    shutdown.spawn("table", async move {
        let mut seen = state.table_version();
        loop {
            tokio::select! {
                () = stop.stopping() => return,
                changed = cluster.changed() => if changed.is_err() { return },
            }
            let state = cluster.borrow_and_update().clone();
            if state.table_version() != seen {
                seen = state.table_version();
                table.cluster_changed(&state);
            }
        }
    });
}

/// Keeps an eye on the free space, so that updates are refused before a write fails.
pub(super) fn look_at_space(shared: &Arc<Shared>, shutdown: &Shutdown) {
    shared.space.look(shared.log.is_short_of_space());
    let (shared, stop) = (Arc::clone(shared), shutdown.clone());
    shutdown.spawn("space", async move {
        loop {
            tokio::select! {
                () = stop.stopping() => return,
                () = tokio::time::sleep(LOOK_AT_SPACE) => {}
            }
            shared.space.look(shared.log.is_short_of_space());
        }
    });
}

/// Returns once this node serves every partition.
pub(super) async fn all_serving(table: &Table) {
    for partition in table.all() {
        // The sender lives as long as the partition, so waiting ends with the condition only.
        let _ = partition.watch_serving().wait_for(Option::is_some).await;
    }
}
