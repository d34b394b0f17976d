//! The system group of a group of nodes: rows, boots, and what waits to be decided. It may be slow, or away.

use std::collections::{BTreeMap, BTreeSet};

use steward_model::{Boot, Epoch, Lane, NodeId, PartitionId};
use steward_protocol::replica::{Event, Member, Row};
use steward_replication::mail::Request;

#[derive(Debug)]
pub(crate) struct System {
    rows: BTreeMap<PartitionId, Row>,
    boots: Vec<u32>,
    pub(crate) is_away: bool,
    /// What was asked, by which site.
    pub(crate) asked: Vec<(usize, Request)>,
    /// The quorum that the group wants.
    pub(crate) quorum: u32,
    /// Nodes that will not come back.
    pub(crate) removed: BTreeSet<usize>,
    /// The last reign for which each node was named.
    pub(crate) named: BTreeMap<(PartitionId, usize), Epoch>,
    /// Who counted, by partition and version of its row.
    counted: BTreeMap<(PartitionId, u64), BTreeSet<Member>>,
}

/// Returns the number of a node, by its place in the group.
pub(crate) fn node(site: usize) -> NodeId {
    NodeId(site as u32 + 1)
}

/// Returns the place of a node in the group.
pub(crate) fn site(node: NodeId) -> usize {
    node.0 as usize - 1
}

impl System {
    /// Returns the rows of a group in which nobody was named yet; the first `members` count.
    pub(crate) fn new(partitions: &[PartitionId], sites: usize, members: usize, quorum: u32) -> System {
        let first = Member { node: node(0), boot: Boot(0) };
        let in_sync: BTreeSet<Member> = (0..members).map(|at| Member { node: node(at), boot: Boot(0) }).collect();
        let mut row = Row {
            epoch: Epoch::ZERO,
            primary: first,
            in_sync: BTreeSet::new(),
            write_quorum: quorum,
            recovery_quorum: 1,
            version: 0,
        };
        row.alter(in_sync, quorum);
        // What is in memory is where the group began, and nowhere else.
        let mut alone = row.clone();
        alone.alter(BTreeSet::from([first]), 1);
        let row_of =
            |partition: &PartitionId| if partition.lane == Lane::Volatile { alone.clone() } else { row.clone() };
        let rows = partitions.iter().map(|partition| (*partition, row_of(partition))).collect();
        let mut system = System {
            rows,
            boots: vec![0; sites],
            is_away: false,
            asked: Vec::new(),
            quorum,
            removed: BTreeSet::new(),
            named: BTreeMap::new(),
            counted: BTreeMap::new(),
        };
        system.note();
        system
    }

    /// Takes note of who counts now, and of who is named.
    fn note(&mut self) {
        for (partition, row) in &self.rows {
            self.counted.entry((*partition, row.version)).or_insert_with(|| row.in_sync.clone());
            self.named.insert((*partition, site(row.primary.node)), row.epoch);
        }
    }

    /// Returns who counted in a version of a row, and in all later ones.
    pub(crate) fn in_sync_since(
        &self,
        partition: PartitionId,
        version: u64,
    ) -> impl Iterator<Item = &BTreeSet<Member>> {
        self.counted.range((partition, version)..=(partition, u64::MAX)).map(|(_, members)| members)
    }

    pub(crate) fn row(&self, partition: PartitionId) -> &Row {
        &self.rows[&partition]
    }

    /// Returns this boot of a site.
    pub(crate) fn member(&self, site: usize) -> Member {
        Member { node: node(site), boot: Boot(self.boots[site]) }
    }

    /// Returns every node that was not removed, in its newest boot.
    pub(crate) fn members(&self) -> BTreeSet<Member> {
        let sites = (0..self.boots.len()).filter(|site| !self.removed.contains(site));
        sites.map(|site| self.member(site)).collect()
    }

    /// Removes a node for good, if enough are left of every row; where it was the primary, those that are left take turns by what was
    /// `drawn`. Returns whether it is removed now.
    pub(crate) fn remove(&mut self, gone: usize, drawn: usize) -> bool {
        let mut rows = self.rows.clone();
        let quorum = self.quorum.min(self.members().len().saturating_sub(1) as u32);
        let left: BTreeSet<Member> = self.members().into_iter().filter(|member| member.node != node(gone)).collect();
        let elect = |left: &BTreeSet<Member>| left.iter().cycle().nth(drawn).copied();
        for (partition, row) in &mut rows {
            if row.in_sync.iter().all(|member| member.node != node(gone)) {
                continue;
            }
            match (partition.lane, elect(&left)) {
                (Lane::Volatile, Some(heir)) => row.restart_empty(heir),
                (Lane::Volatile | Lane::Persisted, _) => {
                    if row.forget_member(node(gone), quorum, elect).is_err() {
                        return false;
                    }
                }
            }
        }
        if !self.removed.insert(gone) {
            return false;
        }
        self.rows = rows;
        self.set_quorum(quorum);
        true
    }

    /// Registers a process start.
    pub(crate) fn register(&mut self, site: usize) -> Member {
        self.boots[site] += 1;
        let own = self.member(site);
        for (partition, row) in &mut self.rows {
            row.restart_member(partition.lane, own, &[]);
        }
        self.note();
        own
    }

    /// Names a member for a new reign, if it is in the in-sync set.
    pub(crate) fn name(&mut self, partition: PartitionId, site: usize) {
        let member = self.member(site);
        let row = self.rows.get_mut(&partition).expect("the world has this partition");
        if row.in_sync.contains(&member) {
            row.name(member);
        }
        self.note();
    }

    /// Lowers the quorum, or wants a higher one.
    pub(crate) fn set_quorum(&mut self, quorum: u32) {
        self.quorum = quorum;
        self.rows.values_mut().for_each(|row| row.lower_write_quorum(quorum));
        self.note();
    }

    /// Decides what a site has asked; returns what it is told.
    pub(crate) fn decide(&mut self, request: Request) -> Option<(PartitionId, Event)> {
        match request {
            Request::Alter(alteration) => {
                let boots: BTreeSet<Member> = self.members();
                let row = self.rows.get_mut(&alteration.partition).expect("the world has this partition");
                let is_current = (row.epoch, row.version) == (alteration.epoch, alteration.version);
                if !is_current {
                    return None;
                }
                let is_sound = alteration.in_sync.is_subset(&boots) && alteration.in_sync.contains(&row.primary);
                if is_sound {
                    row.alter(alteration.in_sync, alteration.write_quorum);
                    self.note();
                    return None;
                }
                Some((alteration.partition, Event::AlterationRefused { version: alteration.version }))
            }
            Request::MovePrimary { partition, epoch, to } => {
                if self.row(partition).epoch == epoch && self.member(site(to.node)) == to {
                    self.name(partition, site(to.node));
                }
                None
            }
            Request::ConfirmRow { partition, through, .. } => {
                let epoch = self.row(partition).epoch;
                Some((partition, Event::RowConfirmed { epoch, through }))
            }
            Request::Rebuild { .. } => None,
        }
    }
}
