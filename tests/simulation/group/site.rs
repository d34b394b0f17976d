//! A node of a group: a machine that stays, the process that runs on it or not, and the clock by which it is driven.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use steward_model::{Lane, Moment, PartitionId, Timestamp};
use steward_protocol::replica::{self, Member, Settings};
use steward_replication::{Options, Recovered};
use steward_storage::documents::PartitionStore;

use crate::node::{Machine, Node};
use crate::tasks::{Around, Tasks};

pub(crate) struct Site {
    pub(crate) machine: Machine,
    pub(crate) life: Option<Life>,
    /// The process is stopped and will go on.
    pub(crate) is_paused: bool,
    /// The clock that durations are measured by, and by how many percent it runs.
    pub(crate) now: Rc<Cell<Moment>>,
    pub(crate) pace: u64,
    pub(crate) wall: Rc<Cell<Timestamp>>,
}

/// One process start.
pub(crate) struct Life {
    pub(crate) node: Node,
    pub(crate) around: Rc<Around>,
    pub(crate) tasks: Tasks,
    pub(crate) own: Member,
    /// Who shall have copies and what the group wants, as the copies were told last.
    pub(crate) told: Option<(BTreeSet<Member>, u32)>,
}

/// What a start has found, by partition.
pub(crate) type Found = BTreeMap<PartitionId, Recovered>;

/// Bounds of nodes of groups: small, so that they are met.
fn options() -> Options {
    let replica = Settings {
        message_records_max: 3,
        message_bytes_max: 4 << 10,
        window_messages: 3,
        window_bytes: 16 << 10,
        tail_bytes_max: 2 << 10,
        ..Settings::default()
    };
    let limits = Options {
        queue_limit: 4,
        cache_bytes: 16 << 10,
        unapplied_bytes_max: 64 << 10,
        uncommitted_bytes_max: 16 << 10,
        ..Options::default()
    };
    Options { backlog_bytes: 0, replica, ..limits }
}

impl Site {
    pub(crate) fn new(machine: Machine, pace: u64, wall: Timestamp) -> Site {
        let now = Rc::new(Cell::new(Moment(0)));
        Site { machine, life: None, is_paused: false, now, pace, wall: Rc::new(Cell::new(wall)) }
    }

    /// Starts the process.
    ///
    /// # Errors
    /// If it must not start.
    pub(crate) fn start(&mut self, own: Member, count: u16, traced: bool) -> Result<Found> {
        let disk = &self.machine.disk;
        disk.limit_space(u64::MAX);
        disk.fail_creations(0);
        disk.fail_syncs(0);
        let mut found = Found::new();
        let mut note = |id, recovered| drop(found.insert(id, recovered));
        let node =
            self.machine.store.without_faults(|| self.machine.start(own, count, options(), traced, &mut note))?;
        let latest = found.values().map(|recovered| recovered.latest).max().unwrap_or_default().max(self.wall.get());
        let around = Rc::new(Around::new(&node.partitions, &self.now, &self.wall, latest));
        self.life = Some(Life { node, around, tasks: Tasks::default(), own, told: None });
        self.is_paused = false;
        Ok(found)
    }

    /// Returns the process, if it runs and is not stopped.
    pub(crate) fn awake(&mut self) -> Option<&mut Life> {
        self.life.as_mut().filter(|_| !self.is_paused)
    }

    /// Returns the documents of a partition as they are, for whoever judges them; those of the volatile lane while a process runs.
    pub(crate) fn documents(&self, partition: PartitionId) -> PartitionStore {
        let life = self.life.as_ref().filter(|_| partition.lane == Lane::Volatile);
        life.map_or_else(|| self.machine.documents(partition), |life| life.node.volatile_documents(partition))
    }

    pub(crate) fn is_awake(&self) -> bool {
        self.life.is_some() && !self.is_paused
    }

    /// Lets time pass, as this node's clock has it.
    pub(crate) fn pass(&self, span: Duration) {
        self.now.set(self.now.get().plus(span * self.pace as u32 / 100));
        self.wall.set(self.wall.get().plus(span));
    }
}

impl Life {
    /// Returns how the copy of a partition stands.
    pub(crate) fn status(&self, partition: PartitionId) -> replica::Status {
        self.node.partitions.get(partition).status().replica
    }

    /// Does everything that goes by itself in a process: the log writes, the copies take what is there, time passes.
    pub(crate) fn work(&self, now: Moment) {
        while self.node.write() {}
        self.node.partitions.step(now);
        self.node.partitions.tick(now);
        while self.node.partitions.read_log(now) {}
    }
}
