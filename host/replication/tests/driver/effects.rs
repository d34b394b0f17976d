//! Effects: who may send them, and how they are settled.

use steward_model::Timestamp;
use steward_model::update::PendingEffect;
use steward_replication::Partition;
use steward_replication::partition::Claim;

use crate::stage::{NOW, Stage, other, put, sending};

/// Returns what is pending, once everything that the store holds is known.
fn load(stage: &Stage) {
    stage.apply();
    let (epoch, committed) = stage.persisted().unloaded_outbox().expect("a reign has begun");
    assert!(stage.persisted().applied() >= committed);
    stage.persisted().load_outbox(epoch, Timestamp(0)).expect("readable");
}

/// Claims the document whose effects are due, and returns the first of them.
fn claimed(partition: &Partition) -> (Claim, PendingEffect) {
    let claim = partition.with_outbox(|outbox| outbox.claim(Timestamp(1), 8)).pop().expect("there is an effect");
    let effect = partition.with_outbox(|outbox| outbox.next(&claim, Timestamp(1))).expect("it is due");
    (claim, effect)
}

#[test]
fn an_effect_is_settled_by_the_partition_that_owns_it() {
    let stage = Stage::serving();
    load(&stage);
    stage.propose(stage.persisted(), sending("a", 0)).expect("it is served");
    stage.write();
    let partition = stage.persisted();
    let (claim, effect) = claimed(partition);
    partition.with_outbox(|outbox| outbox.sent(&claim, &effect.key));
    partition.settle(vec![effect.key.clone()], Timestamp(2));
    partition.step(NOW);
    assert!(partition.with_outbox(|outbox| outbox.is_pending(&effect.key)), "the note is not on disk");
    stage.write();
    assert!(!partition.with_outbox(|outbox| outbox.is_pending(&effect.key)));
    stage.apply();
    let stage = stage.crash();
    stage.serve(2);
    load(&stage);
    assert_eq!(stage.persisted().status().pending_effects, Some(0));
}

#[test]
fn an_effect_that_nobody_settled_is_pending_after_a_crash_under_the_same_key() {
    let stage = Stage::serving();
    load(&stage);
    let taken = stage.propose(stage.persisted(), sending("a", 0)).expect("it is served");
    stage.write();
    let issued = taken.placed.position;
    let stage = stage.crash();
    stage.serve(2);
    stage.propose(stage.persisted(), put("a", 1, "{}")).expect("it is served");
    stage.write();
    load(&stage);
    let partition = stage.persisted();
    assert_eq!(claimed(partition).1.key.at, issued);
}

#[test]
fn a_claim_and_a_note_of_a_reign_that_is_over_change_nothing() {
    let stage = Stage::serving();
    load(&stage);
    stage.propose(stage.persisted(), sending("a", 0)).expect("it is served");
    stage.write();
    let partition = stage.persisted();
    let (claim, effect) = claimed(partition);
    stage.name(2, other());
    partition.settle(vec![effect.key], Timestamp(2));
    partition.step(NOW);
    assert!(!partition.with_outbox(|outbox| outbox.is_valid(&claim)));
    stage.serve(3);
    load(&stage);
    assert_eq!(partition.status().pending_effects, Some(1), "whoever reigns now sends it");
}
