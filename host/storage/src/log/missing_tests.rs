//! Files that are gone, threads that are gone, and readers that must not lose what they read.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use steward_model::{Epoch, Offset, PartitionId, Position};

use super::tests::{SEGMENT_BYTES, Told, disk_with, open, options, partition, position, record};
use super::*;

type Opening = Result<(Opened, usize), open::Error>;

/// Opens a log with a ledger, and counts what it replays.
fn open_noted(disk: &FaultyDisk, ledger: &Arc<MemoryLedger>) -> Opening {
    let ledger = Some(Arc::clone(ledger) as Arc<dyn Ledger>);
    let mut replayed = 0;
    let opened = Log::open(Arc::new(disk.clone()), Options { ledger, ..options() }, &mut |_, _| {
        replayed += 1;
        Ok(())
    })?;
    Ok((opened, replayed))
}

fn append(log: &Log, told: &Told, frame: Frame) {
    log.append(&[frame]).expect("there is space");
    log.drive(told).expect("the disk works");
}

/// A log of 40 records in three segments or more.
fn noted_disk() -> (FaultyDisk, Arc<MemoryLedger>) {
    let (disk, ledger) = (FaultyDisk::new(1), Arc::new(MemoryLedger::default()));
    let (opened, _) = open_noted(&disk, &ledger).expect("an empty disk opens");
    let told = Told::default();
    (0..40).for_each(|offset| append(&opened.log, &told, record(0, offset, 3000)));
    (disk, ledger)
}

fn names(disk: &FaultyDisk) -> Vec<String> {
    disk.list().expect("the disk works").into_iter().filter(|name| segment::number_in(name).is_some()).collect()
}

#[test]
fn a_log_with_its_ledger_opens_and_goes_on() {
    let (disk, ledger) = noted_disk();
    disk.crash();
    let (opened, replayed) = open_noted(&disk, &ledger).expect("nothing is missing");
    assert_eq!(replayed, 40);
    let told = Told::default();
    (40..80).for_each(|offset| append(&opened.log, &told, record(0, offset, 3000)));
    assert!(opened.log.trim(Lsn(50)).expect("the disk works").segments > 0);
    drop(opened);
    disk.crash();
    open_noted(&disk, &ledger).expect("what was trimmed is not missed");
}

#[test]
fn any_segment_that_is_gone_is_missed_by_name() {
    let count = names(&noted_disk().0).len();
    assert!(count >= 3);
    for place in 0..count {
        let (disk, ledger) = noted_disk();
        let name = names(&disk)[place].clone();
        disk.remove(&name).expect("the disk works");
        let refused = open_noted(&disk, &ledger).map(|_| ()).expect_err("a segment is missing");
        let number = segment::number_in(&name).expect("a segment");
        assert!(matches!(refused, open::Error::Missing { segment, .. } if segment == number), "{refused}");
        assert!(refused.to_string().contains(&format!("{number:016x}")), "{refused}");
    }
}

#[test]
fn an_emptied_folder_or_segment_is_no_new_log() {
    let (disk, ledger) = noted_disk();
    names(&disk).iter().for_each(|name| disk.remove(name).expect("the disk works"));
    let refused = open_noted(&disk, &ledger).map(|_| ()).expect_err("the log is gone");
    assert!(matches!(refused, open::Error::Missing { segment: 1, .. }), "{refused}");
    for cut in [0, 8192] {
        let (disk, ledger) = noted_disk();
        let name = names(&disk).pop().expect("there are segments");
        disk.cut(&name, cut).expect("there is such a file");
        let refused = open_noted(&disk, &ledger).map(|_| ()).expect_err("the newest segment was emptied");
        assert!(matches!(refused, open::Error::Corrupt { .. }), "{refused}");
        let (disk, ledger) = noted_disk();
        let file = disk.open(&name).expect("there is such a file");
        segment::zero(file.as_ref(), 0..SEGMENT_BYTES).expect("the disk works");
        let refused = open_noted(&disk, &ledger).map(|_| ()).expect_err("the newest segment was blanked");
        assert!(matches!(refused, open::Error::Corrupt { .. }), "{refused}");
    }
}

#[test]
fn a_trimmed_log_whose_last_segment_holds_no_group_gives_no_number_twice() {
    let (disk, ledger) = noted_disk();
    let (opened, _) = open_noted(&disk, &ledger).expect("nothing is missing");
    assert!(opened.log.trim(Lsn(u64::MAX)).expect("the disk works").segments > 0);
    drop(opened);
    let name = names(&disk).remove(0);
    let file = disk.open(&name).expect("there is such a file");
    segment::zero(file.as_ref(), group::BLOCK_BYTES..SEGMENT_BYTES).expect("the disk works");
    let refused = open_noted(&disk, &ledger).map(|_| ()).expect_err("trimming left a segment with groups");
    let number = segment::number_in(&name).expect("a segment");
    assert!(matches!(refused, open::Error::Corrupt { segment, .. } if segment == number), "{refused}");
}

#[test]
fn a_folder_is_missed_through_a_ledger_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = || Some(Arc::new(FileLedger::new(folder.path().join("log.segments"))) as Arc<dyn Ledger>);
    let open = || {
        let disk = FolderDisk::new(folder.path().join("log")).expect("a folder");
        Log::open(Arc::new(disk), Options { ledger: ledger(), ..options() }, &mut |_, _| Ok(()))
    };
    drop(open().expect("a new log"));
    drop(open().expect("the same log"));
    std::fs::remove_dir_all(folder.path().join("log")).expect("it can be removed");
    assert!(matches!(open().map(|_| ()), Err(open::Error::Missing { segment: 1, .. })));
}

#[test]
fn no_more_open_files_is_a_passing_shortage() {
    let disk = FaultyDisk::new(1);
    let (opened, _) = open(&disk).expect("an empty disk opens");
    let told = Told::default();
    disk.fail_creations(u32::MAX);
    let mut appended = 0;
    let refused = loop {
        match opened.log.append(&[record(0, appended, 9000)]) {
            Ok(_) => appended += 1,
            Err(refused) => break refused,
        }
        opened.log.drive(&told).expect("no more open files is no failure");
    };
    assert!(matches!(refused, append::Error::Full { .. }), "{refused}");
    assert!(opened.log.is_short_of_space() && !told.failed.load(Ordering::SeqCst));
    disk.fail_creations(0);
    opened.log.drive(&told).expect("the disk works");
    append(&opened.log, &told, record(0, appended, 9000));
    assert_eq!(told.through.load(Ordering::SeqCst), appended + 1);
}

/// Panics when it is told of a record.
#[derive(Default)]
struct Trap {
    failed: AtomicBool,
    reason: Mutex<String>,
}

impl Listener for Trap {
    fn persisted(&self, _through: Lsn, _ends: &[(PartitionId, Position)]) {
        panic!("an assertion of the listener");
    }

    fn failed(&self, error: &writer::Error) {
        *locked(&self.reason) = error.to_string();
        self.failed.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_panic_of_the_writer_fails_the_log_and_leaves_nobody_waiting() {
    let (opened, _) = open(&FaultyDisk::new(1)).expect("an empty disk opens");
    let trap = Arc::new(Trap::default());
    opened.log.start(Arc::clone(&trap) as Arc<dyn Listener>).expect("threads start");
    opened.log.append(&[record(0, 0, 10)]).expect("there is space");
    while !trap.failed.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    let reason = locked(&trap.reason).clone();
    assert!(reason.contains("log-writer") && reason.contains("an assertion of the listener"), "{reason}");
    assert!(!opened.log.wait(Lsn(2)), "it will never be persisted");
    assert_eq!(opened.log.append(&[record(0, 1, 10)]), Err(append::Error::Failed));
    opened.log.close();
}

#[test]
fn trimming_goes_from_the_oldest_down_to_the_backlog_and_stops_at_a_pin() {
    let disk = disk_with(100, 4000);
    let (opened, _) = open(&disk).expect("it opens");
    let log = opened.log;
    let all = log.bytes();
    assert!(all >= 5 * SEGMENT_BYTES);
    assert_eq!(log.trim_to(Lsn(u64::MAX), all).expect("the disk works").segments, 0);
    assert_eq!(log.trim_to(Lsn(u64::MAX), all - 1).expect("the disk works").segments, 0);
    assert_eq!(log.trim_to(Lsn(u64::MAX), all - SEGMENT_BYTES).expect("the disk works").segments, 1);
    assert_eq!(log.bytes(), all - SEGMENT_BYTES);
    let oldest = log.oldest();
    let pin = log.pin_records(partition(0), Offset(60)).expect("it is there");
    assert!(log.pin_records(partition(0), Offset(0)).is_none(), "that was trimmed");
    log.trim(Lsn(u64::MAX)).expect("the disk works");
    assert!(log.oldest() > oldest && log.oldest() <= Lsn(61));
    assert_eq!(log.oldest(), pin.from());
    drop(pin);
    log.trim(Lsn(u64::MAX)).expect("the disk works");
    assert!(log.oldest() > Lsn(61));
    let pin = log.pin(Lsn(0));
    assert_eq!(pin.from(), log.oldest());
}

/// Returns the offsets and epochs of the records of a partition from an offset on.
fn records(log: &Log, index: u16, from: u64) -> Result<Vec<Position>, read::Error> {
    let mut found = Vec::new();
    log.read_records(partition(index), Offset(from), &mut |position, frame| {
        assert_eq!(frame.place(), Some((partition(index), position)));
        found.push(position);
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

#[test]
fn records_of_one_partition_are_read_from_an_offset() {
    let disk = FaultyDisk::new(1);
    let (opened, _) = open(&disk).expect("an empty disk opens");
    let told = Told::default();
    for offset in 0..120 {
        append(&opened.log, &told, record(offset as u16 % 3, offset / 3, 3000));
    }
    assert_eq!(records(&opened.log, 1, 0).expect("readable"), (0..40).map(position).collect::<Vec<_>>());
    assert_eq!(records(&opened.log, 2, 33).expect("readable"), (33..40).map(position).collect::<Vec<_>>());
    assert_eq!(records(&opened.log, 2, 40).expect("readable"), []);
    assert_eq!(records(&opened.log, 9, 0).expect("readable"), []);
    opened.log.trim(Lsn(50)).expect("the disk works");
    let refused = records(&opened.log, 1, 0).expect_err("it was trimmed");
    let first = opened.log.first(partition(1)).expect("the newest are kept");
    assert!(matches!(refused, read::Error::Trimmed { first: Some(found), .. } if found == first), "{refused}");
    assert_eq!(records(&opened.log, 1, first.0).expect("readable").len() as u64, 40 - first.0);
    let mut count = 0;
    let mut stop = |_, _| {
        count += 1;
        ControlFlow::Break(())
    };
    opened.log.read_records(partition(1), first, &mut stop).expect("readable");
    assert_eq!(count, 1);
}

fn at(epoch: u64, offset: u64) -> Position {
    Position { epoch: Epoch::from_u64(epoch), offset: Offset(offset) }
}

fn frame_at(index: u16, position: Position, bytes: usize) -> Frame {
    Frame { position: Some(position), ..record(index, position.offset.0, bytes) }
}

#[test]
fn ends_are_told_in_the_order_of_appends_so_that_a_truncation_shows() {
    let (opened, _) = open(&FaultyDisk::new(1)).expect("an empty disk opens");
    let told = Told::default();
    let appends = [at(4, 0), at(4, 1), at(4, 2), at(5, 1), at(5, 2)];
    appends[..3].iter().for_each(|position| drop(opened.log.append(&[frame_at(0, *position, 10)])));
    opened.log.append(&[frame_at(1, at(4, 7), 10)]).expect("there is space");
    opened.log.append(&appends[3..].iter().map(|it| frame_at(0, *it, 10)).collect::<Vec<_>>()).expect("there is space");
    assert!(opened.log.drive_one(&told).expect("the disk works"));
    assert!(!opened.log.drive_one(&told).expect("the disk works"));
    let expected = [(partition(0), at(4, 2)), (partition(1), at(4, 7)), (partition(0), at(5, 2))];
    assert_eq!(*locked(&told.ends), expected);
    assert_eq!(records(&opened.log, 0, 0).expect("readable"), [at(4, 0), at(5, 1), at(5, 2)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn records_are_those_of_the_log_that_was_not_truncated(
        steps in prop::collection::vec((0_u16..3, 0_u64..12, 1_usize..4000, any::<bool>()), 1..150),
        from in 0_u64..40,
    ) {
        let disk = FaultyDisk::new(1);
        let (opened, _) = open(&disk).expect("an empty disk opens");
        let told = Told::default();
        let mut model: [Vec<Position>; 3] = Default::default();
        for (epoch, (index, back, bytes, truncates)) in (1..).zip(&steps) {
            let log = &mut model[usize::from(*index)];
            let end = log.len() as u64;
            let offset = if *truncates { end.saturating_sub(*back) } else { end };
            log.truncate(offset as usize);
            log.push(at(epoch, offset));
            while opened.log.append(&[frame_at(*index, at(epoch, offset), *bytes)]).is_err() {
                opened.log.drive(&told).expect("the disk works");
            }
            if bytes % 3 == 0 {
                opened.log.drive(&told).expect("the disk works");
            }
        }
        opened.log.drive(&told).expect("the disk works");
        let compare = |log: &Log| {
            for (index, expected) in model.iter().enumerate() {
                let expected = &expected[expected.len().min(from as usize)..];
                assert_eq!(records(log, index as u16, from).expect("readable"), expected);
            }
        };
        compare(&opened.log);
        drop(opened);
        compare(&open(&disk).expect("it opens again").0.log);
    }
}

/// A disk that removes nothing before it may, and fails the first time.
struct Reluctant {
    disk: FaultyDisk,
    removals: Mutex<(u32, bool)>,
    changed: Condvar,
}

impl Disk for Reluctant {
    fn list(&self) -> std::io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str, bytes: u64) -> std::io::Result<Arc<dyn File>> {
        self.disk.create(name, bytes)
    }

    fn open(&self, name: &str) -> std::io::Result<Arc<dyn File>> {
        self.disk.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> std::io::Result<()> {
        let mut removals = locked(&self.removals);
        removals.0 += 1;
        self.changed.notify_all();
        if removals.0 == 1 {
            return Err(std::io::Error::other("not now"));
        }
        drop(self.changed.wait_while(removals, |(_, may_go)| !*may_go));
        self.disk.remove(name)
    }

    fn sync_folder(&self) -> std::io::Result<()> {
        self.disk.sync_folder()
    }

    fn free_bytes(&self) -> std::io::Result<u64> {
        self.disk.free_bytes()
    }
}

#[test]
fn nobody_waits_for_a_slow_removal_and_a_failed_one_is_tried_again() {
    let disk = disk_with(100, 4000);
    let slow = Arc::new(Reluctant { disk: disk.clone(), removals: Mutex::default(), changed: Condvar::new() });
    let opened = Log::open(Arc::clone(&slow) as Arc<dyn Disk>, options(), &mut |_, _| Ok(())).expect("it opens");
    let log = opened.log;
    log.start(Arc::new(Told::default())).expect("threads start");
    assert!(log.trim(Lsn(50)).is_err(), "the first removal fails");
    std::thread::scope(|scope| {
        let trimming = scope.spawn(|| log.trim(Lsn(50)));
        drop(slow.changed.wait_while(locked(&slow.removals), |(removals, _)| *removals < 2));
        let lsn = log.append(&[record(0, 100, 10)]).expect("there is space");
        assert!(log.wait(lsn), "the writer goes on");
        assert_eq!(records(&log, 0, 100).expect("readable"), [position(100)], "readers go on");
        locked(&slow.removals).1 = true;
        slow.changed.notify_all();
        assert!(trimming.join().is_ok_and(|trimmed| trimmed.is_ok_and(|it| it.segments > 0)));
    });
    drop(log);
    let (_, replayed) = open(&disk).expect("no segment is missing between");
    assert_eq!(replayed.last().map(|(lsn, _)| *lsn), Some(Lsn(101)));
}
