//! Reigns that end, and another reign that orders something else in their place.

use steward_model::update::RequestKey;
use steward_model::{Lane, Offset, Position};
use steward_replication::ProposeError;
use steward_storage::log::Disk;

use crate::stage::{NOW, Stage, answering, epoch, link, now, other, put};

#[test]
fn an_update_that_was_decided_in_an_earlier_reign_is_not_taken() {
    let stage = Stage::serving();
    let partition = stage.persisted();
    stage.name(2, other());
    stage.serve(3);
    let late = stage.post(partition, epoch(1), put("a", 0, "{}"));
    partition.step(NOW);
    let refused = late.try_taken().expect("a step has looked at it");
    assert!(matches!(refused, Err(ProposeError::NotAdmitted { .. })), "{refused:?}");
    assert_eq!(partition.newest(&link("a")).expect("readable").document, None, "nothing has happened");
}

#[test]
fn whoever_waits_for_a_record_is_not_answered_by_another_one_at_its_place() {
    let stage = Stage::serving();
    let partition = stage.persisted();
    let mut first = stage.propose(partition, put("a", 0, "{}")).expect("it is served");
    let lost = first.placed.position;
    assert_eq!(lost, Position { epoch: epoch(1), offset: Offset(1) });
    stage.name(2, other());
    assert!(first.try_committed().is_none(), "nobody knows yet what the next reign makes of it");
    // The next primary did not have it.
    stage.overrule(partition, 2, Some(Position { epoch: epoch(1), offset: Offset(0) }));
    partition.step(NOW);
    assert!(matches!(first.try_committed(), Some(Err(_))), "it was cut");
    stage.serve(3);
    let second = stage.propose(partition, put("b", 0, "{}")).expect("it is served");
    assert!(second.placed.position.offset > lost.offset);
    stage.write();
    assert!(now(partition.committed(lost)).expect("it is known").is_err(), "its place has another record");
    assert!(now(partition.committed(second.placed.position)).expect("it is known").is_ok());
}

#[test]
fn what_was_cut_off_is_neither_newest_nor_remembered() {
    let stage = Stage::serving();
    let partition = stage.persisted();
    stage.propose(partition, put("a", 0, r#"{"n":1}"#)).expect("it is served");
    stage.write();
    stage.propose(partition, answering("a", 1, "key")).expect("it is served");
    let committed = partition.committed_end().map(|offset| Position { epoch: epoch(1), offset });
    stage.name(2, other());
    stage.overrule(partition, 2, committed);
    partition.step(NOW);
    stage.serve(3);
    let newest = partition.newest(&link("a")).expect("readable").document.expect("it exists");
    assert_eq!(&newest.body[..], br#"{"n":1}"#);
    assert_eq!(partition.remembered(&link("a"), &RequestKey::of("key")).expect("readable"), None);
}

#[test]
fn a_log_that_was_cut_opens_again_without_its_marker() {
    let stage = Stage::serving();
    let partition = stage.persisted();
    stage.propose(partition, put("a", 0, "{}")).expect("it is served");
    stage.write();
    // A marker of reign 2 reaches the disk and is cut; records of a later reign take its place.
    stage.name(2, crate::stage::own(1));
    stage.drive();
    stage.partitions.step(NOW);
    stage.drive();
    stage.name(3, other());
    let end = Position { epoch: epoch(1), offset: Offset(1) };
    stage.overrule(partition, 3, Some(end));
    partition.step(NOW);
    stage.serve(4);
    stage.apply();
    let stage = stage.crash();
    let status = stage.persisted().status();
    assert_eq!(status.replica.end, Some(Position { epoch: epoch(4), offset: Offset(3) }));
    stage.serve(5);
    assert_eq!(stage.state(stage.persisted(), "a").as_deref(), Some("{}"));
}

#[test]
fn a_branch_that_was_cut_stays_whole_in_the_log_until_the_store_holds_another() {
    let stage = Stage::serving();
    let partition = stage.persisted();
    stage.apply();
    let large = format!("\"{}\"", "x".repeat(20 << 10));
    for version in 0..5 {
        drop(stage.propose(partition, put("a", version, &large)).expect("it is served"));
        // On the disk, but the copy has not heard of it: nothing is committed.
        stage.drive();
    }
    stage.name(2, other());
    stage.overrule(partition, 2, Some(Position { epoch: epoch(1), offset: Offset(0) }));
    stage.write();
    let segments = stage.disk.list().expect("a readable folder").len();
    let logged = stage.partitions.checkpoint(stage.store.as_ref()).expect("the store works");
    stage.write();
    stage.partitions.trim(logged).expect("the disk works");
    assert!(segments > 1, "the branch goes on in another segment");
    assert_eq!(stage.disk.list().expect("a readable folder").len(), segments, "all of it is there");
    // A start that found only its rest could not tell it from records that were lost.
    let stage = stage.crash();
    assert_eq!(stage.persisted().status().replica.end, Some(Position { epoch: epoch(2), offset: Offset(1) }));
}

#[test]
fn a_lane_does_not_show_what_the_other_one_keeps() {
    let stage = Stage::serving();
    stage.propose(stage.persisted(), put("a", 0, r#"{"n":1}"#)).expect("it is served");
    stage.write();
    stage.apply();
    assert_eq!(stage.state(stage.persisted(), "a").as_deref(), Some(r#"{"n":1}"#));
    assert_eq!(stage.state(stage.volatile(), "a"), None);
    assert_eq!(stage.volatile().newest(&link("a")).expect("readable").document, None);
}

#[test]
fn a_copy_counts_for_queries_while_it_serves_and_what_is_committed_is_known_to_wait() {
    let stage = Stage::new();
    let partition = stage.persisted();
    let shared = stage.partitions.shared();
    let counts = || shared.served.copies(Lane::Persisted).hold(partition.store().copy());
    assert!(!counts(), "it follows until it is named");
    stage.serve(1);
    assert!(counts() && shared.served.copies(Lane::Volatile).hold(stage.volatile().store().copy()));
    let taken = shared.served.copies(Lane::Persisted);
    stage.apply();
    assert_eq!(shared.applying.backlog().bytes, 0, "a query need not ask any partition");
    stage.propose(partition, put("a", 0, "{}")).expect("it is served");
    stage.write();
    assert!(partition.committed_end() > partition.applied());
    assert!(shared.applying.backlog().bytes > 0, "a client may have been told, and the store does not hold it");
    stage.apply();
    assert_eq!((shared.applying.backlog().bytes, partition.committed_end()), (0, partition.applied()));
    stage.name(2, other());
    assert!(!counts(), "another node answers for it");
    assert!(taken.hold(partition.store().copy()), "a query that has begun goes on");
}
