//! The parts that all others of a node need: folder, stores, log, system group, partitions.

use std::sync::Arc;

use anyhow::{Context, bail};
use steward_model::partition::PARTITIONS_PER_LANE;
use steward_model::{Lane, PartitionId};
use steward_protocol::cluster::{ClusterState, Member};
use steward_replication::Observer;
use steward_replication::completions::Completions;
use steward_storage::documents::PartitionStore;
use steward_storage::state::StateStore;

use super::folder::Folder;
use super::recover::{self, Found};
use crate::clock::Clock;
use crate::cluster::{self, Peers, System};
use crate::config::{Options, Quorum};
use crate::partition::{self, Hands, Partition, Partitions, Shared};
use crate::shutdown::Shutdown;

pub(super) struct Foundation {
    pub(super) folder: Folder,
    pub(super) persisted: Arc<dyn StateStore>,
    pub(super) system: System,
    pub(super) partitions: Arc<Partitions>,
    pub(super) hands: Arc<Hands>,
}

impl Foundation {
    /// Opens everything that the disk holds, and registers with the system group.
    ///
    /// # Errors
    /// If the folder cannot be used, or holds less than was acknowledged.
    pub(super) async fn open(options: &Options, start: Start<'_>) -> anyhow::Result<Foundation> {
        let clock = start.clock;
        let folder = Folder::open(options, clock.timestamp())?;
        let Found { log, persisted, volatile, mut recovery } = recover::open(&folder, clock).await?;
        clock.observe(recovery.latest());
        let system = system(options, &folder, start).await.context("start the system group")?;
        let hands = Arc::new(Hands::default());
        let own = system.member();
        let bounds = partition::Options {
            queue_limit: options.queue_limit,
            backlog_bytes: options.backlog_bytes,
            pending_effects_max: options.pending_effects_max,
            ..partition::Options::default()
        };
        let completions = Arc::new(Completions::default());
        let shared = Arc::new(Shared::new(log, completions, Arc::clone(&hands) as Arc<dyn Observer>, own, bounds));
        let open = |id: PartitionId| {
            let store = match id.lane {
                Lane::Persisted => &persisted,
                Lane::Volatile => &volatile,
            };
            let store = PartitionStore::find(Arc::clone(store), id)?;
            anyhow::Ok(Partition::open(id, Arc::clone(&shared), store, recovery.take(id))?)
        };
        let partitions = Partitions::open(Arc::clone(&shared), PARTITIONS_PER_LANE, open);
        let partitions = Arc::new(partitions.context("open the partitions")?);
        same_past(&partitions, &system.control.state(), own)?;
        Ok(Foundation { folder, persisted, system, partitions, hands })
    }
}

/// Refuses to go on if the system group names this node for a reign that a partition promised before: then the group has
/// forgotten what the commit log remembers, and two reigns of one number would follow.
fn same_past(partitions: &Partitions, cluster: &ClusterState, own: Member) -> anyhow::Result<()> {
    for partition in partitions.all() {
        let promised = partition.status().replica.promised;
        let named = cluster.row(partition.id()).filter(|row| row.primary == own && row.epoch <= promised);
        if let Some(row) = named {
            bail!(
                "the system group names epoch {} of partition {}, but the commit log has promised epoch {promised}: the folder \
                 `system` is older than the log, or was lost; restore the whole data folder from one backup",
                row.epoch,
                partition.id()
            );
        }
    }
    Ok(())
}

/// What a start brings with it.
pub(super) struct Start<'a> {
    /// How others reach this node.
    pub(super) public_uri: &'a str,
    pub(super) clock: &'a Arc<Clock>,
    /// Told when the group wants this process to end.
    pub(super) shutdown: &'a Shutdown,
    pub(super) peers: Option<Peers>,
}

async fn system(options: &Options, folder: &Folder, start: Start<'_>) -> Result<System, cluster::Error> {
    let bootstrap = cluster::Bootstrap {
        folder: folder.path().to_owned(),
        host: folder.host_id().clone(),
        store: folder.store_id(),
        address: start.public_uri.to_owned(),
        location: options.location.clone().unwrap_or_default(),
        quorum: match options.membership_quorum {
            Quorum::Auto => None,
            Quorum::Fixed(quorum) => {
                let listed = options.peers.nodes.len().max(1);
                if quorum as usize > listed {
                    tracing::warn!(
                        quorum,
                        listed,
                        "updates wait until as many nodes serve as --membership-quorum says, and fewer are listed"
                    );
                }
                Some(quorum)
            }
        },
        clock: Arc::clone(start.clock),
        shutdown: start.shutdown.clone(),
        peers: start.peers,
    };
    cluster::start(bootstrap).await
}
