//! What the log says about files that were torn, cut or changed.

use proptest::prelude::*;

use super::tests::{SEGMENT_BYTES, Told, disk_with, open, options, record};
use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append { frames: usize, bytes: usize },
    Drive,
    Crash,
    Trim,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_usize..5, 0_usize..6000).prop_map(|(frames, bytes)| Step::Append { frames, bytes }),
        3 => Just(Step::Drive),
        1 => Just(Step::Crash),
        1 => Just(Step::Trim),
    ]
}

/// A log, and what it has taken.
struct Run {
    disk: FaultyDisk,
    log: Option<Log>,
    told: Told,
    /// Every frame appended, from LSN 1 on.
    appended: Vec<Frame>,
    /// The number of the last frame of each append.
    ends: Vec<u64>,
    trimmed_below: u64,
}

impl Run {
    fn new(seed: u64) -> Run {
        let disk = FaultyDisk::new(seed);
        let log = Some(open(&disk).expect("an empty disk opens").0.log);
        Run { disk, log, told: Told::default(), appended: Vec::new(), ends: vec![0], trimmed_below: 0 }
    }

    fn log(&self) -> &Log {
        self.log.as_ref().expect("it is open")
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append { frames, bytes } => {
                let first = self.appended.len() as u64;
                let frames: Vec<_> = (first..first + *frames as u64).map(|offset| record(0, offset, *bytes)).collect();
                match self.log().append(&frames) {
                    Ok(end) => {
                        self.appended.extend(frames);
                        assert_eq!(end.0, self.appended.len() as u64);
                        self.ends.push(end.0);
                    }
                    Err(append::Error::Busy { .. }) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            Step::Drive => {
                self.log().drive(&self.told).expect("the disk works");
            }
            Step::Trim => {
                let half = Lsn(self.log().persisted().0 / 2);
                self.log().trim(half).expect("the disk works");
                self.trimmed_below = self.trimmed_below.max(half.0);
            }
            Step::Crash => self.crash(),
        }
    }

    fn crash(&mut self) {
        self.log = None;
        self.disk.crash();
        let (opened, replayed) = open(&self.disk).expect("a torn end is no damage");
        let told = self.told.through.load(Ordering::SeqCst);
        let end = replayed.last().map_or(told, |(lsn, _)| lsn.0);
        assert!(end >= told, "{told} frames were told persisted, the log ends at {end}");
        assert!(self.ends.contains(&end), "an append was found in part: the log ends at {end}");
        let first = replayed.first().map_or(1, |(lsn, _)| lsn.0);
        assert!(first <= self.trimmed_below.max(1), "more than was allowed has been trimmed: {first}");
        for (expected, (lsn, frame)) in (first..).zip(&replayed) {
            assert_eq!(lsn.0, expected);
            assert_eq!(frame, &self.appended[lsn.0 as usize - 1]);
        }
        self.appended.truncate(end as usize);
        self.ends.retain(|known| *known <= end);
        self.told.through.store(end, Ordering::SeqCst);
        self.log = Some(opened.log);
    }
}

/// Opens a mutilated log. It must find all `count` records, or say that it is damaged.
fn opens_whole_or_refuses(disk: &FaultyDisk, count: u64) {
    match open(disk) {
        Ok((_, replayed)) => {
            let expected: Vec<_> = (0..count).map(|offset| (Lsn(offset + 1), record(0, offset, 3000))).collect();
            assert_eq!(replayed, expected);
        }
        Err(open::Error::Corrupt { .. } | open::Error::Foreign { .. } | open::Error::FormatVersion { .. }) => {}
        Err(other) => panic!("{other}"),
    }
}

fn segment_names(disk: &FaultyDisk) -> Vec<String> {
    disk.list().expect("the disk works").into_iter().filter(|name| segment::number_in(name).is_some()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_crash_loses_what_was_told_or_keeps_an_append_in_part(
        seed in any::<u64>(),
        steps in prop::collection::vec(any_step(), 1..80),
    ) {
        let mut run = Run::new(seed);
        steps.iter().for_each(|step| run.step(step));
        run.crash();
    }

    #[test]
    fn a_flipped_bit_anywhere_is_harmless_or_reported(
        file in any::<prop::sample::Index>(),
        at in 0..SEGMENT_BYTES,
        bit in 0_u8..8,
    ) {
        let disk = disk_with(25, 3000);
        let names = segment_names(&disk);
        disk.flip_bit(&names[file.index(names.len())], at, bit).expect("there is such a byte");
        opens_whole_or_refuses(&disk, 25);
    }

    #[test]
    fn a_cut_anywhere_is_harmless_or_reported(file in any::<prop::sample::Index>(), bytes in 0..SEGMENT_BYTES) {
        let disk = disk_with(25, 3000);
        let names = segment_names(&disk);
        disk.cut(&names[file.index(names.len())], bytes).expect("there is such a file");
        opens_whole_or_refuses(&disk, 25);
    }

    #[test]
    fn garbage_in_a_segment_never_panics_and_makes_no_record_up(
        at in 0..SEGMENT_BYTES,
        garbage in prop::collection::vec(any::<u8>(), 1..600),
    ) {
        let disk = disk_with(25, 3000);
        let file = disk.open(&segment_names(&disk)[0]).expect("there is a segment");
        let end = garbage.len().min((SEGMENT_BYTES - at) as usize);
        file.write_at(at, &garbage[..end]).expect("the disk works");
        opens_whole_or_refuses(&disk, 25);
    }
}

#[test]
fn damage_of_the_last_group_is_told_from_a_torn_one() {
    let disk = disk_with(1, 3000);
    let name = segment::name(1);
    disk.flip_bit(&name, group::BLOCK_BYTES + 2000, 3).expect("there is such a byte");
    let refused = open(&disk).map(|_| ()).expect_err("damage");
    assert!(matches!(refused, open::Error::Corrupt { segment: 1, at: group::BLOCK_BYTES, .. }), "{refused}");

    let disk = disk_with(1, 3000);
    let file = disk.open(&name).expect("there is a segment");
    segment::zero(file.as_ref(), group::BLOCK_BYTES + 1024..group::BLOCK_BYTES + 1536).expect("the disk works");
    let (opened, replayed) = open(&disk).expect("a torn end is cut");
    assert!(replayed.is_empty());
    assert_eq!(opened.recovery.cut_bytes, group::BLOCK_BYTES);
}

#[test]
fn a_missing_group_with_a_later_one_behind_it_is_damage() {
    let disk = disk_with(3, 3000);
    let file = disk.open(&segment::name(1)).expect("there is a segment");
    segment::zero(file.as_ref(), 2 * group::BLOCK_BYTES..3 * group::BLOCK_BYTES).expect("the disk works");
    let mut replayed = 0;
    let refused = Log::open(Arc::new(disk), options(), &mut |_, _| {
        replayed += 1;
        Ok(())
    });
    assert!(matches!(refused.map(|_| ()), Err(open::Error::Corrupt { segment: 1, at: 8192, .. })));
    assert_eq!(replayed, 1, "what stands before the damage is replayed");
}

#[test]
fn a_missing_segment_is_damage_and_an_unused_one_is_not_needed() {
    let disk = disk_with(40, 3000);
    let names = segment_names(&disk);
    disk.remove(names.last().expect("there are segments")).expect("the disk works");
    assert_eq!(open(&disk).expect("the spare segment is not needed").1.len(), 40);
    disk.remove(&names[1]).expect("the disk works");
    assert!(matches!(open(&disk).map(|_| ()), Err(open::Error::Corrupt { segment: 2, .. })));
}

#[test]
fn a_document_that_looks_like_a_group_is_none() {
    let disk = disk_with(2, 3000);
    let copied = disk.contents(&segment::name(1)).expect("there is a segment");
    let later_group = copied[2 * group::BLOCK_BYTES as usize..][..4096].to_vec();
    // A payload that puts the copy at the start of a block, and is torn before it.
    let mut payload = vec![7; 4096 - group::HEADER_BYTES - frame::HEADER_BYTES];
    payload.extend_from_slice(&later_group);
    let (opened, _) = open(&disk).expect("it opens");
    let frame = Frame::of_node(FrameKind::System, payload.into());
    opened.log.append(&[frame]).expect("there is space");
    opened.log.drive(&Told::default()).expect("the disk works");
    drop(opened);
    let file = disk.open(&segment::name(1)).expect("there is a segment");
    segment::zero(file.as_ref(), 3 * group::BLOCK_BYTES..3 * group::BLOCK_BYTES + 512).expect("the disk works");
    assert_eq!(open(&disk).expect("a torn end is cut").1.len(), 2);
}
