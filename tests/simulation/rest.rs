//! The end of a world: faults stop, and then everything must become active and finish.

use anyhow::{Result, bail};
use steward_model::PartitionId;
use steward_protocol::replica::RoleName;

use crate::facts::Fact;
use crate::world::World;

/// Rounds within which everything finishes, whatever was under way.
const ROUNDS_MAX: usize = 400;

/// How far time goes on in a round, in milliseconds: delayed effects become due.
const ROUND_MILLIS: u64 = 1000;

impl World {
    /// Stops all faults and lets everything finish that can.
    ///
    /// # Errors
    /// What does not finish, or the invariant that broke meanwhile.
    pub(crate) fn come_to_rest(&mut self) -> Result<()> {
        self.say(|| "faults stop".to_owned());
        self.heal();
        // What was issued while the clock was wrong is due some day.
        self.wall.set(self.wall.get().max(self.latest));
        self.machine.store.reopen();
        self.machine.store.fail_writes(0);
        self.machine.store.fail_writes_half_way(0);
        self.machine.store.refuse(0);
        for partition in self.partitions.clone() {
            self.table.shrink(partition, false);
            if !self.table.names_this_node(partition) {
                self.table.name(partition, false);
            }
        }
        for round in 0..ROUNDS_MAX {
            self.round(round)?;
            if self.is_quiet() {
                self.partitions.iter().for_each(|partition| self.facts.push(Fact::LookAtStore(*partition)));
                self.facts.push(Fact::AtRest);
                return self.settle_step();
            }
        }
        bail!("l1_everything_finishes: {}", self.unfinished())
    }

    fn round(&mut self, round: usize) -> Result<()> {
        let span = std::time::Duration::from_millis(ROUND_MILLIS);
        self.wall.set(self.wall.get().plus(span));
        self.now.set(self.now.get().plus(span));
        for partition in self.partitions.clone() {
            self.move_on(partition, round)?;
            self.settle_step()?;
        }
        for client in 0..self.clients.len() {
            if let Some(request) = self.clients.next_of(client, &mut self.random, true) {
                self.spawn(client, request);
            }
        }
        let mut index = 0;
        while index < self.tasks.len() {
            index += usize::from(!self.poll_one(index));
        }
        self.settle_step()?;
        while self.node.write() {}
        self.node.partitions.step(self.now.get());
        self.settle_step()?;
        self.node.partitions.apply(&self.index, || ());
        self.checkpoint();
        self.trim();
        self.settle_step()
    }

    /// Does whatever one partition may wait for.
    fn move_on(&mut self, partition: PartitionId, round: usize) -> Result<()> {
        if !self.is_alone(partition) && round % 8 == 3 && self.reign(partition).is_none() {
            // It lacks what the peer has.
            self.cut(partition);
        }
        self.tell(partition);
        self.node.partitions.get(partition).step(self.now.get());
        self.promise(partition);
        self.hand_out();
        self.node.partitions.tick(self.now.get());
        for _ in 0..3 {
            self.copy(partition);
        }
        while self.peers.get(&partition).is_some_and(|peer| !peer.said.is_empty()) {
            self.deliver(partition);
        }
        self.node.partitions.get(partition).step(self.now.get());
        self.ask_for_outbox(partition);
        self.load_outboxes();
        self.claim(partition);
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        let is_done = |partition: &PartitionId| {
            let status = self.node.partitions.get(*partition).status();
            status.replica.role == RoleName::Primary
                && status.pending_effects == Some(0)
                && status.unapplied == 0
                && status.replica.committed == status.replica.end.map(|end| end.offset)
                && status.refused_by_log == 0
        };
        self.clients.waiting() == 0 && self.tasks.len() == 0 && self.partitions.iter().all(is_done)
    }

    fn unfinished(&self) -> String {
        let mut texts = vec![format!("{} clients wait, {} tasks", self.clients.waiting(), self.tasks.len())];
        for partition in &self.partitions {
            let status = self.node.partitions.get(*partition).status();
            texts.push(format!(
                "{partition} is {:?} with epoch {:?}, end {:?}, committed {:?}, {:?} effects, {} unapplied, {} refused",
                status.replica.role,
                status.replica.row.map(|row| row.epoch),
                status.replica.end,
                status.replica.committed,
                status.pending_effects,
                status.unapplied,
                status.refused_by_log,
            ));
        }
        texts.join("; ")
    }
}
