//! The partition table: which reign each partition is in, who its primary is, and whose acknowledgements count.
//!
//! Problem: all nodes must give the same answer to two questions: who orders the updates of this partition, and how
//! many copies make an update certain? Meanwhile nodes restart, and the answer changes while messages are under way.
//!
//! Promise: only commands of the system group change a row. Two numbers make late messages harmless: `epoch` rises with
//! each naming of a primary, `version` with each change of the members or quorums within an epoch.
//!
//! ```text
//! 0/persisted/141 ──► epoch 0.0.7   primary (1, boot 4)   in sync {(1, 4) (2, 9) (3, 2)}   W 2   r 2   version 12
//!                                                          └─ any W of these make a commit
//!                                                          └─ any r of these find every commit again: r + W > #S
//! ```
//!
//! Source: host/docs/protocol.md, "The partition row" and "Changing the in-sync set". Left out for now: targets and
//! observers of partitions, which a cluster of one node does not need.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
pub use steward_model::Member;
use steward_model::partition::SelectorId;
use steward_model::{Epoch, Lane, NodeId, PartitionId};

use super::group::{Group, Node, NodeStatus, Role};
use super::refused::Refused;
use super::row::TooFewLeft;
pub use super::row::{Alteration, Move, Row};
use crate::placement::elect;

/// All rows, and a number that tells whether any changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Table {
    pub(super) rows: BTreeMap<PartitionId, Row>,
    pub(super) version: u64,
}

impl Table {
    /// Returns the row of `partition`; none before the first peer has registered.
    pub fn row(&self, partition: PartitionId) -> Option<&Row> {
        self.rows.get(&partition)
    }

    /// Returns all rows by partition.
    pub fn rows(&self) -> impl Iterator<Item = (PartitionId, &Row)> {
        self.rows.iter().map(|(partition, row)| (*partition, row))
    }

    /// Returns how often rows have changed.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Gives every partition to `member`, the first peer of the cluster.
    pub(super) fn found(&mut self, partitions_per_lane: u16, incarnation: u16, member: Member) {
        for lane in [Lane::Persisted, Lane::Volatile] {
            for index in 0..partitions_per_lane {
                let partition = PartitionId { selector: SelectorId::default(), lane, index };
                self.rows.insert(partition, Row::founded(incarnation, member));
            }
        }
    }

    /// Takes the new process start of `member` into every row, and names new primaries where the old one is gone.
    pub(super) fn restart_member(&mut self, group: &Group, member: Member, replaced: &[NodeId]) {
        for (partition, row) in &mut self.rows {
            row.restart_member(partition.lane, member, replaced);
            // The boot that was named is over, or its store is gone, and no boot resumes a role (I3): a new reign, be
            // it of the same node. Who still serves is preferred; the one that restarts has to be enough where nobody
            // does.
            if !row.in_sync.contains(&row.primary) {
                let available = row.in_sync.iter().copied().filter(|m| group.is_available(*m));
                let chosen = elect::candidate(*partition, available)
                    .or_else(|| elect::candidate(*partition, row.in_sync.iter().copied()))
                    .expect("a row has members: restarting one never leaves it empty");
                row.name(chosen);
            }
        }
    }

    /// Moves the duties of `leaving` to other members that serve; rows without one stay as they are.
    pub(super) fn hand_over(&mut self, group: &Group, leaving: Member) {
        for (partition, row) in &mut self.rows {
            if row.primary == leaving {
                let others = row.in_sync.iter().copied().filter(|m| *m != leaving && group.is_available(*m));
                if let Some(chosen) = elect::candidate(*partition, others) {
                    row.name(chosen);
                }
            }
        }
    }

    /// Takes a node that will not come back out of every row, and names new primaries where it was one.
    ///
    /// As with a store that is replaced, `recovery_quorum` stays: each committed update lost at most that one holder.
    ///
    /// # Errors
    /// [`Refused::CopiesNeeded`] if too few members would be left to find every committed update again, [`Refused::QuorumNeeded`] if too
    /// few to commit the next one; [`Refused::HoldsReplicas`]
    /// if it has the only copy of a partition and nobody serves who could begin anew in memory.
    pub(super) fn forget_member(&mut self, group: &Group, gone: NodeId) -> Result<(), Refused> {
        for (partition, row) in &mut self.rows {
            if row.in_sync.iter().any(|member| member.node == gone) {
                forget(*partition, row, group, gone)?;
            }
        }
        Ok(())
    }

    /// Lowers the write quorum of every row to the one of the group. What single nodes show changes none: how many disks an update
    /// is on must not depend on who happens to own its document.
    pub(super) fn lower_write_quorums(&mut self, group: &Group) {
        let quorum = group.quorum().value;
        self.rows.values_mut().for_each(|row| row.lower_write_quorum(quorum));
    }

    /// Names another primary, if the reign is still the one that is to end. Returns the new version of the row.
    pub(super) fn move_primary(&mut self, group: &Group, wanted: &Move) -> Result<u64, Refused> {
        let Move { partition, epoch, to } = *wanted;
        let row = self.row_in(partition, epoch)?;
        let member = row.in_sync.iter().find(|m| m.node == to).copied();
        let member = member.ok_or(Refused::NotInSync { partition, node: to })?;
        if row.primary == member {
            return Err(Refused::AlreadyPrimary { partition, node: to });
        }
        if !group.is_available(member) {
            return Err(Refused::NotAvailable { member });
        }
        // The reign that is there answers reads with fewer members than the next one needs to begin. A member that is leaving
        // counts for nothing: it may be gone before it hears of the next reign, and waits only for those that are named by then.
        if !can_begin(group, row) {
            return Err(Refused::TooFewServe { partition, needed: row.needed_to_begin() });
        }
        row.name(member);
        Ok(row.version)
    }

    /// Changes members and quorums of one row, if it is still the row that the change was decided on.
    pub(super) fn alter_in_sync(&mut self, group: &Group, alteration: &Alteration) -> Result<u64, Refused> {
        let Alteration { partition, epoch, version, in_sync, write_quorum } = alteration;
        let partition = *partition;
        let row = self.row_in(partition, *epoch)?;
        // The barrier was checked by the primary against this version. Against another one it says nothing.
        if row.version != *version {
            return Err(Refused::StaleVersion { partition, row: Box::new(row.clone()) });
        }
        let members = u32::try_from(in_sync.len()).unwrap_or(u32::MAX);
        if *write_quorum == 0 || members < *write_quorum {
            return Err(Refused::QuorumOutOfReach { partition, members, write_quorum: *write_quorum });
        }
        // Its own promise is one of the `r`, and no other member has as much of the log: it has to count itself.
        if !in_sync.contains(&row.primary) {
            return Err(Refused::PrimaryLeftOut { partition, primary: row.primary });
        }
        for member in in_sync {
            // A boot that is over was fed and may have forgotten since, if its lane is volatile: it proves itself anew.
            let node = group.current(member.node, member.boot)?;
            if node.role == Role::Observer {
                return Err(Refused::Observer { node: node.id });
            }
            if node.status == NodeStatus::Replaced {
                return Err(Refused::WrongStatus { node: node.id, status: node.status });
            }
        }
        row.alter(in_sync.clone(), *write_quorum);
        Ok(row.version)
    }

    /// Returns the row of `partition` if it is in `epoch`.
    fn row_in(&mut self, partition: PartitionId, epoch: Epoch) -> Result<&mut Row, Refused> {
        let row = self.rows.get_mut(&partition).ok_or(Refused::NotAssigned { partition })?;
        if row.epoch != epoch {
            return Err(Refused::StaleEpoch { partition, row: Box::new(row.clone()) });
        }
        Ok(row)
    }

    /// Returns the first partition that counts on `node`.
    pub(super) fn first_held_by(&self, node: NodeId) -> Option<PartitionId> {
        self.rows().find(|(_, row)| row.in_sync.iter().any(|m| m.node == node)).map(|(partition, _)| partition)
    }
}

/// Returns true if enough members of `row` serve for another reign to begin.
pub(super) fn can_begin(group: &Group, row: &Row) -> bool {
    let serving = row.in_sync.iter().filter(|member| group.is_available(**member)).count();
    serving >= row.needed_to_begin() as usize
}

/// Takes a node that will not come back out of one row.
fn forget(partition: PartitionId, row: &mut Row, group: &Group, gone: NodeId) -> Result<(), Refused> {
    let serving = |members: &mut dyn Iterator<Item = Member>| {
        elect::candidate(partition, members.filter(|member| group.is_available(*member)))
    };
    let is_last = row.in_sync.iter().all(|member| member.node == gone);
    match partition.lane {
        // Its memory is gone whether or not anybody knows its number.
        Lane::Volatile if is_last => {
            let mut peers = group.nodes().filter(|node| node.role == Role::Peer).map(Node::member);
            let heir = serving(&mut peers).ok_or(Refused::HoldsReplicas { node: gone, partition })?;
            row.restart_empty(heir);
            return Ok(());
        }
        Lane::Volatile | Lane::Persisted => {}
    }
    let elect = |left: &BTreeSet<Member>| {
        let mut left = left.iter().copied();
        serving(&mut left.clone()).or_else(|| elect::candidate(partition, &mut left))
    };
    row.forget_member(gone, group.quorum().value, elect).map_err(|few| match few {
        TooFewLeft::ToRecover { left, needed } => Refused::CopiesNeeded { node: gone, partition, left, needed },
        TooFewLeft::ToCommit { left, needed } => Refused::QuorumNeeded { node: gone, partition, left, needed },
    })
}
