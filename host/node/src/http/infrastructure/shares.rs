//! How much of the documents lies with which node: what it owns, where its copies count, how far they are behind.

use std::collections::BTreeMap;

use steward_model::{Lane, NodeId};
use steward_protocol::cluster::ClusterState;

use crate::http::Http;

/// Counts partitions, and records that are missing, by node. Of the persisted lane; a volatile partition has one copy.
pub(super) struct Shares {
    owned: BTreeMap<NodeId, usize>,
    in_sync: BTreeMap<NodeId, usize>,
    behind: BTreeMap<NodeId, u64>,
    lost: BTreeMap<NodeId, usize>,
}

impl Shares {
    /// Returns the shares as the group has agreed on them, and how far copies are behind of which this node is the owner.
    pub(super) fn of(http: &Http, cluster: &ClusterState) -> Shares {
        let mut shares =
            Shares { owned: BTreeMap::new(), in_sync: BTreeMap::new(), behind: BTreeMap::new(), lost: BTreeMap::new() };
        for (_, row) in cluster.table().rows().filter(|(partition, _)| partition.lane == Lane::Persisted) {
            *shares.owned.entry(row.primary.node).or_default() += 1;
            for member in &row.in_sync {
                *shares.in_sync.entry(member.node).or_default() += 1;
            }
        }
        for partition in http.operations().partitions().lane(Lane::Persisted) {
            let replica = partition.status().replica;
            let end = replica.end.map_or(0, |end| end.offset.0 + 1);
            for copy in replica.copies {
                let held = copy.proven.map_or(0, |proven| proven.0 + 1);
                *shares.behind.entry(copy.member.node).or_default() += end.saturating_sub(held);
                *shares.lost.entry(copy.member.node).or_default() += usize::from(copy.is_lost);
            }
        }
        shares
    }

    /// Returns how many partitions a node owns.
    pub(super) fn owned(&self, node: NodeId) -> usize {
        self.owned.get(&node).copied().unwrap_or_default()
    }

    /// Returns in how many partitions the copy of a node counts.
    pub(super) fn in_sync(&self, node: NodeId) -> usize {
        self.in_sync.get(&node).copied().unwrap_or_default()
    }

    /// Returns the nodes that this one feeds, how many records their copies lack, and how many of those lack more than the log has.
    pub(super) fn fed(&self) -> impl Iterator<Item = (NodeId, u64, usize)> {
        self.behind.iter().map(|(node, records)| (*node, *records, self.lost.get(node).copied().unwrap_or_default()))
    }

    /// Returns how many records the copies of a node lack of what this node orders; none if this node feeds it nothing.
    pub(super) fn behind(&self, node: NodeId) -> Option<u64> {
        self.behind.get(&node).copied()
    }
}
