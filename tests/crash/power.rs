//! Cuts the power under the whole data folder at random instants, and compares with what was acknowledged.
//!
//! `STEWARD_POWER_ROUNDS=200` runs more rounds, `STEWARD_POWER_SEED=7` other ones.

use std::time::Duration;

use serde_json::json;
use steward_tests::disk::Survival;
use steward_tests::host::OWN_CODE;
use steward_tests::variable::number;

use crate::Random;
use crate::deployments::Deployments;
use crate::model::{Failures, Model};
use crate::rig::{Rig, component};

/// Power cuts of one run when nothing else is said.
const ROUNDS: u64 = 8;

/// Longest time between a start and the cut after it, in milliseconds.
const LIFE_MILLIS_MAX: u64 = 1000;

/// Longest time between the wish that the host stops and the cut, in milliseconds.
const STOP_MILLIS_MAX: u64 = 200;

/// What the host is doing when the power is cut, besides its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    Load,
    Deployment,
    Stop,
}

fn seed() -> u64 {
    let seed = number("STEWARD_POWER_SEED", 1);
    println!("STEWARD_POWER_SEED={seed}");
    seed
}

async fn sleep(random: &mut Random, millis_max: u64) {
    // The instant of the cut is the point of these tests, not a wait for something.
    tokio::time::sleep(Duration::from_millis(random.below(millis_max))).await;
}

/// Lets the host live, and cuts the power at an instant of the scene.
async fn live(rig: &mut Rig, scene: Scene, model: &mut Model, deployments: &mut Deployments, random: &mut Random) {
    let load = model.load(rig.host.client());
    match scene {
        Scene::Load => sleep(random, LIFE_MILLIS_MAX).await,
        Scene::Deployment => {
            let client = rig.host.client().clone();
            // One for certain, however busy the machine is; the cut comes while others are under way.
            deployments.deploy_one(&client).await.expect("a module is deployed while nothing fails");
            tokio::select! {
                () = deployments.deploy(&client) => {}
                () = sleep(random, 3 * LIFE_MILLIS_MAX) => {}
            }
        }
        Scene::Stop => {
            sleep(random, LIFE_MILLIS_MAX).await;
            rig.host.ask_to_stop().expect("a running host can be asked");
            sleep(random, STOP_MILLIS_MAX).await;
        }
    }
    rig.cut_power(Survival::SOME, random);
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_power_cuts() {
    let (rounds, seed) = (number("STEWARD_POWER_ROUNDS", ROUNDS), seed());
    let Some(mut rig) = Rig::new(&OWN_CODE) else { return };
    let counter = component("counter").await;
    let mut random = Random::new(seed);
    let mut model = Model::new(seed, Failures::Allowed);
    let mut deployments = Deployments::new(counter.clone());
    rig.start().expect("the host starts");
    rig.host.client().deploy(&counter, None).await;
    for round in 0..rounds {
        let scene = [Scene::Load, Scene::Deployment, Scene::Stop][(round % 3) as usize];
        rig.disk.write_back(seed + round);
        live(&mut rig, scene, &mut model, &mut deployments, &mut random).await;
        let context = || format!("round {round}, seed {seed}, {scene:?}");
        rig.start().unwrap_or_else(|error| panic!("{}: {error:#}", context()));
        let client = rig.host.client();
        model.check(client).await.unwrap_or_else(|error| panic!("{}: {error:#}", context()));
        deployments.check(client).await.unwrap_or_else(|error| panic!("{}: {error:#}", context()));
    }
    assert!(model.acknowledged() > rounds, "the load acknowledged {} updates only", model.acknowledged());
    assert!(rounds < 2 || deployments.acknowledged() > 0, "no deployment was acknowledged");
    println!(
        "{rounds} power cuts, {} acknowledged updates, {} acknowledged modules",
        model.acknowledged(),
        deployments.acknowledged()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_folder_survives_power_cuts_in_its_first_second() {
    let (rounds, seed) = (number("STEWARD_POWER_ROUNDS", ROUNDS).div_ceil(2), seed());
    let counter = component("counter").await;
    let mut random = Random::new(seed + 77);
    for round in 0..rounds {
        let Some(mut rig) = Rig::new(&OWN_CODE) else { return };
        rig.disk.write_back(seed + round);
        let context = || format!("round {round}, seed {seed}");
        tokio::task::block_in_place(|| rig.host.spawn()).expect("the host can be started");
        sleep(&mut random, LIFE_MILLIS_MAX).await;
        rig.cut_power(Survival::SOME, &mut random);
        rig.start().unwrap_or_else(|error| panic!("{}: {error:#}", context()));
        rig.host.client().deploy(&counter, None).await;
        rig.host.client().post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
        rig.cut_power(Survival::SOME, &mut random);
        rig.start().unwrap_or_else(|error| panic!("{}: {error:#}", context()));
        rig.host.client().get("/core/counters/c").await.expect(200);
    }
}
