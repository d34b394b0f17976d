//! The cluster state: the result of applying all commands.
//!
//! Every reader gets a copy after each command, so a clone must cost little: the parts are shared, and a command copies
//! only the part that it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::group::GroupId;
use steward_model::module::Digest;
use steward_model::partition::PARTITIONS_PER_LANE;
use steward_model::{Link, NodeId, PartitionId};

use super::group::{Group, Node, Quorum};
use super::registry::{Factory, GuestModule, Mounted, Registry};
use super::table::{Row, Table, can_begin};

/// One life of the system group; a new one begins only when the old one is recovered by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Incarnation {
    /// Counts lives; the first part of every epoch. 0: no state has been installed.
    pub counter: u16,
    /// Random: tells two lives with the same counter apart.
    pub id: u128,
}

/// What every node agrees on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClusterState {
    pub(super) group_id: GroupId,
    pub(super) incarnation: Incarnation,
    pub(super) partitions_per_lane: u16,
    #[serde(with = "shared")]
    pub(super) group: Arc<Group>,
    #[serde(with = "shared")]
    pub(super) table: Arc<Table>,
    #[serde(with = "shared")]
    pub(super) registry: Arc<Registry>,
    #[serde(with = "shared")]
    pub(super) config: Arc<BTreeMap<String, String>>,
}

impl Format for ClusterState {
    const NAME: &'static str = "cluster state";
    const VERSION: u8 = 3;
    // An older reader does not know which nodes count.
    const READABLE_FROM: u8 = 3;
}

impl ClusterState {
    /// Returns the state with which a new cluster of `founders` peers begins: no node, and no partition assigned.
    ///
    /// Both ids are drawn by the caller.
    pub fn founding(group_id: GroupId, incarnation_id: u128, founders: u32) -> ClusterState {
        let incarnation = Incarnation { counter: 0, id: incarnation_id };
        let group = Arc::new(Group::founding(founders));
        ClusterState {
            group_id,
            incarnation,
            partitions_per_lane: PARTITIONS_PER_LANE,
            group,
            ..ClusterState::default()
        }
    }

    /// Returns true until a first command has installed a state.
    pub fn is_blank(&self) -> bool {
        self.group_id == GroupId::default()
    }

    /// Returns the name of the cluster.
    pub fn group_id(&self) -> GroupId {
        self.group_id
    }

    /// Returns which life of the system group this is.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Returns how many partitions each lane has.
    pub fn partitions_per_lane(&self) -> u16 {
        self.partitions_per_lane
    }

    /// Returns all nodes and the quorum.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns all rows.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Returns all guest modules and factories.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns how often rows have changed: equal numbers mean equal tables.
    pub fn table_version(&self) -> u64 {
        self.table.version()
    }

    /// Returns the row of `partition`; none before the first peer has registered.
    pub fn row(&self, partition: PartitionId) -> Option<&Row> {
        self.table.row(partition)
    }

    /// Returns true if another member could order `partition`: enough members serve for its reign to begin.
    pub fn can_be_handed_over(&self, partition: PartitionId) -> bool {
        self.row(partition).is_some_and(|row| can_begin(&self.group, row))
    }

    /// Returns the node with this number.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.group.node(id)
    }

    /// Returns the quorum of the group.
    pub fn quorum(&self) -> Quorum {
        self.group.quorum()
    }

    /// Returns the factory at exactly this path, mounted or not.
    pub fn factory(&self, path: &Link) -> Option<&Factory> {
        self.registry.factory(path)
    }

    /// Returns the mounted factory with the longest path that is `link` or an ancestor of it, and what it runs.
    pub fn factory_of(&self, link: &Link) -> Option<(&Factory, &Mounted)> {
        self.registry.factory_of(link)
    }

    /// Returns the guest module with this digest.
    pub fn module(&self, digest: &Digest) -> Option<&GuestModule> {
        self.registry.module(digest)
    }

    /// Returns a setting of the cluster.
    pub fn config(&self, key: &str) -> Option<&str> {
        self.config.get(key).map(String::as_str)
    }
}

/// Serializes a shared part as the part itself.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(part: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        part.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}
