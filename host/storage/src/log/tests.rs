use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use steward_model::{Epoch, Lane, Offset, PartitionId, Position};

use super::*;

pub(super) const SEGMENT_BYTES: u64 = 64 << 10;

/// Remembers what it was told.
#[derive(Default)]
pub(super) struct Told {
    pub(super) through: AtomicU64,
    pub(super) failed: AtomicBool,
    pub(super) ends: Mutex<Vec<(PartitionId, Position)>>,
}

impl Listener for Told {
    fn persisted(&self, through: Lsn, ends: &[(PartitionId, Position)]) {
        assert!(self.through.swap(through.0, Ordering::SeqCst) < through.0, "persisted is told in order");
        locked(&self.ends).extend_from_slice(ends);
    }

    fn failed(&self, _error: &writer::Error) {
        self.failed.store(true, Ordering::SeqCst);
    }
}

pub(super) fn options() -> Options {
    Options { segment_bytes: SEGMENT_BYTES, identity: 42, ..Options::default() }
}

pub(super) fn partition(index: u16) -> PartitionId {
    PartitionId { selector: Default::default(), lane: Lane::Persisted, index }
}

pub(super) fn position(offset: u64) -> Position {
    Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(offset) }
}

pub(super) fn record(index: u16, offset: u64, bytes: usize) -> Frame {
    let payload = Bytes::from(vec![(offset % 200) as u8 + 1; bytes]);
    Frame::record(partition(index), position(offset), payload)
}

/// Opens the log and returns what it replayed.
pub(super) fn open(disk: &FaultyDisk) -> Result<(Opened, Vec<(Lsn, Frame)>), open::Error> {
    let mut replayed = Vec::new();
    let opened = Log::open(Arc::new(disk.clone()), options(), &mut |lsn, frame| {
        replayed.push((lsn, frame));
        Ok(())
    })?;
    Ok((opened, replayed))
}

/// Returns a disk with a log of `count` records, each in a group of its own.
pub(super) fn disk_with(count: u64, bytes: usize) -> FaultyDisk {
    let disk = FaultyDisk::new(1);
    let (opened, _) = open(&disk).expect("an empty disk opens");
    for offset in 0..count {
        opened.log.append(&[record(0, offset, bytes)]).expect("there is space");
        opened.log.drive(&Told::default()).expect("the disk works");
    }
    disk
}

#[test]
fn what_was_appended_is_replayed_in_order() {
    let disk = FaultyDisk::new(1);
    let (opened, replayed) = open(&disk).expect("an empty disk opens");
    assert!(replayed.is_empty());
    assert_eq!((opened.log.oldest(), opened.log.persisted()), (Lsn(1), Lsn(0)));
    let frames = vec![
        record(1, 0, 10),
        Frame::of_node(FrameKind::Vote, Bytes::from_static(b"vote")),
        Frame::of_partition(FrameKind::Promise, partition(2), Bytes::new()),
    ];
    assert_eq!(opened.log.append(&frames), Ok(Lsn(3)));
    assert_eq!(opened.log.append(&[]), Ok(Lsn(3)));
    opened.log.drive(&Told::default()).expect("the disk works");
    drop(opened);
    disk.crash();
    let (opened, replayed) = open(&disk).expect("it opens again");
    assert_eq!(replayed, (1..).map(Lsn).zip(frames).collect::<Vec<_>>());
    assert_eq!((opened.recovery.groups, opened.recovery.frames, opened.recovery.cut_bytes), (1, 3, 0));
    assert_eq!(opened.log.first(partition(1)), Some(Offset(0)));
    assert_eq!(opened.log.last(partition(1)), Some(position(0)));
}

#[test]
fn appends_that_wait_share_one_sync_whatever_their_partition() {
    let disk = FaultyDisk::new(1);
    let (opened, _) = open(&disk).expect("an empty disk opens");
    let told = Told::default();
    opened.log.drive(&told).expect("the disk works");
    let before = disk.syncs();
    for index in 0..50 {
        opened.log.append(&[record(index, 0, 10), record(index, 1, 10)]).expect("there is space");
    }
    assert_eq!(opened.log.drive(&told).expect("the disk works"), 1);
    assert_eq!(disk.syncs() - before, 1);
    assert_eq!(told.through.load(Ordering::SeqCst), 100);
    let ends: Vec<_> = (0..50).map(|index| (partition(index), position(1))).collect();
    assert_eq!(*locked(&told.ends), ends);
    assert_eq!((opened.log.stats().groups, opened.log.stats().frames), (1, 100));
}

#[test]
fn threads_write_what_many_append_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = FolderDisk::new(folder.path()).expect("a folder");
    let opened = Log::open(Arc::new(disk.clone()), options(), &mut |_, _| Ok(())).expect("it opens");
    let log = opened.log;
    log.start(Arc::new(Told::default())).expect("threads start");
    std::thread::scope(|scope| {
        for index in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for offset in 0..100 {
                    let lsn = loop {
                        match log.append(&[record(index, offset, 1000)]) {
                            Ok(lsn) => break lsn,
                            Err(append::Error::Busy { .. }) => std::thread::yield_now(),
                            Err(other) => panic!("{other}"),
                        }
                    };
                    assert!(log.wait(lsn));
                }
            });
        }
    });
    assert_eq!(log.persisted(), Lsn(400));
    let mut read = 0;
    log.read(Lsn(101), &mut |lsn, _| {
        assert_eq!(lsn.0, 101 + read);
        read += 1;
        ControlFlow::Continue(())
    })
    .expect("it can be read");
    assert_eq!(read, 300);
    log.close();
    assert_eq!(log.append(&[record(0, 0, 1)]), Err(append::Error::Closed));
    drop(log);
    let mut next = [0; 4];
    Log::open(Arc::new(disk), options(), &mut |_, frame| {
        let (partition, position) = frame.place().expect("only records were appended");
        assert_eq!(position.offset.0, next[partition.index as usize]);
        next[partition.index as usize] += 1;
        Ok(())
    })
    .expect("it opens again");
    assert_eq!(next, [100; 4]);
}

#[test]
fn frames_that_fit_no_segment_are_refused() {
    let (opened, _) = open(&FaultyDisk::new(1)).expect("an empty disk opens");
    let refused = opened.log.append(&[record(0, 0, SEGMENT_BYTES as usize)]);
    assert!(matches!(refused, Err(append::Error::TooLarge { .. })), "{refused:?}");
    let largest = SEGMENT_BYTES as usize - 4096 - group::HEADER_BYTES - frame::HEADER_BYTES;
    assert_eq!(opened.log.append(&[record(0, 0, largest)]), Ok(Lsn(1)));
}

#[test]
fn a_full_disk_refuses_before_anything_happens_and_heals_when_space_is_freed() {
    let disk = FaultyDisk::new(1);
    disk.limit_space(2 * SEGMENT_BYTES);
    let (opened, _) = open(&disk).expect("there is space for a segment");
    let told = Told::default();
    let mut appended = 0;
    let refused = loop {
        match opened.log.append(&[record(0, appended, 9000)]) {
            Ok(_) => appended += 1,
            Err(refused) => break refused,
        }
        opened.log.drive(&told).expect("a full disk is no failure");
    };
    assert!(matches!(refused, append::Error::Full { needed: 9032, .. }), "{refused}");
    assert!(opened.log.is_short_of_space());
    assert_eq!(told.through.load(Ordering::SeqCst), appended);
    assert_eq!(opened.log.append(&[record(0, appended, 9000)]), Err(refused));
    disk.limit_space(3 * SEGMENT_BYTES);
    opened.log.drive(&told).expect("the disk works");
    assert_eq!(opened.log.append(&[record(0, appended, 9000)]), Ok(Lsn(appended + 1)));
    opened.log.drive(&told).expect("the disk works");
    drop(opened);
    disk.crash();
    assert_eq!(open(&disk).expect("it opens again").1.len() as u64, appended + 1);
}

#[test]
fn threads_wait_for_space_and_heal_by_themselves() {
    let disk = FaultyDisk::new(1);
    disk.limit_space(SEGMENT_BYTES);
    let (opened, _) = open(&disk).expect("there is space for a segment");
    let log = opened.log;
    log.start(Arc::new(Told::default())).expect("threads start");
    let mut newest = Lsn(0);
    let refused = loop {
        match log.append(&[record(0, 0, 20_000)]) {
            Ok(lsn) => newest = lsn,
            Err(append::Error::Busy { .. }) => std::thread::yield_now(),
            Err(other) => break other,
        }
    };
    assert!(matches!(refused, append::Error::Full { .. }), "{refused}");
    assert!(log.wait(newest), "what was admitted is written");
    disk.limit_space(u64::MAX);
    let healed = loop {
        match log.append(&[record(0, 0, 20_000)]) {
            Ok(lsn) => break lsn,
            // Trimming nothing has the log look for space at once.
            Err(_) => drop(log.trim(Lsn(0)).expect("the disk works")),
        }
    };
    assert!(log.wait(healed));
}

#[test]
fn a_failed_sync_fails_the_log_and_loses_nothing_that_was_told() {
    let disk = disk_with(3, 100);
    let (opened, _) = open(&disk).expect("it opens");
    let told = Told::default();
    opened.log.append(&[record(0, 3, 100)]).expect("there is space");
    opened.log.drive(&told).expect("the disk works");
    opened.log.append(&[record(0, 4, 100)]).expect("there is space");
    disk.fail_syncs(1);
    assert!(opened.log.drive(&told).is_err());
    assert!(told.failed.load(Ordering::SeqCst));
    assert_eq!(told.through.load(Ordering::SeqCst), 4);
    assert_eq!(opened.log.append(&[record(0, 5, 100)]), Err(append::Error::Failed));
    assert!(!opened.log.wait(Lsn(5)));
    drop(opened);
    disk.crash();
    let replayed = open(&disk).expect("it opens again").1;
    assert!((4..=5).contains(&replayed.len()), "{} frames", replayed.len());
}

#[test]
fn trimming_removes_whole_old_segments_and_says_where_the_log_begins() {
    let disk = disk_with(100, 4000);
    let (opened, _) = open(&disk).expect("it opens");
    let bytes = opened.log.bytes();
    let trimmed = opened.log.trim(Lsn(50)).expect("the disk works");
    assert!(trimmed.segments > 0);
    assert_eq!(opened.log.bytes(), bytes - trimmed.bytes);
    let below = opened.log.oldest();
    assert!((Lsn(2)..=Lsn(50)).contains(&below), "{below:?}");
    assert_eq!(opened.log.first(partition(0)), Some(Offset(below.0 - 1)));
    opened.log.trim(Lsn(u64::MAX)).expect("the disk works");
    assert!(opened.log.oldest() <= Lsn(100), "the newest segment stays");
    drop(opened);
    disk.crash();
    let (opened, replayed) = open(&disk).expect("it opens again");
    assert_eq!(replayed.last().map(|(lsn, _)| *lsn), Some(Lsn(100)));
    assert_eq!(opened.log.append(&[record(0, 100, 1)]), Ok(Lsn(101)));
}

#[test]
fn segments_of_another_folder_and_of_a_newer_host_are_refused() {
    let disk = disk_with(1, 10);
    let foreign = Options { identity: 43, ..options() };
    let refused = Log::open(Arc::new(disk.clone()), foreign, &mut |_, _| Ok(())).map(|_| ()).expect_err("foreign");
    assert!(matches!(refused, open::Error::Foreign { segment: 1 }), "{refused}");
}

#[test]
fn a_refused_replay_stops_the_opening() {
    let disk = disk_with(2, 10);
    let refused = Log::open(Arc::new(disk), options(), &mut |lsn, _| match lsn {
        Lsn(2) => Err("no".into()),
        Lsn(_) => Ok(()),
    });
    assert!(matches!(refused.map(|_| ()), Err(open::Error::Replay { lsn: Lsn(2), .. })));
}

#[test]
fn a_segment_size_that_changed_changes_new_segments_only() {
    let disk = disk_with(20, 4000);
    let larger = Options { segment_bytes: 2 * SEGMENT_BYTES, ..options() };
    let opened = Log::open(Arc::new(disk.clone()), larger, &mut |_, _| Ok(())).expect("it opens");
    for offset in 20..60 {
        opened.log.append(&[record(0, offset, 4000)]).expect("there is space");
        opened.log.drive(&Told::default()).expect("the disk works");
    }
    drop(opened);
    assert_eq!(open(&disk).expect("it opens again").1.len(), 60);
}
