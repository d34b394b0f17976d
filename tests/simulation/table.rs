//! The partition table of a world, as a system group writes it that never fails.
//!
//! It names this node or another member, and it hears of every boot. Replicas are told of a row when the world says so,
//! which may be late.

use std::collections::{BTreeMap, BTreeSet};

use steward_model::mutation::{self, Mutation};
use steward_model::{Boot, Epoch, Lane, NodeId, PartitionId};
use steward_protocol::replica::{Member, Row};

/// This node.
pub(crate) const OWN: NodeId = NodeId(1);

/// The member that answers, and that reigns when this node does not.
pub(crate) const PEER: Member = Member { node: NodeId(2), boot: Boot(1) };

/// A member that says nothing.
const SILENT: Member = Member { node: NodeId(3), boot: Boot(1) };

/// The rows, and the boots of the node.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    rows: BTreeMap<PartitionId, Row>,
    /// Partitions with three members, of which two commit.
    shared: BTreeSet<PartitionId>,
    boot: Boot,
}

impl Table {
    /// Returns the table of a world in which no node was named yet.
    pub(crate) fn new(partitions: &[PartitionId], shared: BTreeSet<PartitionId>) -> Table {
        let row = Row {
            epoch: Epoch::ZERO,
            primary: Member { node: OWN, boot: Boot(0) },
            in_sync: BTreeSet::new(),
            write_quorum: 1,
            recovery_quorum: 1,
            version: 0,
        };
        let rows = partitions.iter().map(|partition| (*partition, row.clone())).collect();
        Table { rows, shared, boot: Boot(0) }
    }

    fn own(&self) -> Member {
        Member { node: OWN, boot: self.boot }
    }

    /// Registers a process start of the node. Every row that named it gets a new reign; what was in memory only is gone, which
    /// the loss number shows.
    pub(crate) fn register(&mut self) -> Member {
        self.boot = Boot(self.boot.0 + 1);
        let resumes = mutation::is(Mutation::BootResumesRole);
        for partition in self.rows.keys().copied().collect::<Vec<_>>() {
            let row = &self.rows[&partition];
            let epoch = match partition.lane {
                Lane::Persisted if resumes && row.epoch != Epoch::ZERO => row.epoch,
                Lane::Persisted => row.epoch.next_ownership(),
                Lane::Volatile => Epoch { loss: row.epoch.loss + 1, ownership: 1, ..row.epoch },
            };
            if row.primary.node == OWN {
                self.set(partition, epoch, self.own());
            }
        }
        self.own()
    }

    fn set(&mut self, partition: PartitionId, epoch: Epoch, primary: Member) {
        let own = self.own();
        let is_shared = self.shared.contains(&partition);
        let row = self.rows.get_mut(&partition).expect("the world has this partition");
        (row.epoch, row.primary) = (epoch, primary);
        row.in_sync = if is_shared { BTreeSet::from([own, PEER, SILENT]) } else { BTreeSet::from([primary]) };
        (row.write_quorum, row.recovery_quorum) = if is_shared { (2, 2) } else { (1, 1) };
        row.version += 1;
    }

    /// Names the node again, or the other one, for a new reign.
    pub(crate) fn name(&mut self, partition: PartitionId, peer: bool) {
        let epoch = self.row(partition).epoch.next_ownership();
        self.set(partition, epoch, if peer { PEER } else { self.own() });
    }

    /// Changes a row without a new reign.
    pub(crate) fn touch(&mut self, partition: PartitionId) {
        self.rows.get_mut(&partition).expect("the world has this partition").version += 1;
    }

    /// Takes members out of the in-sync set, so that too few are left for a commit, or puts them back.
    pub(crate) fn shrink(&mut self, partition: PartitionId, few: bool) {
        let (own, is_shared) = (self.own(), self.shared.contains(&partition));
        let row = self.rows.get_mut(&partition).expect("the world has this partition");
        if is_shared {
            row.in_sync = if few { BTreeSet::from([own]) } else { BTreeSet::from([own, PEER, SILENT]) };
            row.version += 1;
        }
    }

    /// Returns the newest row of a partition.
    pub(crate) fn row(&self, partition: PartitionId) -> &Row {
        &self.rows[&partition]
    }

    /// Returns true if the newest row names this node.
    pub(crate) fn names_this_node(&self, partition: PartitionId) -> bool {
        self.row(partition).primary.node == OWN
    }

    /// Returns true if commits of the partition need another member.
    pub(crate) fn is_shared(&self, partition: PartitionId) -> bool {
        self.shared.contains(&partition)
    }
}
