//! The scopes that the suite looks at, whole, and those that are walked at random.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use steward_model::Lane;

use crate::explore;
use crate::scope::{QUIET, Scope};
use crate::walk::walk;

/// Worlds of one scope that are looked at, at most, if nobody asks for more.
const STATES: usize = 150_000;

/// Random walks of each lane, if nobody asks for more.
const WALKS: usize = 2_000;

fn number(variable: &str, otherwise: usize) -> Result<usize> {
    match std::env::var(variable) {
        Ok(text) => text.parse().with_context(|| format!("{variable}={text} is no number")),
        Err(_) => Ok(otherwise),
    }
}

fn whole(scope: Scope) -> Result<()> {
    crate::broken::keep_panics_quiet();
    let start = Instant::now();
    let (worlds, is_whole) = explore(scope, number("STEWARD_MODELCHECK_STATES", STATES)?)?;
    println!("{}: {worlds} worlds in {:?}, {}", scope.name, start.elapsed(), if is_whole { "all" } else { "not all" });
    Ok(())
}

#[test]
fn two_reigns_and_a_write_with_two_of_three() -> Result<()> {
    whole(Scope { name: "2 reigns, 1 write", epochs: 2, writes: 1, ..QUIET })
}

#[test]
fn two_reigns_and_two_writes_with_a_crash() -> Result<()> {
    whole(Scope { name: "1 reign, 1 write, 1 crash", epochs: 2, writes: 1, crashes: 1, ..QUIET })
}

#[test]
fn a_change_of_the_in_sync_set() -> Result<()> {
    whole(Scope { name: "2 reigns, 1 change", epochs: 2, writes: 1, alterations: 1, ticks: 1, ..QUIET })
}

#[test]
fn reads_while_another_reigns() -> Result<()> {
    whole(Scope { name: "2 reigns, 1 write, 1 read", epochs: 2, writes: 1, reads: 1, ..QUIET })
}

#[test]
fn a_quorum_that_falls() -> Result<()> {
    whole(Scope { name: "W 3 to 2", write_quorum: 3, epochs: 2, writes: 1, quorum: Some(2), ..QUIET })
}

#[test]
fn a_quorum_that_rises() -> Result<()> {
    whole(Scope { name: "W 1 to 2", write_quorum: 1, epochs: 2, writes: 1, wants: 2, alterations: 1, ..QUIET })
}

#[test]
fn memory_that_is_lost() -> Result<()> {
    whole(Scope { name: "volatile", lane: Lane::Volatile, epochs: 2, writes: 1, crashes: 1, ..QUIET })
}

#[test]
fn random_walks_break_nothing() -> Result<()> {
    crate::broken::keep_panics_quiet();
    let scope = Scope {
        epochs: 5,
        writes: 4,
        alterations: 3,
        crashes: 3,
        ticks: 6,
        quorum: Some(1),
        reads: 3,
        rebuilds: 1,
        trims: 3,
        ..QUIET
    };
    let start = Instant::now();
    let walks = number("STEWARD_MODELCHECK_WALKS", WALKS)?;
    for number in 0..walks {
        let lane = if number % 2 == 0 { Lane::Persisted } else { Lane::Volatile };
        let nodes = if number % 8 < 6 { 3 } else { 5 };
        let members = nodes - usize::from(number % 16 >= 8);
        let has_slow_disks = number % 3 == 0;
        let scope = Scope { lane, nodes, members, write_quorum: members as u32 / 2 + 1, has_slow_disks, ..scope };
        if let Some(found) = walk(&scope, number as u64, 400) {
            bail!("walk {number} of {scope:?} breaks {}, after\n  {}", found.broken, found.trace.join("\n  "));
        }
    }
    println!("{walks} walks in {:?}", start.elapsed());
    Ok(())
}
