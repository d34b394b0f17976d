//! The life of a process in a world: what it does by itself, how it ends, and how the next one begins.

use std::rc::Rc;

use anyhow::{Context, Result};
use steward_model::{Lane, PartitionId, Position};
use steward_protocol::replica::RoleName;
use steward_replication::Options;
use steward_storage::state::Odds;

use crate::carrier::carry;
use crate::facts::Fact;
use crate::model::Model;
use crate::table::PEER;
use crate::tasks::{Around, Owner, place};
use crate::world::World;

/// Bounds of a node in a world: small, so that they are met.
pub(crate) fn options() -> Options {
    Options {
        queue_limit: 4,
        cache_bytes: 16 << 10,
        unapplied_bytes_max: 24 << 10,
        uncommitted_bytes_max: 16 << 10,
        backlog_bytes: 0,
        ..Options::default()
    }
}

impl World {
    /// Has some partition take one message.
    pub(crate) fn take_message(&mut self) {
        let first = self.random.below(self.partitions.len());
        let order = self.partitions.iter().cycle().skip(first).take(self.partitions.len());
        let now = self.now.get();
        order.map(|id| self.node.partitions.get(*id)).any(|copy| copy.step_once(now));
    }

    /// Has the store of a partition looked at, but not each time: looking at everything costs more than doing it.
    pub(crate) fn look_at_times(&mut self, partition: PartitionId) {
        if self.random.below(4) == 0 {
            self.facts.push(Fact::LookAtStore(partition));
        }
    }

    /// Makes the state store durable and says so in the log.
    pub(crate) fn checkpoint(&mut self) {
        // What a cut log will get in place of its tail is protected by nothing but the process start that follows.
        if self.node.checkpoint.is_some() {
            return;
        }
        let store = self.machine.store.clone();
        match self.node.partitions.checkpoint(&store) {
            Ok(logged) => self.node.checkpoint = Some(logged),
            Err(error) => {
                self.seen.failed_checkpoints += 1;
                self.say(|| format!("  {error}"));
            }
        }
    }

    /// Lets go of the log below a checkpoint that is on the disk.
    pub(crate) fn trim(&mut self) {
        let persisted = self.node.persisted();
        if let Some(logged) = self.node.checkpoint.take_if(|logged| persisted >= logged.frame) {
            let trimmed = self.node.partitions.trim(logged);
            self.seen.trimmed_segments += trimmed.map_or(0, |trimmed| trimmed.segments);
        }
    }

    /// Asks which effects a new reign has pending; the answer waits for the store.
    pub(crate) fn ask_for_outbox(&mut self, partition: PartitionId) {
        let asked = self.node.partitions.get(partition).unloaded_outbox();
        let asked = asked.map(|(epoch, end)| (partition, epoch, end));
        self.loading.extend(asked.filter(|asked| !self.loading.contains(asked)));
    }

    /// Claims documents with effects to send.
    pub(crate) fn claim(&mut self, partition: PartitionId) {
        let (now, reign) = (self.around.steady(), self.reign(partition).unwrap_or_default());
        for claim in self.node.partitions.get(partition).with_outbox(|outbox| outbox.claim(now, 2)) {
            self.tasks.spawn(Owner::Host, carry(Rc::clone(&self.around), (partition, reign), claim));
        }
    }

    /// Tells those who asked and whose store has caught up.
    pub(crate) fn load_outboxes(&mut self) {
        let (partitions, steady) = (&self.node.partitions, self.around.steady());
        for (partition, epoch, end) in std::mem::take(&mut self.loading) {
            let copy = partitions.get(partition);
            // Whoever asked waits for the store in between; if the store cannot tell, the question is asked again.
            if copy.applied() < end {
                self.loading.push((partition, epoch, end));
            } else if copy.load_outbox(epoch, steady).is_ok() {
                self.seen.outboxes_loaded += 1;
            }
        }
    }

    /// Does something bad to the disk, or to the store.
    pub(crate) fn fault(&mut self) {
        let (disk, store) = (self.machine.disk.clone(), self.machine.store.clone());
        let few = 1 + self.random.below(3) as u32;
        let kind = self.random.below(12);
        self.say(|| format!("  fault {kind}"));
        match kind {
            0 => store.fail_writes(few),
            1 | 2 => store.fail_writes_half_way(few),
            3 => store.refuse(2 * few),
            4 => store.close(),
            5 => store.limit_space(0),
            6 => store.set_odds(Odds { refused_reads: 64, ..Odds::default() }),
            7 => store.set_odds(Odds {
                refused_writes: 256,
                unknown_writes: 256,
                refused_checkpoints: 512,
                ..Odds::default()
            }),
            8 => store.fail_syncs(1),
            9 => disk.fail_syncs(1),
            10 => {
                self.seen.shortages += 1;
                disk.fail_creations(few);
            }
            11 => {
                self.seen.shortages += 1;
                disk.limit_space(0);
                if self.random.below(2) == 0 {
                    self.node.partitions.shared().space.set(Some("no bytes are free".to_owned()));
                }
            }
            other => unreachable!("{other} is below 12"),
        }
    }

    /// Ends what lasts of the faults.
    pub(crate) fn heal(&mut self) {
        self.machine.disk.limit_space(u64::MAX);
        self.machine.disk.fail_creations(0);
        self.machine.disk.fail_syncs(0);
        let store = &self.machine.store;
        store.limit_space(u64::MAX);
        store.set_odds(Odds::default());
        store.fail_syncs(0);
        if self.random.below(2) == 0 {
            store.reopen();
        }
        self.node.partitions.shared().space.set(None);
    }

    /// Cuts the power, between a write and its sync if asked for, and starts the node again.
    ///
    /// # Errors
    /// If the node does not start.
    pub(crate) fn crash(&mut self, is_during_sync: bool) -> Result<()> {
        if is_during_sync {
            self.machine.disk.fail_syncs(1);
            self.node.write();
            self.absorb();
        }
        self.machine.disk.fail_syncs(0);
        self.end_process()?;
        self.machine.disk.crash();
        self.seen.lost_batches += self.machine.store.crash();
        self.start()
    }

    /// Stops the node in order: what is committed reaches the store, a checkpoint says so, the log is written.
    ///
    /// # Errors
    /// If the node does not start again.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.seen.orderly_stops += 1;
        self.drop_tasks();
        self.node.partitions.apply(&self.index, || ());
        self.node.checkpoint = None;
        self.checkpoint();
        while self.node.write() {}
        self.trim();
        self.absorb();
        if self.node.witness.fatal().is_some() {
            return self.crash(false);
        }
        self.node.log().close();
        self.end_process()?;
        // The machine goes on: what was written stays, whether or not it was synced. At times it does not.
        if self.random.below(2) == 0 {
            self.machine.disk.crash();
        }
        self.seen.lost_batches += match self.random.below(2) {
            0 => self.machine.store.crash(),
            _ => self.machine.store.crash_keeping(usize::MAX),
        };
        self.start()
    }

    /// Ends everything that only this process start knew of.
    fn end_process(&mut self) -> Result<()> {
        self.absorb();
        self.check()?;
        self.drop_tasks();
        self.loading.clear();
        self.oracle.crashed();
        self.clients.crashed();
        // What the peer said to the process that ended reaches the next one late, or never.
        self.peers.values_mut().for_each(|peer| peer.said.truncate(1));
        Ok(())
    }

    fn drop_tasks(&mut self) {
        for owner in self.tasks.clear() {
            if let Owner::Client(client) = owner {
                self.clients.unanswered(client, true);
            }
        }
    }

    /// Starts the node.
    fn start(&mut self) -> Result<()> {
        let own = self.table.register();
        let (mut found, mut latest) = (Vec::new(), self.wall.get());
        let (disk, store) = (&self.machine.disk, &self.machine.store);
        let traced = self.trace.is_some();
        // A node that finds no room does not start, and is started again until there is some.
        disk.limit_space(u64::MAX);
        disk.fail_creations(0);
        disk.fail_syncs(0);
        let machine = &self.machine;
        let note = &mut |id, recovered| found.push((id, recovered));
        let node = store.without_faults(|| machine.start(own, self.count, options(), traced, note));
        self.node = node.context("start the node")?;
        latest = found.iter().map(|(_, recovered)| recovered.latest).max().unwrap_or_default().max(latest);
        self.around = Rc::new(Around::new(&self.node.partitions, &self.now, &self.wall, latest));
        self.seen.torn_ends += usize::from(self.node.cut_bytes > 0);
        for (partition, recovered) in found {
            let known = self.oracle.known(partition);
            known.lineage.clone_from(&recovered.core.lineage);
            known.was_cut = None;
            let stored = match partition.lane {
                Lane::Persisted => known.model_at(recovered.core.applied),
                Lane::Volatile => Model::default(),
            };
            self.stored.insert(partition, stored);
            let core = &recovered.core;
            self.say(|| format!("  {partition} opens with {core}"));
            self.facts.push(Fact::Opened(partition, recovered));
            self.facts.push(Fact::LookAtStore(partition));
        }
        self.absorb();
        self.check()?;
        for partition in self.partitions.clone() {
            if self.random.below(4) > 0 {
                self.tell(partition);
            }
        }
        Ok(())
    }

    /// Returns where this node's log has to be cut before it can get what the peer has, if it has anything more.
    fn fork(&mut self, partition: PartitionId) -> Option<Option<Position>> {
        let status = self.node.partitions.get(partition).status().replica;
        let peer = self.peers.get(&partition)?;
        let is_idle = !matches!(status.role, RoleName::Activating | RoleName::Primary);
        let end = status.end;
        (is_idle && peer.last() > end).then(|| peer.shared_with(self.oracle.known(partition), end))
    }

    /// Has the other member, if it reigns, send this node what it has behind their common point: what stands there otherwise
    /// is cut.
    pub(crate) fn cut(&mut self, partition: PartitionId) {
        self.tell(partition);
        self.node.partitions.get(partition).step(self.now.get());
        self.absorb();
        let Some(fork) = self.fork(partition) else { return };
        let count = 1 + self.random.below(4);
        let Some(peer) = self.peers.get_mut(&partition) else { return };
        peer.send(fork, count, self.oracle.known(partition));
        let end = self.node.partitions.get(partition).status().replica.end;
        self.deliver_last(partition);
        let now = self.node.partitions.get(partition).status().replica;
        if fork < end && now.end != end {
            for link in self.clients.links().iter().filter(|link| place(link) == partition) {
                let newest = self.machine.store.without_faults(|| self.around.of(link).newest(link));
                let document = newest.ok().and_then(|newest| newest.document);
                self.facts.push(Fact::NewestAfterCut { link: link.clone(), after: now.end, document });
            }
        }
        self.seen.fed_records += usize::from(now.end > end);
    }

    /// Delivers what the other member said last.
    fn deliver_last(&mut self, partition: PartitionId) {
        let Some(message) = self.peers.get_mut(&partition).and_then(|peer| peer.said.pop()) else { return };
        self.node.partitions.receive(self.now.get(), partition, PEER, message);
    }
}
