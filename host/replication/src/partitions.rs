//! All copies of partitions of one node, and the steps that drive them.

use std::collections::BTreeSet;
use std::sync::Arc;

use steward_model::partition::PARTITIONS_PER_LANE;
use steward_model::{Lane, Link, Moment, PartitionId};
use steward_protocol::cluster::ClusterState;
use steward_protocol::cluster::group::{Node, NodeStatus, Role};
use steward_protocol::replica::{self, Event, Member};

use crate::partition::{Message, Partition};
use crate::shared::Shared;

/// The partitions of the default selector, both lanes.
pub struct Partitions {
    shared: Arc<Shared>,
    persisted: Vec<Arc<Partition>>,
    volatile: Vec<Arc<Partition>>,
}

impl Partitions {
    /// Returns the partitions that `open` returns, `count` per lane.
    ///
    /// # Errors
    /// The first of `open`.
    ///
    /// # Panics
    /// If `count` is above [`PARTITIONS_PER_LANE`].
    pub fn open<E>(
        shared: Arc<Shared>,
        count: u16,
        mut open: impl FnMut(PartitionId) -> Result<Partition, E>,
    ) -> Result<Partitions, E> {
        assert!(count <= PARTITIONS_PER_LANE, "{count} partitions per lane, {PARTITIONS_PER_LANE} exist");
        let mut lane = |lane| {
            let ids = PartitionId::all(lane).take(usize::from(count));
            ids.map(|id| open(id).map(Arc::new)).collect::<Result<Vec<_>, E>>()
        };
        let (persisted, volatile) = (lane(Lane::Persisted)?, lane(Lane::Volatile)?);
        Ok(Partitions { shared, persisted, volatile })
    }

    /// Returns what the partitions share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns a partition.
    ///
    /// # Panics
    /// If it is not among those that were opened.
    pub fn get(&self, id: PartitionId) -> &Arc<Partition> {
        let found = self.lane(id.lane).get(usize::from(id.index));
        found.unwrap_or_else(|| panic!("partition {id} does not exist"))
    }

    /// Returns true if this node has a copy of the partition.
    pub fn has(&self, id: PartitionId) -> bool {
        usize::from(id.index) < self.lane(id.lane).len()
    }

    /// Returns the partition of a document.
    pub fn of(&self, link: &Link, lane: Lane) -> &Arc<Partition> {
        self.get(PartitionId::of(link, lane))
    }

    /// Returns every partition.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.persisted.iter().chain(&self.volatile)
    }

    /// Returns the partitions of a lane.
    pub fn lane(&self, lane: Lane) -> &[Arc<Partition>] {
        match lane {
            Lane::Persisted => &self.persisted,
            Lane::Volatile => &self.volatile,
        }
    }

    /// Tells every partition what the system group says about it, as far as that is not what it said `before`: its row, and in the
    /// persisted lane who shall have a copy and how many members the group wants to hold an update.
    ///
    /// Copies in memory stay where they are: nobody feeds them to other nodes yet.
    pub fn cluster_changed(&self, now: Moment, before: Option<&ClusterState>, cluster: &ClusterState) {
        let (targets, quorum) = (targets(cluster), cluster.quorum().value);
        let are_new = before.is_none_or(|before| before.quorum().value != quorum || self::targets(before) != targets);
        for partition in self.all() {
            let row = cluster.row(partition.id());
            let row = row.filter(|row| before.and_then(|before| before.row(partition.id())) != Some(row));
            let is_told = are_new && partition.id().lane == Lane::Persisted;
            // First what the group wants: a row whose quorum was lowered would otherwise be raised to the old one at once.
            if is_told {
                partition.post(Message::Core(Box::new(Event::TargetsChanged(targets.clone()))));
                partition.post(Message::Core(Box::new(Event::QuorumChanged(quorum))));
            }
            if let Some(row) = row {
                partition.post(Message::Row(Box::new(row.clone())));
            }
            if row.is_some() || is_told {
                partition.step(now);
            }
        }
    }

    /// Takes what the log has made durable since the last step, and tries again what it had no room for. Returns how many
    /// groups of the log that were.
    pub fn step(&self, now: Moment) -> usize {
        let mut groups = 0;
        while self.step_group(now) {
            groups += 1;
        }
        self.retry_outgoing(now);
        groups
    }

    /// Takes one group that the log has made durable; for simulations that stop between two. Returns false if there is none.
    pub fn step_group(&self, now: Moment) -> bool {
        let Some(messages) = self.shared.completions.next() else { return false };
        for (partition, message) in messages {
            // One after the other: a partition whose promise and records became durable together hears of them in order.
            let partition = self.get(partition);
            partition.post(message);
            partition.step(now);
        }
        true
    }

    /// Tells the copies whose moment has come that time has passed. Returns how many those were.
    pub fn tick(&self, now: Moment) -> usize {
        let due = self.shared.mail.take_due(now);
        for partition in &due {
            let partition = self.get(*partition);
            partition.post(Message::Tick);
            partition.step(now);
        }
        due.len()
    }

    /// Takes what another member said about a partition, over a connection that vouches for it.
    ///
    /// Appends are passed over while the stores of this node are too far behind, as if they were lost on the way: their sender asks
    /// again, with longer pauses and without records, until it is answered. What was acknowledged before stays.
    pub fn receive(&self, now: Moment, partition: PartitionId, from: Member, message: replica::Message) {
        if matches!(message, replica::Message::Append(_)) && !self.shared.takes_appends() {
            tracing::debug!(%partition, %from, "append passed over, the state stores are too far behind");
            return;
        }
        self.tell(now, partition, Event::Received { from, message });
    }

    /// Tells the core of a copy something that concerns nothing else, and takes what is in its mailbox.
    pub fn tell(&self, now: Moment, partition: PartitionId, event: Event) {
        let partition = self.get(partition);
        partition.post(Message::Core(Box::new(event)));
        partition.step(now);
    }

    /// Reads records that a copy wants for another member; reads of the log take time, so this is a step of its own. Returns
    /// false if nothing is wanted.
    pub fn read_log(&self, now: Moment) -> bool {
        let Some((partition, read)) = self.shared.mail.next_read() else { return false };
        let records = self.get(partition).logged(&read);
        self.tell(now, partition, Event::LogRead { read, records });
        true
    }

    /// Hands the log again what it had no room for.
    pub fn retry_outgoing(&self, now: Moment) {
        for partition in self.shared.take_wanting_space() {
            let partition = self.get(partition);
            partition.post(Message::SpaceInLog);
            partition.step(now);
        }
    }
}

/// Returns who shall have a copy of each partition: all nodes that are there. One that is believed to be gone is fed again
/// when it reports.
fn targets(cluster: &ClusterState) -> BTreeSet<Member> {
    let holds = |node: &&Node| match node.status {
        NodeStatus::Synchronizing | NodeStatus::Available | NodeStatus::Leaving => node.role == Role::Peer,
        NodeStatus::Unavailable | NodeStatus::Replaced => false,
    };
    cluster.group().nodes().filter(holds).map(Node::member).collect()
}
