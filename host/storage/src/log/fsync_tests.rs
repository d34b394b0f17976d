//! Fsyncs of opening and trimming: each is needed, and these tests fail without it.
//!
//! A disk that lies about one kind of file cannot show that: each of these fsyncs shares its kind with others that happen all the time.

use super::segment::{self, FORMAT_VERSION, Header};
use super::tests::*;
use super::*;

/// Writes a group that is in the memory of the system and not on the disk: the process dies of the failed fsync.
fn write_unsynced(disk: &FaultyDisk, log: &Log, offset: u64, bytes: usize) {
    log.append(&[record(0, offset, bytes)]).expect("there is space");
    disk.fail_syncs(1);
    log.drive(&Told::default()).expect_err("the disk refuses to sync");
}

#[test]
fn a_group_that_a_start_has_read_is_there_after_a_power_cut() {
    let disk = disk_with(3, 100);
    let (opened, _) = open(&disk).expect("the log opens");
    write_unsynced(&disk, &opened.log, 3, 100);
    drop(opened);
    let (_, read) = open(&disk).expect("memory answers with what was written");
    assert_eq!(read.len(), 4);
    let (_, left) = open(&disk.lasting()).expect("the log opens after the power cut");
    assert_eq!(left, read, "whoever read the group may have acted on it");
}

#[test]
fn a_torn_group_that_was_blanked_does_not_come_back_behind_a_newer_one() {
    let mut cuts = 0;
    for seed in 0..200 {
        let disk = FaultyDisk::new(seed);
        let (opened, _) = open(&disk).expect("an empty disk opens");
        opened.log.append(&[record(0, 0, 100)]).expect("there is space");
        opened.log.drive(&Told::default()).expect("the disk works");
        write_unsynced(&disk, &opened.log, 1, 20_000);
        drop(opened);
        disk.crash();
        let (opened, _) = open(&disk).unwrap_or_else(|error| panic!("seed {seed}: the torn group: {error}"));
        cuts += u64::from(opened.recovery.cut_bytes > 0);
        // Shorter: behind it stands what is left of the torn one, unless that was blanked for good.
        write_unsynced(&disk, &opened.log, 1, 100);
        drop(opened);
        disk.crash();
        open(&disk).unwrap_or_else(|error| panic!("seed {seed}: a shorter group in its place: {error}"));
    }
    assert!(cuts > 100, "only {cuts} groups were torn");
}

#[test]
fn unused_segments_go_without_a_gap_in_their_numbers() {
    let disk = disk_with(1, 100);
    for number in 2..=4 {
        if disk.open(&segment::name(number)).is_err() {
            let file = segment::reserve(&disk, SEGMENT_BYTES).expect("there is space");
            let identity = Identity(options().identity);
            let header = Header { format: FORMAT_VERSION, identity, segment: number, bytes: SEGMENT_BYTES };
            segment::finish(&disk, file, header, &mut |_| Ok(())).expect("the disk works");
        }
    }
    let (opened, _) = open(&disk).expect("one spare is kept, two go");
    drop(opened);
    assert!(disk.open(&segment::name(2)).is_ok() && disk.open(&segment::name(3)).is_err());
    disk.crash_out_of_order();
    open(&disk).expect("neither of the two has come back without the other");
}

#[test]
fn trimmed_segments_go_without_a_gap_in_their_numbers() {
    let disk = disk_with(12, 30_000);
    let (opened, _) = open(&disk).expect("the log opens");
    let trimmed = opened.log.trim_to(Lsn(12), 0).expect("the disk works");
    assert!(trimmed.segments > 2, "only {} segments went", trimmed.segments);
    drop(opened);
    disk.crash_out_of_order();
    open(&disk).expect("no removed segment has come back without those before it");
}
