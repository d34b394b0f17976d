//! One world: a node, its disks, the system group, another member and the clients, driven by a seed.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use steward_model::partition::SelectorId;
use steward_model::{Epoch, Lane, Link, Moment, Offset, PartitionId, Position, Timestamp};
use steward_storage::documents::PartitionStore;
use steward_storage::index::{IndexFields, IndexPlan};

use crate::clients::Clients;
use crate::facts::Fact;
use crate::invariants;
use crate::lives::{self, panicked};
use crate::model::Model;
use crate::node::{Machine, Node};
use crate::oracle::Oracle;
use crate::peer::Peer;
use crate::random::Random;
use crate::seen::Seen;
use crate::steps::{STEPS, Step};
use crate::table::Table;
use crate::tasks::{Around, Tasks};
use crate::witness::Note;

/// So many of the last proposals somebody may still ask about.
const PROPOSED_KEPT: usize = 16;

/// When worlds begin, in microseconds: not so early that a clock that is set back reaches zero.
const BEGINNING: Timestamp = Timestamp(1_700_000_000_000_000);

/// Which fields are indexed: every scalar, or since the last deployment only the kind of a document.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Plan {
    pub(crate) kind_only: bool,
    /// It was another one before: what the index holds besides the kind is left from both.
    pub(crate) has_changed: bool,
}

impl IndexPlan for Plan {
    fn fields(&self, _: &Link) -> IndexFields {
        if self.kind_only { IndexFields::Listed([].into()) } else { IndexFields::Scalars }
    }
}

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) now: Rc<Cell<Moment>>,
    pub(crate) wall: Rc<Cell<Timestamp>>,
    /// The latest time of day that there was.
    pub(crate) latest: Timestamp,
    pub(crate) partitions: Vec<PartitionId>,
    pub(crate) table: Table,
    pub(crate) peers: BTreeMap<PartitionId, Peer>,
    pub(crate) machine: Machine,
    pub(crate) node: Node,
    pub(crate) around: Rc<Around>,
    pub(crate) tasks: Tasks,
    pub(crate) clients: Clients,
    pub(crate) oracle: Oracle,
    /// What the stores should hold, by what was applied.
    pub(crate) stored: BTreeMap<PartitionId, Model>,
    /// What has happened in the step that was taken last.
    pub(crate) facts: Vec<Fact>,
    /// What was proposed lately, by this process or an earlier one.
    pub(crate) proposed: Vec<(PartitionId, Position)>,
    /// Reigns whose pending effects are waited for, and what the store must hold before.
    pub(crate) loading: Vec<(PartitionId, Epoch, Option<Offset>)>,
    pub(crate) steps: [(usize, Step); STEPS.len()],
    pub(crate) index: Plan,
    /// Written only if somebody reads it.
    pub(crate) trace: Option<Vec<String>>,
    pub(crate) seen: Seen,
    pub(crate) count: u16,
    /// The versions of the rows that the copies knew before the step.
    pub(crate) rows_before: BTreeMap<PartitionId, u64>,
    /// Bytes of records that waited for the stores before the step.
    pub(crate) unapplied_before: u64,
}

/// Runs the world of `seed`: first with faults, then without, when everything must come to rest. The trace is empty unless
/// `traced`.
///
/// # Errors
/// The invariant that broke.
fn run_once(seed: u64, traced: bool) -> (Result<()>, Vec<String>, Seen) {
    let mut trace = Vec::new();
    let mut seen = Seen::default();
    // A broken rule of a core is a panic; it says what it found, and the world says how it came to that.
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed, traced)?;
        let lived = catch_unwind(AssertUnwindSafe(|| world.live()));
        if let Ok((_, lines)) = catch_unwind(AssertUnwindSafe(|| world.node.witness.take())) {
            world.trace.iter_mut().for_each(|trace| trace.extend(lines.iter().cloned()));
        }
        trace = world.trace.take().unwrap_or_default();
        seen = world.seen;
        // What a panic has left locked must not be dropped piece by piece.
        match lived {
            Ok(lived) => lived,
            Err(panic) => {
                std::mem::forget(world);
                std::panic::resume_unwind(panic)
            }
        }
    }));
    let lived = lived.unwrap_or_else(|panic| Err(panicked(&*panic)));
    (lived, trace, seen)
}

/// Runs the world of `seed`.
///
/// # Errors
/// The invariant that broke, with the last lines of the trace before it.
pub(crate) fn run(seed: u64) -> Result<Seen> {
    lives::run("seed", seed, run_once)
}

/// Runs the world of `seed` without a trace, and returns only whether an invariant broke.
///
/// # Errors
/// The invariant.
pub(crate) fn judge(seed: u64) -> Result<Seen> {
    let (lived, _, seen) = run_once(seed, false);
    lived.map(|()| seen)
}

/// Runs the world of `seed` and returns its whole trace.
pub(crate) fn trace(seed: u64) -> (Result<()>, Vec<String>) {
    let (lived, trace, _) = run_once(seed, true);
    (lived, trace)
}

impl World {
    fn new(seed: u64, traced: bool) -> Result<World> {
        let mut random = Random::new(seed);
        let count = 1 + random.below(3) as u16;
        let volatile = random.below(3).min(usize::from(count)) as u16;
        let ids =
            |lane, count| (0..count).map(move |index| PartitionId { selector: SelectorId::default(), lane, index });
        let partitions: Vec<_> = ids(Lane::Persisted, count).chain(ids(Lane::Volatile, volatile)).collect();
        let shared = ids(Lane::Persisted, count).filter(|_| random.below(2) == 0).collect();
        let mut table = Table::new(&partitions, shared);
        let machine = Machine::new(random.draw(), random.draw());
        let steps = STEPS.map(|(weight, step)| (weight * step.scale(&mut random), step));
        let clients = Clients::new(&partitions, &mut random);
        let own = table.register();
        let wall = Rc::new(Cell::new(BEGINNING));
        let mut found = Vec::new();
        let node = machine.start(own, count, crate::life::options(), traced, &mut |id, it| found.push((id, it)))?;
        let now = Rc::new(Cell::new(Moment(0)));
        let around = Around::new(&node.partitions, &now, &wall, BEGINNING);
        let peers = partitions.iter().filter(|id| table.is_shared(**id)).map(|id| (*id, Peer::default())).collect();
        Ok(World {
            random,
            now,
            wall,
            latest: BEGINNING,
            stored: partitions.iter().map(|id| (*id, Model::default())).collect(),
            partitions,
            table,
            peers,
            machine,
            node,
            around: Rc::new(around),
            tasks: Tasks::default(),
            clients,
            oracle: Oracle::default(),
            facts: Vec::new(),
            proposed: Vec::new(),
            loading: Vec::new(),
            steps,
            index: Plan::default(),
            trace: traced.then(Vec::new),
            seen: Seen::default(),
            count,
            rows_before: BTreeMap::new(),
            unapplied_before: 0,
        })
    }

    /// Returns the documents of a partition, for whoever judges them.
    pub(crate) fn documents(&self, partition: PartitionId) -> PartitionStore {
        match partition.lane {
            Lane::Persisted => self.machine.documents(partition),
            Lane::Volatile => self.node.volatile_documents(partition),
        }
    }

    fn live(&mut self) -> Result<()> {
        for _ in 0..300 + self.random.below(700) {
            let step = self.random.weighted(&self.steps);
            self.take(step).with_context(|| format!("step: {step}"))?;
            self.settle_step()?;
        }
        self.come_to_rest()?;
        // Once more from disk: what was acknowledged last must be there, too.
        self.crash(false)?;
        self.settle_step()?;
        self.come_to_rest()
    }

    /// Adds a line to the trace.
    pub(crate) fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(text());
        }
    }

    /// Looks at what the last step has done: notes, invariants, and whether the node must stop.
    pub(crate) fn settle_step(&mut self) -> Result<()> {
        self.absorb();
        self.check()?;
        if let Some(reason) = self.node.witness.fatal() {
            self.say(|| format!("the process ends: {reason}"));
            self.seen.fatal_ends += 1;
            self.crash(false)?;
            self.absorb();
            self.check()?;
        }
        Ok(())
    }

    /// Turns what the witness has noted into facts, and lets the oracle know.
    pub(crate) fn absorb(&mut self) {
        let (notes, lines) = self.node.witness.take();
        if let Some(trace) = &mut self.trace {
            trace.extend(lines);
        }
        for (partition, note) in notes {
            self.remember(partition, &note);
            if let Note::Committed { through, reign: Some(reign), .. } = &note {
                let known = self.oracle.known(partition);
                let marker = known.lineage.last().copied().filter(|(epoch, _)| epoch == reign);
                let durable = known.durable;
                self.facts.push(Fact::CommittedWith { partition, through: *through, marker, durable });
            }
            self.facts.push(Fact::Noted(partition, note));
        }
        for partition in self.partitions.clone() {
            let promised = self.node.partitions.get(partition).status().replica.promised;
            let known = self.oracle.known(partition);
            known.promised = known.promised.max(promised);
        }
    }

    fn remember(&mut self, partition: PartitionId, note: &Note) {
        if let Note::Committed { records, .. } = note {
            self.oracle.name_effects(partition, records);
        }
        if let Note::Proposed(position) = note {
            self.proposed.push((partition, *position));
            let many = self.proposed.len().saturating_sub(PROPOSED_KEPT);
            self.proposed.drain(..many);
        }
        let known = self.oracle.known(partition);
        match note {
            Note::MarkerAppended { position, .. } | Note::Copied(position) => known.appended(*position),
            Note::Committed { records, .. } => records.iter().for_each(|record| known.commit(record)),
            Note::Persisted { end, is_synced: true } => known.persisted(*end),
            Note::Truncated { after, .. } => known.cut(*after),
            Note::Proposed(_)
            | Note::Persisted { is_synced: false, .. }
            | Note::Activated(_)
            | Note::SteppedDown { .. }
            | Note::Applied { .. }
            | Note::MadeAnew { .. }
            | Note::Refused => {}
        }
    }

    pub(crate) fn check(&mut self) -> Result<()> {
        self.follow_stores();
        let facts = std::mem::take(&mut self.facts);
        for (name, check) in invariants::ALL {
            if let Err(violation) = check(self, &facts) {
                bail!("{name}: {violation}");
            }
        }
        self.unapplied_before = self.node.partitions.shared().applying.backlog().bytes;
        for partition in &self.partitions {
            if let Some(row) = self.node.partitions.get(*partition).status().replica.row {
                self.rows_before.insert(*partition, row.version);
            }
        }
        for fact in &facts {
            self.seen.count(fact);
            if let Fact::Noted(partition, Note::Activated(epoch)) = fact {
                self.oracle.known(*partition).activated.insert(*epoch);
            }
            if let Fact::Acknowledged { partition, position, .. } = fact {
                self.oracle.known(*partition).acknowledge(*position);
            }
        }
        Ok(())
    }

    /// Brings what the stores should hold up to what was applied.
    fn follow_stores(&mut self) {
        for fact in &self.facts {
            let Fact::Noted(partition, Note::Applied { through: Some(through) }) = fact else { continue };
            let Some(known) = self.oracle.about(*partition) else { continue };
            let stored = self.stored.entry(*partition).or_default();
            let next = stored.applied.map_or(0, |applied| applied.offset.0 as usize + 1);
            let end = (through.offset.0 as usize + 1).min(known.committed.len());
            known.committed.get(next..end).unwrap_or_default().iter().for_each(|record| stored.apply(record));
        }
    }
}
