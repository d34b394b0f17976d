//! Groups: worlds of three or five nodes, each the driver of production on a disk and a store of its own.
//!
//! Where the other worlds look at everything that one node can do wrong, these look at what several can do to one another: the
//! network loses, repeats, reorders and delays, and is cut in one direction; nodes lose power and are stopped and go on; their
//! clocks run at different paces; the system group is slow, or away, and names whom it likes; the quorum changes; clients send
//! to whoever believes to own a document.
//!
//! ```text
//!  Random ─► step ─► sites: Partitions ─ mail ─► network ─► Partitions          witness ─► ledger ─► statements
//!                │              └───────────────► system group ─► rows             ▲          ▲
//!                └─► clients, readers ─────────────────────────────────────────────┴──────────┘
//! ```
//!
//! After the last step the faults stop: everything must become active, be answered and be the same everywhere, and a
//! primary that dies or hands over then is replaced within its budget of virtual time. Last of all one is replaced while its
//! process is stopped, and reads when it goes on.

mod check;
mod deposed;
mod held;
mod local;
mod mutations;
mod network;
mod oracle;
mod reads;
mod rebuild;
mod removal;
mod rest;
mod site;
mod steps;
mod stores;
mod system;
mod volatile;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use steward_model::partition::SelectorId;
use steward_model::{Lane, PartitionId, Position, Timestamp};
use steward_protocol::replica::Member;
use steward_storage::state::Odds;

use crate::clients::Clients;
use crate::lives::{self, panicked};
use crate::node::Machine;
use crate::random::Random;
use crate::tasks::Owner;
pub(crate) use held::Told;
pub(crate) use local::Shown;
use network::Network;
use oracle::{Oracle, Through};
use rebuild::Rebuilding;
use site::Site;
use steps::{READERS, STEPS, Step};
use system::System;

/// When groups begin, in microseconds.
const BEGINNING: Timestamp = Timestamp(1_700_000_000_000_000);

/// What groups did, to see that they are where mistakes would show.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) commits: usize,
    pub(crate) reigns: usize,
    pub(crate) copied: usize,
    pub(crate) cuts: usize,
    pub(crate) acknowledged: usize,
    pub(crate) repeats: usize,
    pub(crate) reads: usize,
    pub(crate) unknown_outcomes: usize,
    pub(crate) alterations: usize,
    pub(crate) fail_overs: usize,
    pub(crate) made_anew: usize,
    pub(crate) copy_reads: usize,
    pub(crate) never_committed: usize,
    pub(crate) held: usize,
    pub(crate) forgotten: usize,
    pub(crate) removed: usize,
    pub(crate) lost_memories: usize,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Seen) {
        self.commits += other.commits;
        self.reigns += other.reigns;
        self.copied += other.copied;
        self.cuts += other.cuts;
        self.acknowledged += other.acknowledged;
        self.repeats += other.repeats;
        self.reads += other.reads;
        self.unknown_outcomes += other.unknown_outcomes;
        self.alterations += other.alterations;
        self.fail_overs += other.fail_overs;
        self.made_anew += other.made_anew;
        self.copy_reads += other.copy_reads;
        self.never_committed += other.never_committed;
        self.held += other.held;
        self.forgotten += other.forgotten;
        self.removed += other.removed;
        self.lost_memories += other.lost_memories;
    }

    /// Refuses groups in which nothing happened that could go wrong.
    pub(crate) fn are_eventful(&self, groups: usize) -> Result<()> {
        let all = [self.commits, self.reigns, self.copied, self.acknowledged, self.reads, self.copy_reads, self.held];
        let rare = [self.repeats, self.alterations, self.fail_overs, self.made_anew];
        let rare = rare.into_iter().chain([self.never_committed, self.forgotten, self.removed, self.lost_memories]);
        // Records are cut in few groups, and then many at once; a client is told that the outcome is unknown where its own is among them.
        // Their number says little, that there are some says enough.
        let few_cuts = self.cuts.min(self.unknown_outcomes) < groups / 100;
        if few_cuts || all.iter().any(|count| *count < groups) || rare.into_iter().any(|count| count < groups / 25) {
            bail!("{groups} groups were too quiet: {self:?}");
        }
        Ok(())
    }
}

pub(crate) struct Group {
    random: Random,
    partitions: Vec<PartitionId>,
    sites: Vec<Site>,
    network: Network,
    system: System,
    clients: Clients,
    oracle: Oracle,
    /// What each read under way must show.
    reading: BTreeMap<usize, Through>,
    readers: usize,
    /// Ends that logs had: readers may have seen them.
    ends: Vec<(PartitionId, Position)>,
    /// Clients and readers that began where nobody can answer them any more.
    in_vain: BTreeSet<usize>,
    /// Copies that lack more than a primary's log has: who said so, and whose they are.
    lost: Vec<(usize, PartitionId, Member)>,
    rebuilding: Vec<Rebuilding>,
    /// A node that stays away for long.
    away: Option<usize>,
    steps: Vec<(usize, Step)>,
    passed: Duration,
    broken: Option<String>,
    trace: Option<Vec<String>>,
    seen: Seen,
}

/// Runs the group of `seed`. The trace is empty unless `traced`.
fn run_once(seed: u64, traced: bool) -> (Result<()>, Vec<String>, Seen) {
    let (mut trace, mut seen) = (Vec::new(), Seen::default());
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let mut group = Group::new(seed, traced)?;
        let lived = catch_unwind(AssertUnwindSafe(|| group.live()));
        // Nothing but the lines: after a panic the copies are locked for ever.
        group.take_lines();
        trace = group.trace.take().unwrap_or_default();
        seen = group.seen;
        match lived {
            Ok(lived) => lived,
            // What a panic has left locked must not be dropped piece by piece.
            Err(panic) => {
                std::mem::forget(group);
                std::panic::resume_unwind(panic)
            }
        }
    }));
    let lived = lived.unwrap_or_else(|panic| Err(panicked(&*panic)));
    (lived, trace, seen)
}

/// Runs the group of `seed`.
///
/// # Errors
/// The statement that does not hold, with the last lines of the trace before it.
pub(crate) fn run(seed: u64) -> Result<Seen> {
    lives::run("group", seed, run_once)
}

/// Runs the group of `seed` without a trace, and returns only whether a statement is false.
pub(crate) fn judge(seed: u64) -> Result<Seen> {
    let (lived, _, seen) = run_once(seed, false);
    lived.map(|()| seen)
}

/// Runs the group of `seed` and returns its whole trace.
pub(crate) fn trace(seed: u64) -> (Result<()>, Vec<String>) {
    let (lived, trace, _) = run_once(seed, true);
    (lived, trace)
}

impl Group {
    fn new(seed: u64, traced: bool) -> Result<Group> {
        let mut random = Random::new(seed ^ 0x6772_6f75_7073);
        let count = if random.below(4) == 0 { 5 } else { 3 };
        let members = if random.below(3) == 0 { count - 1 } else { count };
        let of = |lane, index| PartitionId { selector: SelectorId::default(), lane, index };
        let mut partitions: Vec<_> = (0..1 + random.below(2) as u16).map(|index| of(Lane::Persisted, index)).collect();
        if volatile::has_some(seed) {
            partitions.push(of(Lane::Volatile, 0));
        }
        let quorum = if random.below(3) > 0 { members as u32 / 2 + 1 } else { 1 + random.below(members) as u32 };
        let system = System::new(&partitions, count, members, quorum);
        let mut sites = Vec::new();
        for _ in 0..count {
            let machine = Machine::new(random.draw(), random.draw());
            machine.store.set_odds(Odds::default());
            let pace = 60 + random.below(100) as u64;
            sites.push(Site::new(machine, pace, BEGINNING));
        }
        let clients = Clients::new(&partitions, &mut random);
        // No two worlds are alike: what is rare in one is frequent in another, or does not happen at all.
        let is_steady = |step: Step| matches!(step, Step::Flow | Step::Send | Step::Poll | Step::Deliver | Step::Start);
        let scale =
            |step: Step, random: &mut Random| if is_steady(step) { 1 + random.below(3) } else { random.below(3) };
        let steps = STEPS.map(|(weight, step)| (weight * scale(step, &mut random), step)).to_vec();
        let mut group = Group {
            random,
            partitions,
            sites,
            network: Network::default(),
            system,
            clients,
            oracle: Oracle::default(),
            reading: BTreeMap::new(),
            readers: 0,
            ends: Vec::new(),
            in_vain: BTreeSet::new(),
            lost: Vec::new(),
            rebuilding: Vec::new(),
            away: None,
            steps,
            passed: Duration::ZERO,
            broken: None,
            trace: traced.then(Vec::new),
            seen: Seen::default(),
        };
        // One that joins late finds logs without their beginnings.
        group.away = Some(members).filter(|at| *at < count && group.random.below(4) > 0);
        for at in 0..count {
            group.start(at)?;
        }
        for partition in group.partitions.clone() {
            group.system.name(partition, 0);
        }
        Ok(group)
    }

    fn live(&mut self) -> Result<()> {
        for _ in 0..10 {
            self.flow()?;
        }
        let steps = 150 + self.random.below(350);
        for number in 0..steps {
            self.come_and_go(number * 10 / steps)?;
            let step = self.random.weighted(&self.steps);
            self.take(step).with_context(|| format!("step: {step:?}"))?;
            self.settle()?;
        }
        self.come_to_rest()?;
        self.fail_over()?;
        self.lose_memory()?;
        self.read_when_deposed()
    }

    /// Keeps a node away while the others let go of logs, so that it has to be made anew; it goes after the second tenth of the steps
    /// and returns after the fifth.
    fn come_and_go(&mut self, tenth: usize) -> Result<()> {
        match tenth {
            2 if self.away.is_none() && self.random.below(40) == 0 => {
                let at = self.random.below(self.sites.len());
                self.crash(at, false)?;
                self.away = Some(at);
                self.pass(Duration::from_millis(2_500));
            }
            5.. => {
                if let Some(at) = self.away.take() {
                    self.go_on_without()?;
                    self.start(at)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Fills logs and lets go of their beginnings.
    fn go_on_without(&mut self) -> Result<()> {
        for round in 0..24 {
            self.send(false);
            self.flow()?;
            if round % 8 == 7 {
                self.pass(Duration::from_millis(2_500));
                for at in 0..self.sites.len() {
                    self.apply(at);
                    self.checkpoint(at);
                }
            }
        }
        Ok(())
    }

    /// Adds what the processes did last to the trace, unjudged.
    fn take_lines(&mut self) {
        for at in 0..self.sites.len() {
            let Some(life) = &self.sites[at].life else { continue };
            let (_, lines) = life.node.witness.take();
            if let Some(trace) = &mut self.trace {
                trace.extend(lines.into_iter().map(|line| format!("  node {}{line}", at + 1)));
            }
        }
    }

    /// Adds a line to the trace.
    fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(text());
        }
    }

    /// Judges what the last step has done, and ends processes that must not go on.
    fn settle(&mut self) -> Result<()> {
        self.judge_notes().map_err(|broken| anyhow!(broken))?;
        for at in 0..self.sites.len() {
            let fatal = self.sites[at].life.as_ref().and_then(|life| life.node.witness.fatal());
            if let Some(reason) = fatal {
                self.say(|| format!("node {} ends: {reason}", at + 1));
                self.crash(at, false)?;
            }
        }
        Ok(())
    }

    /// Cuts the power of a node.
    fn crash(&mut self, at: usize, while_writing: bool) -> Result<()> {
        if let Some(life) = self.sites[at].life.as_ref().filter(|_| while_writing) {
            self.sites[at].machine.disk.fail_syncs(1);
            life.node.write();
        }
        self.judge_notes().map_err(|broken| anyhow!(broken))?;
        self.sites[at].machine.disk.fail_syncs(0);
        self.give_up_rebuilds(at);
        let Some(mut life) = self.sites[at].life.take() else { return Ok(()) };
        self.say(|| format!("  node {} loses its power", at + 1));
        for owner in life.tasks.clear() {
            match owner {
                Owner::Client(client) if client < READERS => self.clients.unanswered(client, true),
                Owner::Client(_) | Owner::Host | Owner::Reader => {}
            }
        }
        drop(life);
        self.oracle.forget_promises(at);
        self.sites[at].machine.disk.crash();
        self.sites[at].machine.store.crash();
        self.sites[at].is_paused = false;
        self.network.disconnect(at);
        self.system.asked.retain(|(asker, _)| *asker != at);
        Ok(())
    }

    /// Starts a node that is down, if the system group can register it.
    fn start(&mut self, at: usize) -> Result<()> {
        let may_not = self.system.is_away || self.away == Some(at) || self.system.removed.contains(&at);
        if self.sites[at].life.is_some() || may_not {
            return Ok(());
        }
        let own = self.system.register(at);
        let count = self.partitions.iter().filter(|partition| partition.lane == Lane::Persisted).count() as u16;
        let traced = self.trace.is_some();
        let found = self.sites[at].start(own, count, traced)?;
        self.say(|| format!("  node {} starts as {own}", at + 1));
        for (partition, recovered) in found.iter().filter(|(partition, _)| partition.lane == Lane::Persisted) {
            let core = &recovered.core;
            self.say(|| format!("  {partition} opens with {core}"));
            self.oracle.of(*partition, core.promised).opened(at, core.promised).map_err(|broken| anyhow!(broken))?;
            self.judge_store(at, *partition).map_err(|broken| anyhow!(broken))?;
        }
        Ok(())
    }
}
