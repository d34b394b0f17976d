//! Simulation: whole worlds in memory, each fixed by a seed, in which everything fails that may fail.
//!
//! A world runs the driver of production, `steward-replication`, over the real commit log on a disk that tears writes, and the
//! real documents on a store that fails; a system group, another member and the clients are machines of the world. After each
//! step all [`invariants`] must hold; after the last one the faults stop, and everything must become active and finish.
//!
//! ```text
//!  seed ─► Random ─► step ─► Partitions: mailboxes ─► Log on FaultyDisk          notes ─► facts ─► invariants
//!                     │            │                                                ▲                 ▲
//!       table, peer, clients ──────┘─► documents on FaultyStore ── Observer ────────┘     oracle ─────┘
//! ```
//!
//! | to run | say |
//! |---|---|
//! | fresh seeds and those of `seeds.txt` | `cargo sim` |
//! | many fresh seeds | `STEWARD_SIMULATION_SEEDS=100000 cargo sim` |
//! | groups of several nodes, see [`group`] | `STEWARD_SIMULATION_GROUPS=100000 cargo sim` |
//! | one group, with its steps | `STEWARD_SIMULATION_GROUP=17 cargo sim invariants_hold_in_every_group -- --nocapture` |
//! | one seed, with its steps | `STEWARD_SIMULATION_SEED=17 cargo sim -- --nocapture` |
//!
//! Read `host/docs/simulation.md` for how to read a trace and how to add to a world.

mod carrier;
mod clients;
mod facts;
mod group;
mod invariants;
mod life;
mod lives;
mod members;
mod model;
mod mutations;
mod node;
mod oracle;
mod peer;
mod random;
mod requests;
mod rest;
mod seen;
mod steps;
mod table;
mod tasks;
mod witness;
mod words;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use seen::Seen;

/// Fresh seeds that run if nobody asks for others.
const SEEDS: u64 = 2000;

/// Fresh groups that run if nobody asks for others.
const GROUPS: u64 = 400;

/// How many seeds pass between two lines about a long run.
const SEEDS_PER_LINE: u64 = 10_000;

/// Worlds run on so many threads.
const THREADS: usize = 2;

fn number(variable: &str) -> Result<Option<u64>> {
    match std::env::var(variable) {
        Ok(text) => Ok(Some(text.parse().with_context(|| format!("{variable}={text} is no number"))?)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error).with_context(|| variable.to_owned()),
    }
}

/// Panics of worlds are told by the worlds.
fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|_| {}));
}

#[test]
fn invariants_hold_in_every_world() -> Result<()> {
    if let Some(seed) = number("STEWARD_SIMULATION_SEED")? {
        let (lived, trace) = world::trace(seed);
        println!("seed {seed}:\n  {}", trace.join("\n  "));
        return lived;
    }
    let count = number("STEWARD_SIMULATION_SEEDS")?.unwrap_or(SEEDS);
    let first = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
    let seen =
        run_all(first, count, world::run, Seen::add).context("an invariant is broken; add the seed to seeds.txt")?;
    seen.are_eventful(count as usize)
}

/// Runs worlds on all threads.
fn run_all<S: Default + Send>(
    first: u64,
    count: u64,
    run: impl Fn(u64) -> Result<S> + Sync,
    add: impl Fn(&mut S, &S) + Sync,
) -> Result<S> {
    keep_panics_quiet();
    let (next, start) = (AtomicU64::new(0), Instant::now());
    let work = || -> Result<S> {
        let mut seen = S::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(seen);
            }
            match run(first + number) {
                Ok(one) => add(&mut seen, &one),
                Err(error) => {
                    next.store(count, Ordering::Relaxed);
                    return Err(error);
                }
            }
            if (number + 1).is_multiple_of(SEEDS_PER_LINE) {
                println!("{} worlds in {:?}", number + 1, start.elapsed());
            }
        }
    };
    let results: Vec<Result<S>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread of worlds panicked")))
            .collect()
    });
    println!("{count} worlds in {:?}", start.elapsed());
    let mut seen = S::default();
    for result in results {
        add(&mut seen, &result?);
    }
    Ok(seen)
}

#[test]
fn invariants_hold_in_the_worlds_that_found_mistakes() -> Result<()> {
    keep_panics_quiet();
    for line in include_str!("seeds.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let seed = line.split_whitespace().next().unwrap_or(line);
        world::run(seed.parse().with_context(|| format!("seeds.txt: {line}"))?)?;
    }
    Ok(())
}

#[test]
fn invariants_hold_in_every_group() -> Result<()> {
    if let Some(seed) = number("STEWARD_SIMULATION_GROUP")? {
        let (lived, trace) = group::trace(seed);
        println!("group {seed}:\n  {}", trace.join("\n  "));
        return lived;
    }
    let count = number("STEWARD_SIMULATION_GROUPS")?.unwrap_or(GROUPS);
    let first = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
    let seen = run_all(first, count, group::run, group::Seen::add)
        .context("a statement is false; add the group to groups.txt")?;
    println!("{seen:?}");
    seen.are_eventful(count as usize)
}

#[test]
fn invariants_hold_in_the_groups_that_found_mistakes() -> Result<()> {
    keep_panics_quiet();
    for line in include_str!("groups.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let seed = line.split_whitespace().next().unwrap_or(line);
        group::run(seed.parse().with_context(|| format!("groups.txt: {line}"))?)?;
    }
    Ok(())
}

#[test]
fn a_group_is_the_same_each_time() {
    keep_panics_quiet();
    for seed in 0..5 {
        let (first, second) = (group::trace(seed).1, group::trace(seed).1);
        let differing = first.iter().zip(&second).find(|(first, second)| first != second);
        assert_eq!(differing, None, "group {seed}");
        assert_eq!(first.len(), second.len());
    }
}

#[test]
fn a_world_is_the_same_each_time() {
    keep_panics_quiet();
    for seed in 0..5 {
        let (first, second) = (world::trace(seed).1, world::trace(seed).1);
        let differing = first.iter().zip(&second).find(|(first, second)| first != second);
        assert_eq!(differing, None, "seed {seed}");
        assert_eq!(first.len(), second.len());
    }
}
