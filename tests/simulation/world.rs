//! One world: a node, its disk, the system group and the clients, driven by a seed.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, Result, anyhow, bail};
use steward_model::document::UpdateAction;
use steward_model::partition::SelectorId;
use steward_model::update::{Change, Entry, Origin, RequestId, Update};
use steward_model::{Document, Epoch, Lane, Link, Moment, PartitionId, Timestamp, Version};
use steward_protocol::replica::{Event, RoleName};

use crate::invariants;
use crate::log::{Log, Report, Summary};
use crate::node::{Copy, Fact, Mutation, Node, Surroundings};
use crate::oracle::Oracle;
use crate::random::Random;
use crate::store::Store;
use crate::table::Table;

/// Documents per partition: few, so that updates meet.
const DOCUMENTS: usize = 3;

/// Largest number of bytes that make a document larger.
const PADDING_BYTES_MAX: usize = 6000;

/// Largest number of steps that are shown when an invariant breaks.
const STEPS_SHOWN_MAX: usize = 40;

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Propose,
    Sync,
    Report,
    Apply,
    Checkpoint,
    Name,
    NameOther,
    TouchRow,
    TellRow,
    Crash,
    CrashDuringSync,
}

/// How often each step is taken while there are faults, before a world makes its own choice.
const STEPS: [(usize, Step); 11] = [
    (40, Step::Propose),
    (20, Step::Sync),
    (40, Step::Report),
    (25, Step::Apply),
    (8, Step::Checkpoint),
    (3, Step::Name),
    (1, Step::NameOther),
    (1, Step::TouchRow),
    (20, Step::TellRow),
    (1, Step::Crash),
    (2, Step::CrashDuringSync),
];

/// What a world did, to see that worlds are where mistakes would show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) commits: usize,
    pub(crate) reigns: usize,
    /// Reigns that ended while updates were under way.
    pub(crate) fenced_updates: usize,
    /// Restarts that found committed or uncommitted records above what was applied.
    pub(crate) tails: usize,
    /// Restarts that found batches of the state store gone.
    pub(crate) lost_batches: usize,
    /// Restarts that cut a torn end of the log.
    pub(crate) torn_ends: usize,
    /// Segments that a checkpoint released.
    pub(crate) trimmed_segments: usize,
    pub(crate) acknowledged: usize,
}

/// See the head of this module.
pub(crate) struct World {
    random: Random,
    now: Moment,
    pub(crate) partitions: Vec<PartitionId>,
    table: Table,
    log: Log,
    pub(crate) stores: BTreeMap<PartitionId, Store>,
    pub(crate) node: Node,
    pub(crate) oracle: Oracle,
    /// What has happened in the step that was taken last.
    pub(crate) facts: Vec<Fact>,
    mutation: Option<Mutation>,
    proposed: u64,
    steps: [(usize, Step); STEPS.len()],
    trace: Vec<String>,
    seen: Seen,
}

/// Runs the world of `seed`: first with faults, then without, when everything must come to rest.
///
/// # Errors
/// The invariant that broke, with the last steps before it.
pub(crate) fn run(seed: u64, mutation: Option<Mutation>) -> Result<(Vec<String>, Seen)> {
    let mut world = World::new(seed, mutation);
    // A broken rule of a core is a panic; it says what it found, and the world says how it came to that.
    let lived = catch_unwind(AssertUnwindSafe(|| world.live())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map_or("panic without words", String::as_str);
        Err(anyhow!("panic: {text}"))
    });
    match lived {
        Ok(()) => Ok((world.trace, world.seen)),
        Err(error) => {
            let start = world.trace.len().saturating_sub(STEPS_SHOWN_MAX);
            Err(error.context(format!("seed {seed}, last steps:\n  {}\n", world.trace[start..].join("\n  "))))
        }
    }
}

impl World {
    fn new(seed: u64, mutation: Option<Mutation>) -> World {
        let mut random = Random::new(seed);
        let mut partitions = Vec::new();
        for lane in [Lane::Persisted, Lane::Volatile] {
            let count = if lane == Lane::Persisted { 1 + random.below(3) } else { random.below(2) };
            partitions.extend((0..count).map(|index| PartitionId {
                selector: SelectorId::default(),
                lane,
                index: index as u16,
            }));
        }
        // No two worlds are alike: what is rare in one is frequent in another, or does not happen at all.
        let steps = STEPS.map(|(weight, step)| match step {
            Step::Propose | Step::Sync | Step::Report | Step::TellRow => (weight * (1 + random.below(3)), step),
            Step::Apply
            | Step::Checkpoint
            | Step::Name
            | Step::NameOther
            | Step::TouchRow
            | Step::Crash
            | Step::CrashDuringSync => (weight * random.below(3), step),
        });
        World {
            log: Log::new(random.draw()),
            random,
            now: Moment(0),
            table: Table::new(&partitions),
            stores: partitions.iter().map(|partition| (*partition, Store::default())).collect(),
            partitions,
            node: Node { copies: BTreeMap::new(), reports: VecDeque::new() },
            oracle: Oracle::default(),
            facts: Vec::new(),
            mutation,
            proposed: 0,
            steps,
            trace: Vec::new(),
            seen: Seen::default(),
        }
    }

    fn live(&mut self) -> Result<()> {
        self.start()?;
        self.check()?;
        for _ in 0..200 + self.random.below(800) {
            let step = self.random.weighted(&self.steps);
            self.now = Moment(self.now.0 + 1 + self.random.below(10_000) as u64);
            self.take(step).with_context(|| format!("step {step:?}"))?;
            self.check()?;
        }
        self.come_to_rest()?;
        self.check()?;
        self.seen.trimmed_segments = self.log.trimmed_segments;
        self.seen.torn_ends = self.log.torn_ends;
        self.seen.acknowledged = self.node.copies.keys().filter_map(|p| self.oracle.about(*p)?.acknowledged).count();
        // Once more from disk: what was acknowledged last must be there, too.
        self.take(Step::Crash)?;
        self.check()?;
        self.come_to_rest()?;
        self.check()
    }

    fn check(&mut self) -> Result<()> {
        for (name, check) in invariants::ALL {
            if let Err(violation) = check(self) {
                bail!("{name}: {violation}");
            }
        }
        for fact in self.facts.drain(..) {
            match fact {
                Fact::Committed { .. } => self.seen.commits += 1,
                Fact::Activated { .. } => self.seen.reigns += 1,
                Fact::SteppedDown { under_way, .. } => self.seen.fenced_updates += usize::from(under_way > 0),
                Fact::Opened { has_tail, .. } => self.seen.tails += usize::from(has_tail),
                Fact::MarkerAppended { .. } | Fact::Applied { .. } => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, step: Step) -> Result<()> {
        let partition = self.partitions[self.random.below(self.partitions.len())];
        self.trace.push(format!("{step:?} {partition}"));
        match step {
            Step::Propose => self.propose(partition)?,
            Step::Sync => self.sync()?,
            Step::Report => self.report(),
            Step::Apply => self.apply(partition),
            Step::Checkpoint => self.checkpoint()?,
            Step::Name => self.table.name(partition, false),
            Step::NameOther => self.table.name(partition, true),
            Step::TouchRow => self.table.touch(partition),
            Step::TellRow => self.tell_row(partition),
            Step::Crash => self.crash(false)?,
            Step::CrashDuringSync => {
                // Something must be on its way to the disk.
                self.propose(partition)?;
                self.check()?;
                self.crash(true)?;
            }
        }
        Ok(())
    }

    /// Lets `act` work on the copy of a partition and on what its effects reach.
    fn with<T>(&mut self, partition: PartitionId, act: impl FnOnce(&mut Copy, &mut Surroundings<'_>) -> T) -> T {
        let World { node, log, oracle, facts, mutation, now, .. } = self;
        let mut around = Surroundings { log, oracle, facts, mutation: *mutation, now: *now };
        act(node.copies.get_mut(&partition).expect("the node has every partition"), &mut around)
    }

    fn propose(&mut self, partition: PartitionId) -> Result<()> {
        let link = Link::parse(&format!("/core/examples/{}", self.random.below(DOCUMENTS)))?;
        self.proposed += 1;
        // Some documents are larger than a block of the disk, so that groups tear.
        let padding = "x".repeat(self.random.below(PADDING_BYTES_MAX));
        let body = format!("{{\"n\":{},\"padding\":\"{padding}\"}}", self.proposed).into();
        let updated = Timestamp(self.now.0 as i64);
        self.with(partition, |copy, around| {
            if copy.replica.admits().is_err() {
                return;
            }
            let position = copy.replica.next_position();
            let version = copy.newest(&link).map_or(Version(0), |document| document.version.next());
            let document = Document {
                link,
                kind: "example".into(),
                version,
                epoch: position.epoch,
                offset: position.offset,
                updated,
                action: if version == Version(0) { UpdateAction::Post } else { UpdateAction::Put },
                expires: Timestamp(0),
                principal: String::new(),
                source: String::new(),
                state_version: 1,
                body,
            };
            let update = Update {
                change: Change::NewVersion,
                request: RequestId::default(),
                origin: Origin::default(),
                document,
                keep_versions: None,
                effects: vec![],
                settled: vec![],
                remembered: None,
            };
            copy.wait_for(position.offset, around);
            copy.handle(Event::Proposed(Entry::Update(Box::new(update))), around);
        });
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        let reports = self.log.sync().context("make the log durable")?;
        self.node.reports.extend(reports);
        Ok(())
    }

    /// Tells a replica of the first thing that is durable and that it does not know of.
    fn report(&mut self) {
        let Some(report) = self.node.reports.pop_front() else {
            return;
        };
        self.with(report.partition(), |copy, around| match report {
            Report::Promise(partition, epoch) => {
                let known = around.oracle.known(partition);
                known.promised = known.promised.max(epoch);
                copy.handle(Event::PromisePersisted(epoch), around);
            }
            Report::Records(_, through) => copy.handle(Event::Persisted(through), around),
        });
    }

    fn apply(&mut self, partition: PartitionId) {
        let committed = self.node.copies[&partition].unapplied.len();
        let count = if committed == 0 { 0 } else { 1 + self.random.below(committed) };
        if count == 0 {
            return;
        }
        let store = self.stores.get_mut(&partition).expect("a store for each partition");
        let copy = self.node.copies.get_mut(&partition).expect("the node has every partition");
        store.apply(copy.unapplied.drain(..count));
        self.facts.push(Fact::Applied { partition });
    }

    /// Makes the state stores durable and logs that they are.
    fn checkpoint(&mut self) -> Result<()> {
        let mut summaries = BTreeMap::new();
        for partition in self.partitions.iter().filter(|partition| partition.lane == Lane::Persisted) {
            let store = self.stores.get_mut(partition).context("a store for each partition")?;
            store.checkpoint();
            let replica = &self.node.copies[partition].replica;
            let summary = Summary {
                promised: match self.mutation {
                    Some(Mutation::PromiseTrimmed) => Epoch::ZERO,
                    Some(_) | None => replica.promise_asked(),
                },
                lineage: replica.lineage().entries().to_vec(),
                end: replica.end(),
                applied: store.now.applied,
            };
            summaries.insert(*partition, summary);
        }
        self.log.append_checkpoint(&summaries)
    }

    fn tell_row(&mut self, partition: PartitionId) {
        let row = self.table.row(partition).clone();
        self.with(partition, |copy, around| copy.handle(Event::TableChanged(row), around));
    }

    /// Cuts the power, and starts the node again.
    fn crash(&mut self, is_during_sync: bool) -> Result<()> {
        self.log.crash(is_during_sync);
        self.oracle.crashed();
        for (partition, store) in &mut self.stores {
            match partition.lane {
                Lane::Persisted => {
                    let kept = self.random.below(store.batches() + 1);
                    self.seen.lost_batches += usize::from(kept < store.batches());
                    store.crash(kept);
                }
                Lane::Volatile => *store = Store::default(),
            }
            if self.mutation == Some(Mutation::UnequalBatches) {
                store.forget_applied();
            }
        }
        self.start()
    }

    fn start(&mut self) -> Result<()> {
        let mut found = self.log.recover(self.mutation).context("recover the log")?;
        let own = self.table.register(self.mutation == Some(Mutation::BootResumesRole));
        self.node.reports.clear();
        self.node.copies.clear();
        for partition in &self.partitions {
            let found = found.remove(partition).unwrap_or_default();
            let copy = Copy::open(own, *partition, &found, &self.stores[partition]).context("open a replica")?;
            let has_tail = copy.has_tail();
            self.node.copies.insert(*partition, copy);
            let durable = self.log.durable(*partition);
            self.facts.push(Fact::Opened { partition: *partition, found, durable, has_tail });
        }
        Ok(())
    }

    /// Stops all faults and lets everything finish that can.
    fn come_to_rest(&mut self) -> Result<()> {
        self.trace.push("faults stop".into());
        for partition in self.partitions.clone() {
            if !self.table.names_this_node(partition) {
                self.table.name(partition, false);
            }
        }
        // A promise, a marker, updates: three rounds suffice, whatever was under way.
        for _ in 0..3 {
            for partition in self.partitions.clone() {
                self.tell_row(partition);
                self.check()?;
            }
            self.sync()?;
            while !self.node.reports.is_empty() {
                self.report();
                self.check()?;
            }
        }
        for partition in self.partitions.clone() {
            while !self.node.copies[&partition].unapplied.is_empty() {
                self.apply(partition);
                self.check()?;
            }
            let copy = &self.node.copies[&partition];
            if copy.replica.role() != RoleName::Primary || copy.waiting() > 0 {
                bail!(
                    "l1_everything_becomes_active: {partition} is {:?} and {} clients wait",
                    copy.replica.role(),
                    copy.waiting()
                );
            }
        }
        Ok(())
    }
}
