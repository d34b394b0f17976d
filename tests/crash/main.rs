//! Kills the host at random instants under load, starts it again, and compares it with what was acknowledged. Nothing
//! may be lost or doubled, versions have no gaps, and listings, queries and digests agree with the documents.
//!
//! `STEWARD_CRASH_ROUNDS=1000` runs more rounds, `STEWARD_CRASH_SEED=7` other ones.

mod deployments;
mod effects;
mod failing_disk;
mod fsyncs;
mod full_disk;
mod log_command;
mod missing_log;
mod model;
mod power;
mod rig;
mod slow_disk;
mod state_store;
mod store_fsyncs;

use std::time::Duration;

use steward_tests::guests::{self, Progress};
use steward_tests::host::Host;
pub(crate) use steward_tests::random::Random;
use steward_tests::variable::number;

use model::{Failures, Model};

/// Kills of one run when nothing else is said.
const ROUNDS: u64 = 100;

/// Longest time between a start and the kill after it, in milliseconds.
const LIFE_MILLIS_MAX: u64 = 250;

pub(crate) async fn host_with(names: &'static [&'static str], flags: &'static [&'static str]) -> Host {
    let started = tokio::task::spawn_blocking(move || {
        anyhow::Ok((guests::build(names, &Progress::hidden())?, Host::start(flags)?))
    });
    let (built, host) = started.await.expect("the start does not panic").expect("the host starts");
    for guest in built {
        host.client().deploy(&std::fs::read(&guest.path).expect("a built guest can be read"), None).await;
    }
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_doubled_by_kills() {
    let rounds = number("STEWARD_CRASH_ROUNDS", ROUNDS);
    let seed = number("STEWARD_CRASH_SEED", 1);
    let mut random = Random::new(seed);
    let mut host = host_with(&["counter"], &[]).await;
    let mut model = Model::new(seed, Failures::Never);
    for round in 0..rounds {
        let life = Duration::from_millis(random.below(LIFE_MILLIS_MAX));
        let load = model.load(host.client());
        // The instant of the kill is the point of the test, not a wait for something.
        tokio::time::sleep(life).await;
        host.kill();
        load.stop().await;
        tokio::task::block_in_place(|| host.restart())
            .unwrap_or_else(|error| panic!("round {round}, seed {seed}: {error:#}"));
        model.check(host.client()).await.unwrap_or_else(|error| panic!("round {round}, seed {seed}: {error:#}"));
    }
    assert!(model.acknowledged() > rounds, "the load acknowledged {} updates only", model.acknowledged());
    println!("{rounds} kills, {} acknowledged updates", model.acknowledged());
}
