//! Reads of a copy as it is, whoever orders its updates.

use std::collections::BTreeSet;
use std::sync::Arc;

use steward_model::update::{Entry, Record};
use steward_model::{Offset, Position};
use steward_protocol::replica::{self, Append, Row};
use steward_replication::partition::Standing;
use steward_replication::{Message, Options};

use crate::stage::{NOW, Stage, epoch, now, other, own};

/// Has the other member, whose reign this is, append what it likes at `offset`, and say what is committed.
fn append(stage: &Stage, offset: u64, committed: Option<u64>) {
    let at = |offset| Position { epoch: epoch(2), offset: Offset(offset) };
    let previous = offset.checked_sub(1).map(at);
    let entry = match previous {
        None => Entry::Marker,
        Some(_) => Entry::Forget { tombstones_below: Offset(0), answers_below: Offset(0) },
    };
    let before = previous.map(|previous| previous.epoch).unwrap_or_default();
    let record = Arc::new(Record { position: at(offset), previous: before, entry });
    let committed = committed.map(Offset);
    let message = Append { epoch: epoch(2), previous, records: vec![record], committed, low: None };
    let partition = stage.persisted().id();
    stage.partitions.receive(NOW, partition, other(), replica::Message::Append(message));
    stage.write();
}

fn at(ownership: u32, offset: u64) -> Position {
    Position { epoch: epoch(ownership), offset: Offset(offset) }
}

#[test]
fn a_copy_in_the_in_sync_set_shows_what_is_committed_and_waits_for_more() {
    let stage = Stage::new();
    let partition = stage.persisted();
    stage.name(2, other());
    assert!(matches!(partition.standing(None), Standing::Uncounted), "nothing is committed yet");
    append(&stage, 0, None);
    append(&stage, 1, Some(0));
    assert!(matches!(partition.standing(None), Standing::Shows(shows) if shows == at(2, 0)));
    assert!(matches!(partition.standing(Some(at(2, 0))), Standing::Shows(_)));
    assert!(matches!(partition.standing(Some(at(1, 0))), Standing::Elsewhere), "another reign ordered this one");
    let Standing::Behind(behind) = partition.standing(Some(at(2, 1))) else { panic!("not committed yet") };
    assert_eq!(behind.shows, at(2, 0));
    append(&stage, 2, Some(1));
    assert!(now(behind.passed()).is_some(), "woken by the commit");
    assert!(matches!(partition.standing(Some(at(2, 1))), Standing::Shows(shows) if shows == at(2, 1)));
}

#[test]
fn a_copy_that_follows_tells_whoever_waits_what_became_of_a_record() {
    let stage = Stage::new();
    let partition = stage.persisted();
    stage.name(2, other());
    append(&stage, 0, None);
    append(&stage, 1, Some(0));
    let end = partition.status().replica.end.expect("it has records");
    let mut told = std::pin::pin!(partition.committed(end));
    assert!(
        now(told.as_mut()).is_none(),
        "another node orders the updates, and has not said that this one is committed"
    );
    append(&stage, 2, Some(1));
    assert_eq!(now(told), Some(Ok(())));
    let mut told = std::pin::pin!(partition.committed(at(2, 2)));
    assert!(now(told.as_mut()).is_none());
    stage.name(3, other());
    stage.overrule(partition, 3, Some(at(2, 1)));
    partition.step(NOW);
    assert!(matches!(now(told), Some(Err(_))), "the next reign took it back");
}

#[test]
fn a_copy_outside_of_the_in_sync_set_leaves_reads_to_others() {
    let stage = Stage::new();
    let partition = stage.persisted();
    stage.name(2, other());
    append(&stage, 0, None);
    append(&stage, 1, Some(0));
    let row = Row {
        epoch: epoch(2),
        primary: other(),
        in_sync: BTreeSet::from([other()]),
        write_quorum: 1,
        recovery_quorum: 1,
        version: 1,
    };
    partition.post(Message::Row(Box::new(row.clone())));
    partition.step(NOW);
    assert!(matches!(partition.standing(None), Standing::Uncounted));
    let row = Row { in_sync: BTreeSet::from([own(1), other()]), version: 2, ..row };
    partition.post(Message::Row(Box::new(row)));
    partition.step(NOW);
    assert!(matches!(partition.standing(None), Standing::Shows(_)), "it counts again");
}

#[test]
fn a_copy_whose_store_is_too_far_behind_passes_over_appends_until_it_has_caught_up() {
    let stage = Stage::bounded(Options { unapplied_bytes_max: 2_000, ..Options::default() });
    stage.name(2, other());
    let end = || stage.persisted().status().replica.end.filter(|end| end.epoch == epoch(2)).map(|end| end.offset.0);
    let first = stage.persisted().status().replica.end.map_or(0, |end| end.offset.0 + 1);
    let mut offset = first;
    loop {
        append(&stage, offset, offset.checked_sub(1));
        if end() != Some(offset) {
            break;
        }
        offset += 1;
        assert!(offset < first + 1_000, "memory is bounded");
    }
    assert!(offset > first + 2, "it takes what there is room for");
    stage.apply();
    append(&stage, offset, offset.checked_sub(1));
    assert_eq!(end(), Some(offset), "the same append again, once there is room");
}
