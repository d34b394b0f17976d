//! State stores and disks that fail.

use steward_model::Lane;
use steward_model::update::Update;
use steward_replication::checkpoint::Error;
use steward_replication::{Options, ProposeError};
use steward_storage::documents::Across;
use steward_storage::state::StateStore;

use crate::stage::{Stage, link, put};

#[test]
fn a_batch_of_unknown_outcome_is_counted_once() {
    let stage = Stage::serving();
    for name in ["a", "b", "c"] {
        stage.propose(stage.persisted(), put(name, 0, "{}")).expect("it is served");
    }
    stage.write();
    stage.store.fail_writes_half_way(1);
    assert_eq!(stage.apply(), 1, "the store refuses");
    assert!(stage.partitions.shared().store_problem().is_some());
    stage.store.reopen();
    assert_eq!(stage.apply(), 0);
    assert_eq!(stage.partitions.shared().store_problem(), None);
    assert_eq!(stage.persisted().digest_agrees().expect("readable"), Some(true));
    let (store, copies) = (stage.persisted().store(), stage.partitions.shared().served.copies(Lane::Persisted));
    let view = store.view().expect("a view");
    let across = Across::new(store.store().as_ref(), view.as_ref(), &copies);
    assert_eq!(across.count(&link("a").parent().expect("a factory")).expect("readable"), 3);
}

#[test]
fn a_checkpoint_that_fails_releases_nothing_and_succeeds_later() {
    let stage = Stage::serving();
    stage.propose(stage.persisted(), put("a", 0, "{}")).expect("it is served");
    stage.write();
    stage.apply();
    stage.store.refuse(1);
    let failed = stage.partitions.checkpoint(&*stage.store);
    assert!(matches!(failed, Err(Error::Store(_))), "{failed:?}");
    let logged = stage.partitions.checkpoint(&*stage.store).expect("the store is back");
    stage.drive();
    stage.partitions.trim(logged).expect("the disk works");
    assert!(stage.ears.failures.lock().expect("whole").is_empty());
}

#[test]
fn a_failed_sync_of_the_store_ends_the_node() {
    let stage = Stage::serving();
    stage.propose(stage.persisted(), put("a", 0, "{}")).expect("it is served");
    stage.write();
    stage.apply();
    stage.store.fail_syncs(1);
    assert!(stage.partitions.checkpoint(&*stage.store).is_err());
    assert_eq!(stage.ears.failures.lock().expect("whole").len(), 1);
    assert!(stage.partitions.shared().has_failed());
    // The log still has everything that the store may have lost.
    let stage = stage.crash();
    stage.serve(2);
    assert_eq!(stage.state(stage.persisted(), "a").as_deref(), Some("{}"));
}

#[test]
fn a_failed_sync_that_only_a_reader_has_met_ends_the_node() {
    let stage = Stage::serving();
    stage.store.fail_syncs(1);
    stage.store.checkpoint().expect_err("the disk refuses");
    assert!(!stage.partitions.shared().has_failed());
    stage.partitions.shared().look_after(&*stage.store);
    assert_eq!(stage.ears.failures.lock().expect("whole").len(), 1);
    assert!(stage.partitions.checkpoint(&*stage.store).is_err());
}

#[test]
fn a_store_that_has_lost_what_it_held_ends_the_node_and_the_next_start_fills_it() {
    let stage = Stage::serving();
    let write = |name: &str| {
        stage.propose(stage.persisted(), put(name, 0, "{}")).expect("it is served");
        stage.write();
    };
    write("a");
    assert_eq!(stage.apply(), 0);
    // It is opened anew, and nothing is there that was not synced.
    assert!(stage.store.crash_keeping(0) > 0);
    stage.store.reopen();
    write("b");
    assert_eq!(stage.apply(), 1, "what comes between is missing");
    assert_eq!(stage.ears.failures.lock().expect("whole").len(), 1);
    let stage = stage.crash();
    stage.serve(2);
    for name in ["a", "b"] {
        assert_eq!(stage.state(stage.persisted(), name).as_deref(), Some("{}"), "{name}");
    }
}

#[test]
fn a_checkpoint_lets_go_of_nothing_that_the_store_has_lost() {
    let stage = Stage::serving();
    stage.propose(stage.persisted(), put("a", 0, "{}")).expect("it is served");
    stage.write();
    assert_eq!(stage.apply(), 0);
    assert!(stage.store.crash_keeping(0) > 0);
    stage.store.reopen();
    assert!(stage.partitions.checkpoint(&*stage.store).is_err(), "the log has it alone");
    assert_eq!(stage.ears.failures.lock().expect("whole").len(), 1);
    let stage = stage.crash();
    stage.serve(2);
    assert_eq!(stage.state(stage.persisted(), "a").as_deref(), Some("{}"));
}

#[test]
fn a_failed_sync_of_the_log_ends_the_node_and_commits_nothing() {
    let stage = Stage::serving();
    let mut taken = stage.propose(stage.persisted(), put("a", 0, "{}")).expect("it is served");
    stage.disk.fail_syncs(1);
    assert!(stage.try_drive().is_err());
    stage.partitions.step(crate::stage::NOW);
    assert!(taken.try_committed().is_none());
    assert_eq!(stage.ears.failures.lock().expect("whole").len(), 1);
    assert_eq!(stage.state(stage.persisted(), "a"), None);
}

#[test]
fn damage_is_told_once_and_stops_checkpoints() {
    let stage = Stage::serving();
    stage.propose(stage.persisted(), put("a", 0, "{}")).expect("it is served");
    stage.write();
    stage.apply();
    stage.store.report_damage("a blob file is gone");
    let refused = stage.partitions.checkpoint(&*stage.store);
    assert!(matches!(refused, Err(Error::Damaged)), "{refused:?}");
    let problem = stage.partitions.shared().store_problem().expect("somebody looks after it");
    assert!(problem.contains("a blob file is gone"), "{problem}");
}

/// Proposes updates of 10 KB until one is refused, and returns how many were taken before.
fn propose_until_refused(
    stage: &Stage,
    update: impl Fn(u64, &str) -> Update,
    taken_one: impl Fn(),
) -> (u64, ProposeError) {
    let large = format!("\"{}\"", "x".repeat(10_000));
    for taken in 0..10 {
        match stage.propose(stage.persisted(), update(taken, &large)) {
            Ok(_) => taken_one(),
            Err(refused) => return (taken, refused),
        }
    }
    panic!("memory is bounded");
}

#[test]
fn nothing_is_admitted_while_the_store_is_too_far_behind() {
    let stage = Stage::bounded(Options { unapplied_bytes_max: 40_000, ..Options::default() });
    let (taken, refused) = propose_until_refused(&stage, |taken, large| put("a", taken, large), || stage.write());
    assert!(matches!(refused, ProposeError::Behind { most: 40_000, .. }), "{refused:?}");
    stage.apply();
    stage.propose(stage.persisted(), put("a", taken, "{}")).expect("the store has caught up");
}

#[test]
fn nothing_is_admitted_while_too_much_waits_to_be_committed() {
    let stage = Stage::bounded(Options { uncommitted_bytes_max: 40_000, ..Options::default() });
    let (_, refused) = propose_until_refused(&stage, |taken, large| put(&format!("d{taken}"), 0, large), || ());
    assert!(matches!(refused, ProposeError::TooFewFollow { most: 40_000, .. }), "{refused:?}");
    stage.write();
    stage.propose(stage.persisted(), put("e", 0, "{}")).expect("it is committed");
}
