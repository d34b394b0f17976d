//! The partition table of a world: what a system group says that never fails.
//!
//! It names this node, sometimes another one that never comes up and is replaced again, and it hears of every boot.
//! Replicas learn of a row when the world tells them, which may be late.

use std::collections::{BTreeMap, BTreeSet};

use steward_model::{Boot, Epoch, Lane, NodeId, PartitionId};
use steward_protocol::replica::{Member, Row};

const NODE: NodeId = NodeId(1);
const OTHER: Member = Member { node: NodeId(2), boot: Boot(1) };

/// The rows, and the boots of the node.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    rows: BTreeMap<PartitionId, Row>,
    boot: Boot,
}

impl Table {
    pub(crate) fn new(partitions: &[PartitionId]) -> Table {
        let own = Member { node: NODE, boot: Boot(0) };
        let row = Row {
            epoch: Epoch::ZERO,
            primary: own,
            in_sync: BTreeSet::from([own]),
            write_quorum: 1,
            recovery_quorum: 1,
            version: 0,
        };
        Table { rows: partitions.iter().map(|partition| (*partition, row.clone())).collect(), boot: Boot(0) }
    }

    /// Registers a process start of the node. Every row gets a new reign, unless `resumes` breaks that rule; what was in
    /// memory only is gone, which the loss number shows.
    pub(crate) fn register(&mut self, resumes: bool) -> Member {
        self.boot = Boot(self.boot.0 + 1);
        let own = Member { node: NODE, boot: self.boot };
        for (partition, row) in &mut self.rows {
            row.epoch = match partition.lane {
                Lane::Persisted if resumes && row.epoch != Epoch::ZERO => row.epoch,
                Lane::Persisted => row.epoch.next_ownership(),
                Lane::Volatile => Epoch { loss: row.epoch.loss + 1, ownership: 1, ..row.epoch },
            };
            row.primary = own;
            row.in_sync = BTreeSet::from([own]);
            row.version += 1;
        }
        own
    }

    /// Names the node again, or the other one, for a new reign.
    pub(crate) fn name(&mut self, partition: PartitionId, other: bool) {
        let own = Member { node: NODE, boot: self.boot };
        let row = self.rows.get_mut(&partition).expect("the world has this partition");
        row.epoch = row.epoch.next_ownership();
        row.primary = if other { OTHER } else { own };
        row.version += 1;
    }

    /// Changes a row without a new reign.
    pub(crate) fn touch(&mut self, partition: PartitionId) {
        self.rows.get_mut(&partition).expect("the world has this partition").version += 1;
    }

    pub(crate) fn row(&self, partition: PartitionId) -> &Row {
        &self.rows[&partition]
    }

    /// Returns true if the newest row names this node.
    pub(crate) fn names_this_node(&self, partition: PartitionId) -> bool {
        self.row(partition).primary.node == NODE
    }
}
