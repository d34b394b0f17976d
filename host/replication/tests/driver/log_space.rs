//! A log that has no room: what waits for it, and what does not.

use steward_storage::log::{Frame, FrameKind, RESERVED_BYTES_MAX};

use crate::stage::{NOW, Stage, now, own, put};

#[test]
fn a_step_does_not_wait_for_a_log_without_room() {
    let stage = Stage::new();
    let log = &stage.partitions.shared().log;
    // Fill the segment and the spare one with frames of the node itself, so that the promise finds no room.
    for bytes in [24 << 10, 64, 0] {
        while log.append(&[Frame::of_node(FrameKind::System, vec![0; bytes].into())]).is_ok() {}
    }
    stage.name(1, own(1));
    assert_eq!(stage.persisted().status().refused_by_log, 1, "the promise waits");
    assert!(stage.partitions.shared().is_wanting_space());
    for _ in 0..3 {
        stage.write();
    }
    assert_eq!(stage.persisted().status().refused_by_log, 0);
    assert!(stage.persisted().admits().is_ok(), "promise and marker have followed");
}

#[test]
fn space_is_free_again_when_the_writer_has_taken_the_record_whoever_still_waits() {
    let stage = Stage::serving();
    let log = &stage.partitions.shared().log;
    let taken = stage.propose(stage.persisted(), put("a", 0, "{}")).expect("it is served");
    let reserved = log.reserved_bytes();
    assert!(reserved > 0);
    // The client gives up long before the disk has the record.
    drop(taken);
    assert_eq!(log.reserved_bytes(), reserved);
    stage.drive();
    assert_eq!(log.reserved_bytes(), 0);
}

#[test]
fn a_refused_proposal_gives_its_space_back() {
    let stage = Stage::serving();
    let log = &stage.partitions.shared().log;
    let late = stage.post(stage.persisted(), crate::stage::epoch(9), put("a", 0, "{}"));
    assert!(log.reserved_bytes() > 0);
    stage.persisted().step(NOW);
    assert!(late.try_taken().is_ok_and(|taken| taken.is_err()));
    assert_eq!(log.reserved_bytes(), 0);
}

#[test]
fn whoever_finds_no_space_waits_without_holding_anything() {
    let stage = Stage::serving();
    let partition = stage.persisted();
    let log = &stage.partitions.shared().log;
    let large = put("a", 0, &format!("\"{}\"", "x".repeat(20 << 10)));
    let mut held = Vec::new();
    while log.reserved_bytes() < RESERVED_BYTES_MAX {
        let Some(Ok(space)) = now(partition.space_for(&large)) else { break };
        held.push(space);
    }
    assert!(now(partition.space_for(&large)).is_none(), "nothing is left");
    assert_eq!(stage.state(partition, "a"), None, "reads go on");
    partition.step(NOW);
    drop(held);
    assert!(now(partition.space_for(&large)).is_some_and(|space| space.is_ok()));
}
