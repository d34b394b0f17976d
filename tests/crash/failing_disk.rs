//! A disk that fails. The host either goes on and is right, or ends at once and says why. When it starts on a disk that
//! works again, nothing acknowledged is missing and nothing is there twice.
//!
//! `STEWARD_FAILING_ROUNDS=100` runs more rounds, `STEWARD_FAILING_SEED=7` other ones.

use std::time::Duration;

use rustix::io::Errno;
use steward_tests::disk::{Call, Fault, Survival, Wrong};
use steward_tests::variable::number;
use steward_tests::wait;

use crate::Random;
use crate::model::{Failures, Model};
use crate::rig::{Rig, component};

/// Faults of one run when nothing else is said.
const ROUNDS: u64 = 6;

/// How long the host lives with the fault, in milliseconds.
const LIFE_MILLIS: u64 = 1500;

/// Returns a fault of any kind, in one of the next calls.
fn any_fault(random: &mut Random) -> Fault {
    let (call, after) = match random.below(4) {
        0 => (Call::Create, random.below(4)),
        1 => (Call::Write, random.below(400)),
        2 => (Call::SyncFile, random.below(200)),
        _ => (Call::SyncFolder, random.below(4)),
    };
    let errno = match random.below(3) {
        0 => Errno::IO,
        1 => Errno::NOSPC,
        _ if call == Call::Create => Errno::MFILE,
        _ => Errno::IO,
    };
    Fault::once(call, "**", after, Wrong::Fails(errno))
}

/// Returns a host with a counter on a new disk; none where no disk can be mounted.
async fn started() -> Option<Rig> {
    let mut rig = Rig::new(&[])?;
    let counter = component("counter").await;
    rig.start().expect("the host starts");
    rig.host.client().deploy(&counter, None).await;
    Some(rig)
}

/// Starts the host on a disk that works, after a power cut, and compares.
async fn recover(rig: &mut Rig, model: &mut Model, random: &mut Random, context: &str) {
    rig.cut_power(Survival::SOME, random);
    rig.start().unwrap_or_else(|error| panic!("{context}: {error:#}"));
    model.check(rig.host.client()).await.unwrap_or_else(|error| panic!("{context}: {error:#}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_once_loses_and_doubles_nothing() {
    let (rounds, seed) = (number("STEWARD_FAILING_ROUNDS", ROUNDS), number("STEWARD_FAILING_SEED", 1));
    println!("STEWARD_FAILING_SEED={seed}");
    let mut random = Random::new(seed);
    for round in 0..rounds {
        let Some(mut rig) = started().await else { return };
        let fault = any_fault(&mut random);
        let context = format!("round {round}, seed {seed}, {fault:?}");
        rig.disk.set_faults(vec![fault]);
        let mut model = Model::new(seed + round, Failures::Allowed);
        let load = model.load(rig.host.client());
        // So long the fault may strike; whether it does is part of the seed.
        tokio::time::sleep(Duration::from_millis(LIFE_MILLIS)).await;
        load.stop().await;
        match rig.host.runs() {
            true => model.check(rig.host.client()).await.unwrap_or_else(|error| panic!("{context}: {error:#}")),
            false => assert!(rig.host.log().contains("ERROR"), "{context}: no reason was given\n{}", rig.host.log()),
        }
        recover(&mut rig, &mut model, &mut random, &context).await;
    }
}

/// Lets the next fsync of such files fail under load: the process must end and say why.
async fn ends_the_process(pattern: &str) {
    let Some(mut rig) = started().await else { return };
    let data = rig.host.data();
    let name = data.file_name().expect("the data folder has a name").to_string_lossy().into_owned();
    let path = pattern.replace("DATA", &name);
    rig.disk.set_faults(vec![Fault::once(Call::SyncFile, &path, 0, Wrong::Fails(Errno::IO))]);
    let mut model = Model::new(1, Failures::Allowed);
    let load = model.load(rig.host.client());
    let disk = &rig.disk;
    wait::until("an fsync fails", || async { (disk.struck() > 0).then_some(()) }).await;
    let host = std::sync::Mutex::new(&mut rig.host);
    let ended = || async { host.lock().is_ok_and(|mut host| !host.runs()).then_some(()) };
    wait::until("the process ends", ended).await;
    load.stop().await;
    assert!(rig.host.log().contains("ERROR"), "no reason was given\n{}", rig.host.log());
    recover(&mut rig, &mut model, &mut Random::new(1), pattern).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_fsync_of_the_commit_log_ends_the_process() {
    ends_the_process("DATA/log-*/*.log").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_fsync_of_the_state_store_ends_the_process() {
    ends_the_process("DATA/state/*.jnl").await;
}
