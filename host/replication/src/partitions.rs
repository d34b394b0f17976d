//! All copies of partitions of one node, and the steps that drive them.

use std::sync::Arc;

use steward_model::partition::PARTITIONS_PER_LANE;
use steward_model::{Lane, Link, Moment, PartitionId};
use steward_protocol::cluster::ClusterState;
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

    /// Tells every partition what the system group says about it.
    pub fn cluster_changed(&self, now: Moment, cluster: &ClusterState) {
        for partition in self.all() {
            if let Some(row) = cluster.row(partition.id()) {
                partition.post(Message::Row(Box::new(row.clone())));
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
    pub fn receive(&self, now: Moment, partition: PartitionId, from: Member, message: replica::Message) {
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
