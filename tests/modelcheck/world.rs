//! One state of the group: replica cores, their disks, everything that was ever sent, the row, and what has been committed.
//!
//! Messages are a set that only grows: a message that was sent may arrive at any time, in any order, any number of times, or
//! never. The system group is one register that decides at once. Disks keep what they were given when it was given, unless the
//! scope says that they are slow.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use steward_model::partition::SelectorId;
use steward_model::update::Record;
use steward_model::{Boot, Epoch, Lane, Moment, NodeId, Offset, PartitionId, Position};
use steward_protocol::replica::{Alteration, Member, Message, Recovered, Replica, Row, Settings};

use crate::scope::Scope;

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// A number that stands for all of it.
    print: u64,
    pub(crate) from: Member,
    pub(crate) to: Member,
    pub(crate) message: Message,
}

/// What a disk was given and has not written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Write {
    Promise(Epoch),
    Record(Arc<Record>),
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) own: Member,
    pub(crate) replica: Replica,
    pub(crate) now: Moment,
    /// The promise on its disk.
    pub(crate) promised: Epoch,
    /// The records on its disk; those below `start` are only remembered, for the lineage.
    pub(crate) log: Vec<Arc<Record>>,
    pub(crate) start: Offset,
    pub(crate) unwritten: Vec<Write>,
}

/// A read that waits for its confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Read {
    pub(crate) node: usize,
    pub(crate) number: u64,
    /// Something that was acknowledged before it began was not committed where it looked.
    pub(crate) is_old: bool,
}

/// How often what has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Spent {
    pub(crate) epochs: usize,
    pub(crate) writes: usize,
    pub(crate) alterations: usize,
    pub(crate) crashes: usize,
    pub(crate) ticks: usize,
    pub(crate) quorums: usize,
    pub(crate) reads: usize,
    pub(crate) rebuilds: usize,
    pub(crate) trims: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) sent: Vec<Arc<Envelope>>,
    pub(crate) row: Row,
    /// Proposals that the system group has not decided; those that a change of the row has voided are gone.
    pub(crate) proposed: Vec<Alteration>,
    pub(crate) spent: Spent,
    /// What was ever committed, by offset, and the epoch in which it first was.
    pub(crate) committed: Vec<(Position, Epoch)>,
    pub(crate) active: BTreeSet<Epoch>,
    pub(crate) reads: Vec<Read>,
    pub(crate) confirmed: usize,
    /// A statement that turned out to be false.
    pub(crate) broken: Option<String>,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.nodes.hash(hasher);
        // A set: in which order messages were sent makes no difference.
        let sum = self.sent.iter().fold(0u64, |sum, envelope| sum.wrapping_add(envelope.print));
        (sum, self.sent.len()).hash(hasher);
        (&self.row, &self.proposed, self.spent, &self.committed, &self.active).hash(hasher);
        (&self.reads, self.confirmed, &self.broken).hash(hasher);
    }
}

impl Envelope {
    pub(crate) fn new(from: Member, to: Member, message: Message) -> Envelope {
        // Without a key that differs from run to run.
        let mut hasher = std::hash::DefaultHasher::new();
        (from, to, &message).hash(&mut hasher);
        Envelope { print: hasher.finish(), from, to, message }
    }
}

impl Node {
    /// Returns the node as a restart finds it.
    pub(crate) fn open(scope: &Scope, own: Member, promised: Epoch, log: Vec<Arc<Record>>, start: Offset) -> Node {
        let partition = PartitionId { selector: SelectorId::default(), lane: scope.lane, index: 0 };
        let mut lineage: Vec<(Epoch, Offset)> = Vec::new();
        for record in &log {
            if lineage.last().is_none_or(|(epoch, _)| *epoch < record.position.epoch) {
                lineage.push((record.position.epoch, record.position.offset));
            }
        }
        let last = log.last().map(|record| record.position);
        // The store has applied what the log no longer has, and nothing else is known to be committed.
        let applied = start.0.checked_sub(1).and_then(|offset| log.get(offset as usize)).map(|record| record.position);
        let recovered = Recovered { promised, lineage, start, last, applied };
        let replica = Replica::open(own, partition, settings(), recovered).expect("what was written fits together");
        Node { own, replica, now: Moment(0), promised, log, start, unwritten: Vec::new() }
    }

    /// Returns true if the disk has this record.
    pub(crate) fn holds(&self, position: Position) -> bool {
        self.log.get(position.offset.0 as usize).is_some_and(|record| record.position == position)
    }
}

/// Returns settings with which everything that may be sent is sent at once.
fn settings() -> Settings {
    Settings { message_records_max: 2, ..Settings::default() }
}

impl World {
    /// Returns the group before anything has happened: nobody was named.
    pub(crate) fn new(scope: &Scope) -> World {
        let member = |node: usize| Member { node: NodeId(node as u32), boot: Boot(1) };
        let in_sync: BTreeSet<Member> = (0..scope.members).map(member).collect();
        let (write_quorum, primary) = (scope.write_quorum, member(0));
        let mut row = Row { epoch: Epoch::ZERO, primary, in_sync, write_quorum, recovery_quorum: 1, version: 0 };
        row.alter(row.in_sync.clone(), write_quorum);
        let open = |node| Node::open(scope, member(node), Epoch::ZERO, Vec::new(), Offset(0));
        let mut world = World {
            nodes: (0..scope.nodes).map(open).collect(),
            sent: Vec::new(),
            row,
            proposed: Vec::new(),
            spent: Spent::default(),
            committed: Vec::new(),
            active: BTreeSet::new(),
            reads: Vec::new(),
            confirmed: 0,
            broken: None,
        };
        world.tell_targets(scope);
        world
    }

    /// Returns the node of a member, if it is listed in the boot that it has.
    pub(crate) fn members(&self, lane: Lane) -> impl Iterator<Item = &Node> {
        self.row.in_sync.iter().filter_map(move |member| {
            let node = &self.nodes[member.node.0 as usize];
            (lane == Lane::Persisted || node.own == *member).then_some(node)
        })
    }

    /// Takes note that a statement is false.
    pub(crate) fn broke(&mut self, what: impl FnOnce() -> String) {
        if self.broken.is_none() {
            self.broken = Some(what());
        }
    }
}
