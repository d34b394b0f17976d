//! What the system group and the other member do, as steps of a world.

use steward_model::{Epoch, Lane, PartitionId};
use steward_protocol::replica::{self, Event, RoleName};
use steward_replication::Message;

use crate::requests::{Times, elsewhere};
use crate::table::PEER;
use crate::tasks::place;
use crate::world::World;

impl World {
    /// Names this node for a new reign.
    pub(crate) fn name(&mut self, partition: PartitionId) {
        self.table.name(partition, false);
        if self.random.below(2) == 0 {
            self.tell(partition);
        }
    }

    /// Makes the in-sync set too small, or whole again.
    pub(crate) fn shrink(&mut self, partition: PartitionId) {
        let few = self.random.below(2) == 0;
        self.table.shrink(partition, few);
    }

    /// Has the other member reign, and often do something at once.
    pub(crate) fn reign_elsewhere(&mut self, partition: PartitionId) {
        if !self.table.is_shared(partition) {
            return;
        }
        self.table.name(partition, true);
        for _ in 0..self.random.below(12) {
            self.order(partition);
        }
        if self.random.below(2) == 0 {
            self.decree(partition);
        }
        if self.random.below(2) == 0 {
            self.tell(partition);
        }
    }

    /// Leaves the newest row with the copy.
    pub(crate) fn tell(&mut self, partition: PartitionId) {
        let row = self.table.row(partition).clone();
        self.node.partitions.get(partition).post(Message::Row(Box::new(row)));
    }

    /// Lets all that goes by itself go on for a while.
    pub(crate) fn flow(&mut self) {
        for _ in 0..1 + self.random.below(4) {
            for partition in self.partitions.clone() {
                self.promise(partition);
                self.hand_out();
                self.copy(partition);
                self.deliver(partition);
                self.deliver(partition);
                self.node.partitions.get(partition).step(self.now.get());
            }
            self.node.write();
            self.node.partitions.step(self.now.get());
            self.poll();
            self.send(false);
            self.poll();
        }
    }

    /// Returns the reign that this node leads or begins, if it does.
    pub(crate) fn reign(&self, partition: PartitionId) -> Option<Epoch> {
        let status = self.node.partitions.get(partition).status().replica;
        let reigns = matches!(status.role, RoleName::Activating | RoleName::Primary);
        status.row.filter(|_| reigns).map(|row| row.epoch)
    }

    /// Returns true if nobody but this node may reign.
    pub(crate) fn is_alone(&self, partition: PartitionId) -> bool {
        partition.lane == Lane::Volatile || !self.table.is_shared(partition)
    }

    /// Has the other member promise the epoch for which this node stands.
    pub(crate) fn promise(&mut self, partition: PartitionId) {
        let status = self.node.partitions.get(partition).status().replica;
        let told = status.row.filter(|_| status.role == RoleName::Candidate);
        if let (Some(peer), Some(told)) = (self.peers.get_mut(&partition), told) {
            peer.promise(told.epoch);
        }
    }

    /// Has the other member copy what this node orders.
    pub(crate) fn copy(&mut self, partition: PartitionId) {
        // It looks at the log as it is now: earlier in the same step this node may have adopted the other one's.
        self.absorb();
        let reign = self.reign(partition);
        if let (Some(peer), Some(epoch)) = (self.peers.get_mut(&partition), reign) {
            let count = 1 + self.random.below(4);
            peer.copy(partition, epoch, self.node.log(), self.oracle.known(partition), count);
        }
    }

    /// Delivers something that the other member said, now and then twice.
    pub(crate) fn deliver(&mut self, partition: PartitionId) {
        let Some(peer) = self.peers.get_mut(&partition).filter(|peer| !peer.said.is_empty()) else { return };
        let index = self.random.below(peer.said.len());
        let is_repeated = self.random.below(8) == 0;
        let message = if is_repeated { peer.said[index].clone() } else { peer.said.remove(index) };
        let heard = Event::Received { from: PEER, message };
        self.node.partitions.get(partition).post(Message::Core(Box::new(heard)));
        if self.random.below(2) == 0 {
            self.node.partitions.get(partition).step(self.now.get());
        }
    }

    /// Has the other member answer what this node asks it for; whatever else this node sends it is lost.
    pub(crate) fn hand_out(&mut self) {
        for letter in self.node.partitions.shared().mail.take_letters() {
            let count = 1 + self.random.below(8);
            let Some(peer) = self.peers.get_mut(&letter.partition).filter(|_| letter.to == PEER) else { continue };
            if let replica::Message::Fetch { epoch, after } = letter.message {
                peer.hand_out(epoch, after, count);
            }
        }
    }

    /// Has the other member begin the reign for which it is named, and order something in it.
    pub(crate) fn order(&mut self, partition: PartitionId) {
        let row = self.table.row(partition);
        let Some(peer) = self.peers.get_mut(&partition).filter(|_| row.primary == PEER) else { return };
        peer.begin(row.epoch);
        let (request, now) = (self.clients.wish(&mut self.random), Times::of(&self.around));
        if place(&request.link) == partition {
            peer.order(&request.link, request.key(), |before, epoch| elsewhere(&request, before, epoch, now));
        }
    }

    /// Has the other member commit what it has ordered.
    pub(crate) fn decree(&mut self, partition: PartitionId) {
        if let Some(peer) = self.peers.get_mut(&partition) {
            peer.decree(self.oracle.known(partition));
        }
    }
}
