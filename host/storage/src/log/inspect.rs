//! Looking at a log without changing it: for people who want to know what is in the folder of a node that does not run.
//!
//! Opening mends what it finds: it blanks a torn end, hardens the last group, removes unused segments. People who ask why a node
//! does not start must see the folder as it is, so this walk only reads, and goes on behind damage, where opening stops.
//! What it calls torn or damaged is what [`open`](super::open) would call so.
//!
//! Left out: nothing here holds the folder. The caller makes sure that nobody writes meanwhile.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use steward_model::Lsn;

use super::disk::File;
use super::frame::Frame;
use super::group::{self, BLOCK_BYTES, Identity};
use super::ledger::{FileLedger, Noted};
use super::open::NO_GROUP;
use super::reader::{Finding, Reader};
use super::segment::{self, Header, Segment};

const LOST_GROUP: &str = "a group is missing or unreadable here, and a later one says that it had been fsynced";

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no log in the folder, and no ledger says that there was one.
    #[error("there is no commit log in {}", path.display())]
    NoLog {
        /// The folder of the log.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("cannot {what} the commit log in {}: {source}", path.display())]
    Disk {
        /// The verb that failed, as in "cannot read".
        what: &'static str,
        /// The folder of the log.
        path: PathBuf,
        /// The reason of the operating system.
        source: io::Error,
    },
}

/// How a segment is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Every group that was written to it can be read.
    Whole,
    /// It was made ahead, and nothing was written to it.
    Unused,
    /// It ends in a group that was never written wholly, and so never acknowledged: the next start cuts it.
    Torn {
        /// Where that group begins.
        at: u64,
    },
    /// It was changed after it was written: the node does not start.
    Damaged {
        /// Where the first damage is.
        at: u64,
        /// The fault that no crash leaves.
        reason: &'static str,
    },
    /// The file is gone: the node does not start.
    Missing,
}

/// What one segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspected {
    /// Its number; its file is called so, in 16 hexadecimal digits.
    pub number: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Bytes up to the end of the last group.
    pub used_bytes: u64,
    /// Groups that can be read.
    pub groups: u64,
    /// The first and the last frame that can be read.
    pub frames: Option<(Lsn, Lsn)>,
    /// How it is found.
    pub condition: Condition,
}

/// What is noted of the segments outside of their folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Nothing.
    None,
    /// From the oldest to the newest one that may have been used.
    Segments {
        /// The oldest segment that the ledger names.
        oldest: u64,
        /// The newest segment that the ledger names.
        newest: u64,
    },
    /// It cannot be read: the node does not start.
    Damaged,
}

/// What a log holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// All segments, oldest first, those that are missing among them.
    pub segments: Vec<Inspected>,
    /// What the ledger says.
    pub note: Note,
}

/// Is told every frame that can be read, in order, with the number of its segment.
pub type Visit<'a> = &'a mut dyn FnMut(u64, Lsn, Frame);

/// Reads the log in `folder`, whose ledger stands beside it, and changes nothing.
///
/// `identity` names the log, see [`Options`](super::Options); none: the first segment's is taken.
///
/// # Errors
/// [`Error`]; damage is no error but a [`Condition`].
pub fn inspect(folder: &Path, identity: Option<u64>, visit: Visit<'_>) -> Result<Inspection, Error> {
    let failed = |what| move |source| Error::Disk { what, path: folder.to_owned(), source };
    let note = match Noted::read(&FileLedger::new(folder.with_extension("segments"))) {
        Ok(None) => Note::None,
        Ok(Some(Noted { oldest, newest, .. })) => Note::Segments { oldest, newest },
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Note::Damaged,
        Err(error) => return Err(failed("read the note of the segments of")(error)),
    };
    let files = files(folder).map_err(failed("list"))?;
    let (mut oldest, mut newest) = (files.keys().next().copied(), files.keys().next_back().copied());
    if let Note::Segments { oldest: first, newest: last } = note {
        oldest = Some(oldest.map_or(first, |oldest| oldest.min(first)));
        newest = Some(newest.map_or(last, |newest| newest.max(last)));
    }
    let Some((oldest, newest)) = oldest.zip(newest) else { return Err(Error::NoLog { path: folder.to_owned() }) };
    let expected = (oldest == 1).then_some((1, Lsn(1)));
    let mut walk = Walk { identity: identity.map(Identity), expected, segments: Vec::new(), visit };
    for number in oldest..=newest {
        match files.get(&number) {
            Some(path) => walk.file(number, path).map_err(failed("read"))?,
            None => walk.missing(number),
        }
    }
    let mut segments = walk.segments;
    // As the start of a node judges it: a trimmed log without a group has lost the numbers that it gave.
    let is_empty = segments.iter().all(|segment| {
        segment.groups == 0 && !matches!(segment.condition, Condition::Damaged { .. } | Condition::Missing)
    });
    if let Some(first) = segments.first_mut().filter(|first| is_empty && first.number != 1) {
        first.condition = Condition::Damaged { at: first.used_bytes, reason: NO_GROUP };
    }
    Ok(Inspection { segments, note })
}

/// Returns the files of all segments by number; none if there is no such folder.
fn files(folder: &Path) -> io::Result<BTreeMap<u64, PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let entry = entry?;
        if let Some(number) = entry.file_name().to_str().and_then(segment::number_in) {
            files.insert(number, entry.path());
        }
    }
    Ok(files)
}

/// A file that is only read.
struct ReadOnly(std::fs::File);

impl ReadOnly {
    fn refused() -> io::Error {
        io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the log is only looked at")
    }
}

impl File for ReadOnly {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, at)
    }

    fn write_at(&self, _at: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(ReadOnly::refused())
    }

    fn sync(&self) -> io::Result<()> {
        Err(ReadOnly::refused())
    }
}

/// The way through the segments.
struct Walk<'a> {
    identity: Option<Identity>,
    /// Number of the next group and of its first frame; none if nobody can know.
    expected: Option<(u64, Lsn)>,
    segments: Vec<Inspected>,
    visit: Visit<'a>,
}

impl Walk<'_> {
    fn missing(&mut self, number: u64) {
        let (bytes, used_bytes, groups, frames) = (0, 0, 0, None);
        self.segments.push(Inspected { number, bytes, used_bytes, groups, frames, condition: Condition::Missing });
        self.expected = None;
    }

    fn file(&mut self, number: u64, path: &Path) -> io::Result<()> {
        let file: Arc<dyn File> = Arc::new(ReadOnly(std::fs::File::open(path)?));
        let bytes = file.bytes()?;
        let (used_bytes, groups, frames) = (0, 0, None);
        let mut inspected = Inspected { number, bytes, used_bytes, groups, frames, condition: Condition::Whole };
        let segment = Segment { number, bytes, file };
        match self.header(&segment)? {
            Ok(identity) => {
                self.identity = Some(identity);
                self.segment(&segment, identity, &mut inspected)?;
            }
            Err(condition) => {
                inspected.condition = condition;
                self.expected = None;
            }
        }
        self.segments.push(inspected);
        Ok(())
    }

    /// Returns which log the segment belongs to, or what is wrong with its header.
    fn header(&self, segment: &Segment) -> io::Result<Result<Identity, Condition>> {
        let Segment { number, bytes, ref file } = *segment;
        let damaged = |reason| Ok(Err(Condition::Damaged { at: 0, reason }));
        if bytes < 2 * BLOCK_BYTES {
            return damaged("the segment is shorter than it was created");
        }
        let mut block = vec![0; BLOCK_BYTES as usize];
        file.read_at(0, &mut block)?;
        let Some(header) = Header::decode(&block) else {
            return match group::is_blank(&block)
                && Reader::new(segment, self.identity.unwrap_or_default()).is_blank(BLOCK_BYTES..bytes)?
            {
                true => Ok(Err(Condition::Unused)),
                false => damaged("the header of the segment was changed after it was written"),
            };
        };
        if header.format != segment::FORMAT_VERSION {
            return damaged("the segment was written in another format");
        }
        if self.identity.is_some_and(|identity| header.identity != identity) {
            return damaged("the segment belongs to another data folder");
        }
        if header.segment != number || header.bytes != bytes {
            return damaged("the segment does not have the number or the size that it was created with");
        }
        Ok(Ok(header.identity))
    }

    fn segment(&mut self, segment: &Segment, identity: Identity, inspected: &mut Inspected) -> io::Result<()> {
        let mut reader = Reader::new(segment, identity);
        let mut at = BLOCK_BYTES;
        let mut damage = None;
        inspected.used_bytes = at;
        loop {
            let found = reader.find(at)?;
            let (header, frames) = match found {
                Finding::Group(header, frames) => (header, frames),
                Finding::Blank | Finding::Torn | Finding::Damaged(_) => {
                    let Some(next) = self.group_behind(&mut reader, at)? else {
                        let end = Self::end(&mut reader, segment, (at, found), inspected.groups)?;
                        inspected.condition = damage.unwrap_or(end);
                        return Ok(());
                    };
                    let reason = if let Finding::Damaged(reason) = found { reason } else { LOST_GROUP };
                    damage = damage.or(Some(Condition::Damaged { at, reason }));
                    self.expected = None;
                    at = next;
                    continue;
                }
            };
            if self.expected.is_some_and(|expected| expected != (header.group, header.first_lsn)) {
                let lost = self.segments.last_mut().filter(|_| at == BLOCK_BYTES);
                match lost {
                    Some(before) => {
                        before.condition = Condition::Damaged { at: before.used_bytes, reason: LOST_GROUP };
                    }
                    None => {
                        let reason = "a group is missing before this one";
                        damage = damage.or(Some(Condition::Damaged { at, reason }));
                    }
                }
            }
            let next = Lsn(header.first_lsn.0 + u64::from(header.frames));
            self.expected = Some((header.group + 1, next));
            let first = inspected.frames.map_or(header.first_lsn, |(first, _)| first);
            inspected.frames = Some((first, Lsn(next.0 - 1)));
            inspected.groups += 1;
            for (lsn, frame) in (header.first_lsn.0..).map(Lsn).zip(frames) {
                (self.visit)(segment.number, lsn, frame);
            }
            at += header.disk_bytes();
            inspected.used_bytes = at;
        }
    }

    /// Returns where the next readable group behind `at` begins, if one says that something stood at `at`.
    fn group_behind(&self, reader: &mut Reader<'_>, at: u64) -> io::Result<Option<u64>> {
        let number = self.expected.map_or(0, |(group, _)| group);
        reader.next_proof(at + BLOCK_BYTES, number)
    }

    /// Says what stands behind the last group of a segment.
    fn end(
        reader: &mut Reader<'_>,
        segment: &Segment,
        (at, found): (u64, Finding),
        groups: u64,
    ) -> io::Result<Condition> {
        let is_blank = match found {
            Finding::Damaged(reason) => return Ok(Condition::Damaged { at, reason }),
            Finding::Torn | Finding::Group(..) => false,
            Finding::Blank => reader.is_blank(at..segment.bytes)?,
        };
        Ok(match (is_blank, groups) {
            (false, _) => Condition::Torn { at },
            (true, 0) => Condition::Unused,
            (true, _) => Condition::Whole,
        })
    }
}

#[cfg(test)]
mod tests {
    use steward_model::partition::SelectorId;
    use steward_model::{Epoch, Lane, Offset, PartitionId, Position};

    use super::super::{FileLedger, FolderDisk, FrameKind, Listener, Log, Options};
    use super::*;

    const IDENTITY: u64 = 7;
    const SEGMENT_BYTES: u64 = 64 << 10;

    struct Deaf;

    impl Listener for Deaf {
        fn persisted(&self, _through: Lsn, _ends: &[(PartitionId, Position)]) {}
    }

    fn record(offset: u64) -> Frame {
        let partition = PartitionId { selector: SelectorId(0), lane: Lane::Persisted, index: 3 };
        let position = Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(offset) };
        Frame::record(partition, position, vec![7; 9_000].into())
    }

    /// Returns a folder with a log of `groups` groups of one record each.
    fn log_of(groups: u64) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let disk = Arc::new(FolderDisk::new(&path).expect("a folder"));
        let ledger: Arc<dyn super::super::Ledger> = Arc::new(FileLedger::new(path.with_extension("segments")));
        let options =
            Options { segment_bytes: SEGMENT_BYTES, identity: IDENTITY, ledger: Some(ledger), ..Options::default() };
        let log = Log::open(disk, options, &mut |_, _| Ok(())).expect("a new log").log;
        for offset in 0..groups {
            log.append(&[record(offset)]).expect("there is space");
            log.drive(&Deaf).expect("the disk works");
        }
        (folder, path)
    }

    fn look(path: &Path) -> (Inspection, Vec<u64>) {
        let mut seen = Vec::new();
        let inspection = inspect(path, Some(IDENTITY), &mut |_, lsn, frame| {
            assert_eq!(frame.kind, FrameKind::Record);
            seen.push(lsn.0);
        });
        (inspection.expect("it can be read"), seen)
    }

    fn conditions(path: &Path) -> Vec<Condition> {
        look(path).0.segments.iter().map(|segment| segment.condition).collect()
    }

    /// Changes `run` bytes at `at` of segment `number`.
    fn overwrite(path: &Path, number: u64, at: u64, bytes: &[u8]) {
        let file = std::fs::OpenOptions::new().write(true).open(path.join(segment::name(number))).expect("a segment");
        file.write_all_at(bytes, at).expect("writable");
    }

    #[test]
    fn a_log_is_read_and_nothing_of_it_is_changed() {
        let (folder, path) = log_of(7);
        let all = |folder: &Path| -> Vec<(PathBuf, Vec<u8>)> {
            let mut files: Vec<_> = std::fs::read_dir(folder)
                .expect("a folder")
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.is_file())
                .map(|path| (path.clone(), std::fs::read(&path).expect("a file")))
                .collect();
            files.sort();
            files
        };
        let before = (all(folder.path()), all(&path));
        let (inspection, seen) = look(&path);
        assert_eq!(seen, (1..=7).collect::<Vec<_>>());
        assert_eq!(inspection.segments[0].frames, Some((Lsn(1), Lsn(5))));
        assert_eq!(inspection.segments[1].frames, Some((Lsn(6), Lsn(7))));
        let expected = [Condition::Whole, Condition::Whole];
        assert_eq!(inspection.segments[..2].iter().map(|one| one.condition).collect::<Vec<_>>(), expected);
        assert!(inspection.segments[2..].iter().all(|one| one.condition == Condition::Unused), "{inspection:?}");
        assert_eq!(before, (all(folder.path()), all(&path)));
    }

    #[test]
    fn a_trimmed_log_without_a_group_is_judged_as_the_start_judges_it() {
        let (_folder, path) = log_of(7);
        std::fs::remove_file(path.join(segment::name(1))).expect("it is there");
        std::fs::remove_file(path.with_extension("segments")).expect("it is there");
        let reason = "the log was trimmed, and the segment that was kept holds no group";
        assert_eq!(conditions(&path)[0], Condition::Whole, "its groups are there");
        overwrite(&path, 2, BLOCK_BYTES, &[0; 6 * BLOCK_BYTES as usize]);
        assert_eq!(conditions(&path)[0], Condition::Damaged { at: BLOCK_BYTES, reason });
        let disk = Arc::new(FolderDisk::new(&path).expect("a folder"));
        let options = Options { segment_bytes: SEGMENT_BYTES, identity: IDENTITY, ..Options::default() };
        let refused = Log::open(disk, options, &mut |_, _| Ok(())).map(|_| ()).expect_err("it is refused");
        assert!(refused.to_string().contains(reason), "{refused}");
    }

    #[test]
    fn a_torn_end_is_no_damage() {
        let (_folder, path) = log_of(2);
        // The second group takes three blocks; of its last two nothing was written.
        let second = BLOCK_BYTES + 3 * BLOCK_BYTES;
        overwrite(&path, 1, second + BLOCK_BYTES, &[0; 2 * BLOCK_BYTES as usize]);
        assert_eq!(conditions(&path)[0], Condition::Torn { at: second });
        assert_eq!(look(&path).1, [1]);
    }

    #[test]
    fn damage_is_named_and_what_stands_behind_it_is_shown() {
        let (_folder, path) = log_of(7);
        let second = BLOCK_BYTES + 3 * BLOCK_BYTES;
        overwrite(&path, 1, second + 100, b"x");
        let reason = "a frame was changed after it was written";
        assert_eq!(conditions(&path)[0], Condition::Damaged { at: second, reason });
        assert_eq!(look(&path).1, [1, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn groups_that_are_gone_at_the_end_of_a_segment_are_damage() {
        let (_folder, path) = log_of(7);
        let last = BLOCK_BYTES + 4 * 3 * BLOCK_BYTES;
        overwrite(&path, 1, last, &[0; 3 * BLOCK_BYTES as usize]);
        assert_eq!(conditions(&path)[..2], [Condition::Damaged { at: last, reason: LOST_GROUP }, Condition::Whole]);
    }

    #[test]
    fn missing_segments_and_logs_are_told() {
        let (_folder, path) = log_of(7);
        std::fs::remove_file(path.join(segment::name(1))).expect("removable");
        assert_eq!(conditions(&path)[0], Condition::Missing);
        assert_eq!(look(&path).1, [6, 7]);
        std::fs::remove_dir_all(&path).expect("removable");
        assert!(conditions(&path).iter().all(|one| *one == Condition::Missing));
        std::fs::remove_file(path.with_extension("segments")).expect("removable");
        let none = inspect(&path, None, &mut |_, _, _| {});
        assert!(matches!(none, Err(Error::NoLog { .. })), "{none:?}");
    }
}
