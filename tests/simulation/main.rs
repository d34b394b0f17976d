//! Simulation: whole worlds in memory, each fixed by a seed, in which everything fails that may fail.
//!
//! A world has one node with a few partitions of both lanes, the replica cores, the real commit log on a disk that tears
//! writes, state stores that lose what was not checkpointed, a system group, and clients. After each step all
//! [`invariants`] must hold; after the last one the faults stop, and everything must become active and finish.
//!
//! ```text
//!  seed ─► Random ─► step ─► node: replica cores ─► log on FaultyDisk      facts ─► invariants
//!                              ▲        │                                              ▲
//!                     table ───┘        └► stores, clients ──────────────► oracle ─────┘
//! ```
//!
//! | to run | say |
//! |---|---|
//! | two hundred fixed seeds and those of `seeds.txt` | `cargo sim` |
//! | many fresh seeds | `STEWARD_SIMULATION_SEEDS=100000 cargo sim` |
//! | one seed, with its steps | `STEWARD_SIMULATION_SEED=17 cargo sim -- --nocapture` |
//!
//! Left out until there is a second node: messages between members, and worlds of several nodes.

mod invariants;
mod log;
mod node;
mod oracle;
mod random;
mod store;
mod table;
mod world;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use node::Mutation;
use world::Seen;

/// Seeds that run if nobody asks for others.
const SEEDS: u64 = 200;

/// Seeds in which a broken rule must be noticed.
const MUTATION_SEEDS: u64 = 100;

/// How many seeds pass between two lines about a long run.
const SEEDS_PER_LINE: u64 = 10_000;

fn number(variable: &str) -> Result<Option<u64>> {
    match std::env::var(variable) {
        Ok(text) => Ok(Some(text.parse().with_context(|| format!("{variable}={text} is no number"))?)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error).with_context(|| variable.to_owned()),
    }
}

#[test]
fn invariants_hold_in_every_world() -> Result<()> {
    if let Some(seed) = number("STEWARD_SIMULATION_SEED")? {
        let (trace, _) = world::run(seed, None)?;
        println!("seed {seed}:\n  {}", trace.join("\n  "));
        return Ok(());
    }
    let (first, count) = match number("STEWARD_SIMULATION_SEEDS")? {
        Some(count) => (SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64, count),
        None => (0, SEEDS),
    };
    let start = Instant::now();
    let mut seen = Vec::new();
    for seed in first..first + count {
        seen.push(world::run(seed, None).context("an invariant is broken; add the seed to seeds.txt")?.1);
        if (seed - first + 1).is_multiple_of(SEEDS_PER_LINE) {
            println!("{} worlds in {:?}", seed - first + 1, start.elapsed());
        }
    }
    worlds_are_eventful(&seen)
}

/// Refuses worlds in which too little happens for mistakes to show: at least one of everything in each world on average.
fn worlds_are_eventful(seen: &[Seen]) -> Result<()> {
    let sum = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>();
    let sums = [
        ("commits", sum(|seen| seen.commits)),
        ("reigns", sum(|seen| seen.reigns)),
        ("reigns ended with updates under way", sum(|seen| seen.fenced_updates)),
        ("restarts with a tail", sum(|seen| seen.tails)),
        ("restarts with lost batches", sum(|seen| seen.lost_batches)),
        ("restarts with a torn end", sum(|seen| seen.torn_ends)),
        ("trimmed segments", sum(|seen| seen.trimmed_segments)),
        ("partitions with acknowledged updates", sum(|seen| seen.acknowledged)),
    ];
    println!("{} worlds: {sums:?}", seen.len());
    match sums.iter().find(|(_, sum)| *sum < seen.len()) {
        Some((what, sum)) => bail!("only {sum} {what} in {} worlds: the steps need other weights", seen.len()),
        None => Ok(()),
    }
}

#[test]
fn invariants_hold_in_the_worlds_that_found_mistakes() -> Result<()> {
    for line in include_str!("seeds.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let seed = line.split_whitespace().next().unwrap_or(line);
        world::run(seed.parse().with_context(|| format!("seeds.txt: {line}"))?, None)?;
    }
    Ok(())
}

#[test]
fn a_seed_makes_the_same_world_each_time() -> Result<()> {
    for seed in 0..5 {
        assert_eq!(world::run(seed, None)?, world::run(seed, None)?, "seed {seed}");
    }
    Ok(())
}

/// Returns nothing if breaking a rule is noticed, and by one of the statements that are `expected`.
fn is_noticed(mutation: Mutation, expected: &[&str]) -> Result<()> {
    let start = Instant::now();
    for seed in 0..MUTATION_SEEDS {
        if let Err(error) = world::run(seed, Some(mutation)) {
            let text = format!("{error:#}");
            if !expected.iter().any(|expected| text.contains(expected)) {
                bail!("{mutation:?} was noticed as something else than {expected:?}: {text}");
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{mutation:?} took {:?} to find", start.elapsed());
            return Ok(());
        }
    }
    bail!("{mutation:?} was not noticed in {MUTATION_SEEDS} worlds")
}

#[test]
fn telling_the_client_before_the_commit_is_noticed() -> Result<()> {
    is_noticed(Mutation::AcknowledgedBeforeCommit, &["i02_"])
}

#[test]
fn counting_records_before_they_are_durable_is_noticed() -> Result<()> {
    is_noticed(Mutation::ReportedBeforeSync, &["i05_"])
}

#[test]
fn counting_promises_before_they_are_durable_is_noticed() -> Result<()> {
    is_noticed(Mutation::PromiseReportedBeforeSync, &["i07_"])
}

#[test]
fn applying_before_the_commit_is_noticed() -> Result<()> {
    is_noticed(Mutation::AppliedBeforeCommit, &["i09_"])
}

#[test]
fn forgetting_a_promise_is_noticed() -> Result<()> {
    is_noticed(Mutation::PromiseForgotten, &["i03_", "i21_", "is promised"])
}

#[test]
fn trimming_a_promise_is_noticed() -> Result<()> {
    is_noticed(Mutation::PromiseTrimmed, &["i03_", "i21_", "is promised"])
}

#[test]
fn dropping_a_durable_record_is_noticed() -> Result<()> {
    is_noticed(Mutation::TailDropped, &["i21_", "state store has applied"])
}

#[test]
fn a_store_whose_parts_disagree_is_noticed() -> Result<()> {
    is_noticed(Mutation::UnequalBatches, &["i13_", "state store has applied"])
}

#[test]
fn resuming_a_role_after_a_restart_is_noticed() -> Result<()> {
    is_noticed(Mutation::BootResumesRole, &["a boot never resumes a role"])
}
