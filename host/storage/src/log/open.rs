//! Opening: finding out what the log holds after whatever happened.
//!
//! The last group may be half there: the process died while it was written. It was never acknowledged, so it is cut,
//! and blanked for good. Anything else that cannot be read had been fsynced once and is damage: the log refuses to
//! open, because going on without those records would be a silent vote with missing data. The two are told apart so:
//!
//! | what stands where a group should | and | is |
//! |---|---|---|
//! | anything but a whole group | a later group whose durable number covers it | damage |
//! | a header that was changed | – | damage: sectors are written whole, so a torn header is blank |
//! | a good header, a bad frame | no more blank sectors than were written | damage |
//! | a good header, a bad frame | more blank sectors than were written | torn |
//! | blank first sector | – | the end, or torn |
//!
//! The last group is written and fsynced once more before anybody is told of it: the process may have died before its
//! fsync, or of its failure, and then memory answers reads with what the disk never got.
//!
//! If a segment is gone, or its header, the ledger decides: a log that lacks a segment which its ledger names is refused, whatever
//! the other segments say.
//!
//! Not noticed: an fsynced last group of which the disk gives back whole sectors as zeros. Nothing on the same disk
//! could prove that it was ever there, except in a log that was trimmed and has no other.

use std::ops::Range;
use std::sync::Arc;

use steward_model::Lsn;

use super::disk::Disk;
use super::frame::Frame;
use super::group::{BLOCK_BYTES, Identity};
use super::ledger::{Ledger, Noted};
use super::reader::{Finding, Reader};
use super::segment::{self, FORMAT_VERSION, Header, Segment};
use super::segment_index::{Indexed, SegmentIndex};
use super::trail::Span;
use crate::space::is_full;

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk does not work.
    #[error("cannot {what} the commit log: {source}")]
    Disk {
        /// The verb that failed, as in "cannot read".
        what: &'static str,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// There is no space for the first segment.
    #[error("cannot create a segment of the commit log: {needed} bytes are needed and {free} are free")]
    Full {
        /// Bytes that are free on the disk of the log.
        free: u64,
        /// Bytes of a segment.
        needed: u64,
    },
    /// Records that may have been acknowledged are damaged. Everything before them has been replayed.
    #[error(
        "commit log is damaged in segment {segment:016x} at byte {at}: {reason}; its records cannot be trusted: restore the data folder \
         from a backup, or in a group move it aside and start the node anew, which then gets everything from the others"
    )]
    Corrupt {
        /// The number in the name of its file.
        segment: u64,
        /// The byte of the segment at which the damage begins.
        at: u64,
        /// The fault that no crash leaves.
        reason: &'static str,
    },
    /// A segment is gone that was in use: records in it may have been acknowledged.
    #[error(
        "segment {segment:016x} of the commit log is missing, {oldest:016x} to {newest:016x} were there: acknowledged \
         updates are lost without it, put the files of the log back"
    )]
    Missing {
        /// The number in the name of its file.
        segment: u64,
        /// The oldest segment that should be there.
        oldest: u64,
        /// The newest segment that should be there.
        newest: u64,
    },
    /// The log belongs to another data folder.
    #[error(
        "segment {segment:016x} of the commit log belongs to another data folder: files were copied between nodes, put those of this \
         folder back"
    )]
    Foreign {
        /// The number in the name of its file.
        segment: u64,
    },
    /// The log was written by another version of the host.
    #[error(
        "segment {segment:016x} of the commit log has format {found}, this host reads {}: start the version of the host that wrote it",
        segment::FORMAT_VERSION
    )]
    FormatVersion {
        /// The number in the name of its file.
        segment: u64,
        /// The format that its header names.
        found: u32,
    },
    /// The caller could not take one of the frames.
    #[error("frame {} of the commit log cannot be replayed: {source}", lsn.0)]
    Replay {
        /// The number of the frame.
        lsn: Lsn,
        /// The reason of the caller.
        source: ReplayError,
    },
}

/// Why a frame cannot be replayed.
pub type ReplayError = Box<dyn std::error::Error + Send + Sync>;

/// Takes every frame that the log holds, in order.
pub type Replay<'a> = &'a mut dyn FnMut(Lsn, Frame) -> Result<(), ReplayError>;

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Segments with frames, and the one that is written next.
    pub segments: usize,
    /// Groups that were whole and were replayed.
    pub groups: u64,
    /// Frames in those groups.
    pub frames: u64,
    /// Bytes of a torn last group that were blanked; they had never been acknowledged.
    pub cut_bytes: u64,
}

/// A log that was read and can be written again.
pub(crate) struct Recovered {
    pub(crate) index: SegmentIndex,
    pub(crate) spare: Option<Segment>,
    /// Where the next group goes in the newest segment of the index.
    pub(crate) end: u64,
    pub(crate) next_group: u64,
    pub(crate) next_lsn: Lsn,
    pub(crate) noted: Noted,
    pub(crate) recovery: Recovery,
}

/// Why a trimmed log without a group is refused.
pub(super) const NO_GROUP: &str = "the log was trimmed, and the segment that was kept holds no group";

fn failed(what: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Disk { what, source }
}

/// Reads the log in `disk`, creating it if there is none, and mends a torn end.
///
/// # Errors
/// See [`Error`].
pub(crate) fn recover(
    disk: &Arc<dyn Disk>,
    identity: Identity,
    segment_bytes: u64,
    ledger: Option<&dyn Ledger>,
    replay: Replay<'_>,
) -> Result<Recovered, Error> {
    // Before anything in the folder is believed: a folder that lacks a file looks like a shorter log.
    let noted = noted(ledger, identity)?;
    let mut segments = segments(disk.as_ref(), identity, noted)?;
    if segments.is_empty() {
        segments.push(first_segment(disk.as_ref(), identity, segment_bytes)?);
    }
    let mut scan = Scan::new(identity, segments[0].number, replay);
    let mut index = SegmentIndex::default();
    let mut end = BLOCK_BYTES;
    let mut tail = 0;
    for (place, segment) in segments.iter().enumerate() {
        index.segments.push_back(Indexed::empty(segment.clone()));
        let (stopped_at, finding) = scan.segment(segment, &mut index)?;
        // The next group goes behind the newest whole one. A segment without any is the spare, or its first group was
        // torn; only the very first is where a log begins.
        if place == 0 || index.segments.back().is_some_and(|indexed| indexed.frames.is_some()) {
            (tail, end) = (place, stopped_at);
        } else {
            index.segments.pop_back();
        }
        // No crash leaves this, so it was whole and fsynced once. No group has been written or blanked yet: what is refused
        // stays as it was.
        if let Finding::Damaged(reason) = finding {
            return Err(Error::Corrupt { segment: segment.number, at: stopped_at, reason });
        }
        // Groups are numbered without gaps. If the next segment begins with the number that is expected here, nothing
        // is missing between, whatever fills the rest of this one.
        let next_begins = match segments.get(place + 1) {
            Some(next) => scan.begins(next)?,
            None => false,
        };
        if next_begins {
            continue;
        }
        // The log ends here, torn or not. I21: were the group that should follow durable, somebody was told of it; a
        // later group that knows it to be durable is the proof. Cutting it would be a silent vote with data missing.
        scan.refuse_lost_groups(&segments[place..], stopped_at)?;
        break;
    }
    // The last group may be in the memory of the system and not on the disk. Whoever reads it now will act on it, so it
    // is written once more and fsynced before anybody is told.
    harden(&segments[tail], scan.last_group)?;
    // Its number is given again. Left there, the torn group would stand behind newer ones at the next start, which
    // takes it for what no crash leaves, and refuses.
    scan.recovery.cut_bytes = blank_tail(&segments[tail..], end, identity)?;
    scan.recovery.segments = index.segments.len();
    let oldest = segments[0].number;
    let mut kept = Noted { identity, oldest, newest: segments[tail].number };
    // Before unused segments go, so that none of them is missed.
    note(ledger, noted, kept)?;
    let spare = keep_one_spare(disk.as_ref(), segments.split_off(tail + 1), segment_bytes)?;
    let (next_group, next_lsn) = scan.expected.unwrap_or((1, Lsn(1)));
    // In use from now on, and noted before anything is written to it, as every segment.
    if let Some(spare) = &spare {
        let without = std::mem::replace(&mut kept.newest, spare.number);
        note(ledger, Some(Noted { newest: without, ..kept }), kept)?;
    }
    Ok(Recovered { index, spare, end, next_group, next_lsn, noted: kept, recovery: scan.recovery })
}

/// Writes `now` into the ledger, if there is one and it says something else.
fn note(ledger: Option<&dyn Ledger>, before: Option<Noted>, now: Noted) -> Result<(), Error> {
    match ledger.filter(|_| before != Some(now)) {
        Some(ledger) => now.write(ledger).map_err(failed("note the segments of")),
        None => Ok(()),
    }
}

/// Reads what the ledger says, if there is one.
fn noted(ledger: Option<&dyn Ledger>, identity: Identity) -> Result<Option<Noted>, Error> {
    let Some(ledger) = ledger else { return Ok(None) };
    let noted = Noted::read(ledger).map_err(failed("read the note of the segments of"))?;
    match noted {
        Some(noted) if noted.identity != identity => Err(Error::Foreign { segment: noted.newest }),
        noted => Ok(noted),
    }
}

/// Opens all segments, in order, and checks their headers.
fn segments(disk: &dyn Disk, identity: Identity, noted: Option<Noted>) -> Result<Vec<Segment>, Error> {
    let names = disk.list().map_err(failed("list"))?;
    if names.iter().any(|name| name == segment::UNFINISHED_NAME) {
        disk.remove(segment::UNFINISHED_NAME).map_err(failed("remove an unfinished segment of"))?;
    }
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment::number_in(name)).collect();
    numbers.sort_unstable();
    if let Some(Noted { oldest, newest, .. }) = noted {
        let is_missing = |number: &u64| numbers.binary_search(number).is_err();
        if let Some(segment) = (oldest..=newest).find(is_missing) {
            return Err(Error::Missing { segment, oldest, newest });
        }
    }
    let used = noted.map_or(0, |noted| noted.newest);
    let newest = numbers.last().copied();
    let mut segments: Vec<Segment> = Vec::with_capacity(numbers.len());
    for number in numbers {
        // Segments go oldest first and come newest last, so no crash leaves a gap.
        if segments.last().is_some_and(|previous| previous.number + 1 != number) {
            return Err(Error::Corrupt { segment: number - 1, at: 0, reason: "the segment is missing" });
        }
        // One that was never noted was never written.
        let may_be_unused = newest == Some(number) && number > used;
        segments.extend(open_segment(disk, identity, number, may_be_unused)?);
    }
    Ok(segments)
}

/// Opens a segment and checks its header; none if it was never written, which is believed only if it may be so, and it goes.
fn open_segment(
    disk: &dyn Disk,
    identity: Identity,
    number: u64,
    may_be_unused: bool,
) -> Result<Option<Segment>, Error> {
    let file = disk.open(&segment::name(number)).map_err(failed("open a segment of"))?;
    let bytes = file.bytes().map_err(failed("read"))?;
    let corrupt = |reason| Error::Corrupt { segment: number, at: 0, reason };
    if bytes < 2 * BLOCK_BYTES {
        return Err(corrupt("the segment is shorter than it was created"));
    }
    let mut block = vec![0; BLOCK_BYTES as usize];
    file.read_at(0, &mut block).map_err(failed("read"))?;
    let segment = Segment { number, bytes, file };
    let Some(header) = Header::decode(&block) else {
        // Nothing is lost with a segment that was made ahead and never written.
        if may_be_unused
            && bytes % BLOCK_BYTES == 0
            && Reader::new(&segment, identity).is_blank(BLOCK_BYTES..bytes).map_err(failed("read"))?
        {
            disk.remove(&segment::name(number)).map_err(failed("remove an unused segment of"))?;
            disk.sync_folder().map_err(failed("remove an unused segment of"))?;
            return Ok(None);
        }
        return Err(corrupt("the header of the segment was changed after it was written"));
    };
    if header.format != FORMAT_VERSION {
        return Err(Error::FormatVersion { segment: number, found: header.format });
    }
    if header.identity != identity {
        return Err(Error::Foreign { segment: number });
    }
    if header.segment != number || header.bytes != bytes {
        return Err(corrupt("the segment does not have the number or the size that it was created with"));
    }
    Ok(Some(segment))
}

fn first_segment(disk: &dyn Disk, identity: Identity, bytes: u64) -> Result<Segment, Error> {
    let header = Header { format: FORMAT_VERSION, identity, segment: 1, bytes };
    let finish = |file| segment::finish(disk, file, header, &mut |_| Ok(()));
    let made = segment::reserve(disk, bytes).and_then(finish);
    made.map_err(|source| match is_full(&source) {
        true => Error::Full { free: disk.free_bytes().unwrap_or(0), needed: bytes },
        false => Error::Disk { what: "create the first segment of", source },
    })
}

/// The way through the segments.
struct Scan<'a> {
    identity: Identity,
    /// Number of the next group and of its first frame; none until the first group of a trimmed log was seen.
    expected: Option<(u64, Lsn)>,
    /// Where the newest group stands in its segment.
    last_group: Range<u64>,
    replay: Replay<'a>,
    recovery: Recovery,
}

impl<'a> Scan<'a> {
    fn new(identity: Identity, first_segment: u64, replay: Replay<'a>) -> Scan<'a> {
        // A log that was never trimmed begins with the first numbers. Of another one the first group says which those
        // are.
        let expected = (first_segment == 1).then_some((1, Lsn(1)));
        Scan { identity, expected, last_group: 0..0, replay, recovery: Recovery::default() }
    }

    /// Replays the groups of one segment, and returns where they end and what stands there.
    fn segment(&mut self, segment: &Segment, index: &mut SegmentIndex) -> Result<(u64, Finding), Error> {
        let mut reader = Reader::new(segment, self.identity);
        let mut at = BLOCK_BYTES;
        loop {
            let (header, frames) = match reader.find(at).map_err(failed("read"))? {
                Finding::Group(header, frames) => (header, frames),
                other @ (Finding::Blank | Finding::Torn | Finding::Damaged(_)) => return Ok((at, other)),
            };
            // A whole group with another number: what stood between was whole as well, or this one could not have been
            // written.
            if self.expected.is_some_and(|expected| expected != (header.group, header.first_lsn)) {
                return Ok((at, Finding::Damaged("a group is missing before this one")));
            }
            let next_lsn = Lsn(header.first_lsn.0 + u64::from(header.frames));
            self.expected = Some((header.group + 1, next_lsn));
            self.recovery.groups += 1;
            self.recovery.frames += u64::from(header.frames);
            let places = frames.iter().filter_map(Frame::place);
            let spans: Vec<_> =
                places.map(|(partition, place)| (partition, Span { first: place, last: place })).collect();
            index.note(header.first_lsn, Lsn(next_lsn.0 - 1), &spans, at);
            for (lsn, frame) in (header.first_lsn.0..).map(Lsn).zip(frames) {
                (self.replay)(lsn, frame).map_err(|source| Error::Replay { lsn, source })?;
            }
            self.last_group = at..at + header.disk_bytes();
            at = self.last_group.end;
        }
    }

    /// Returns true if `segment` begins with the group that is expected next.
    fn begins(&self, segment: &Segment) -> Result<bool, Error> {
        let Some((group, _)) = self.expected else { return Ok(false) };
        let header = Reader::new(segment, self.identity).header(BLOCK_BYTES).map_err(failed("read"))?;
        let whole = header.is_some_and(|header| header.group == group);
        Ok(whole && matches!(self.look(segment, BLOCK_BYTES)?, Finding::Group(..)))
    }

    fn look(&self, segment: &Segment, at: u64) -> Result<Finding, Error> {
        Reader::new(segment, self.identity).find(at).map_err(failed("read"))
    }

    /// Refuses a log that ends at `at` of the first of `segments` if it once went on from there, or began.
    fn refuse_lost_groups(&self, segments: &[Segment], at: u64) -> Result<(), Error> {
        let corrupt = |segment: &Segment, at, reason| Err(Error::Corrupt { segment: segment.number, at, reason });
        // Trimming leaves the newest segment with groups, and every segment before it has some. Without one the numbers that were
        // given are lost, and would be given again.
        let Some((number, _)) = self.expected else {
            return corrupt(&segments[0], at, NO_GROUP);
        };
        let mut from = at;
        for segment in segments {
            if Reader::new(segment, self.identity).proves(from, number).map_err(failed("read"))? {
                let reason = "a group is missing or unreadable here, and a later one says that it had been fsynced";
                return corrupt(&segments[0], at, reason);
            }
            from = BLOCK_BYTES;
        }
        // A torn first group of the next segment leaves no more than its header; damage there is still damage.
        match segments.get(1).map(|next| Ok((next, self.look(next, BLOCK_BYTES)?))).transpose()? {
            Some((next, Finding::Damaged(reason))) => corrupt(next, BLOCK_BYTES, reason),
            Some((_, Finding::Group(..) | Finding::Blank | Finding::Torn)) | None => Ok(()),
        }
    }
}

/// Makes the newest group lasting. Its bytes are written as they are, so that tearing them changes nothing.
fn harden(segment: &Segment, group: Range<u64>) -> Result<(), Error> {
    let mut bytes = vec![0; (group.end - group.start) as usize];
    segment.file.read_at(group.start, &mut bytes).map_err(failed("read"))?;
    segment.file.write_at(group.start, &bytes).map_err(failed("write to"))?;
    segment.file.sync().map_err(failed("sync"))
}

/// Blanks everything behind the newest group.
fn blank_tail(segments: &[Segment], end: u64, identity: Identity) -> Result<u64, Error> {
    let mut cut_bytes = 0;
    let mut from = end;
    for segment in segments {
        let blanked = Reader::new(segment, identity).blank(from).map_err(failed("cut the torn end of"))?;
        if blanked > 0 {
            segment.file.sync().map_err(failed("sync"))?;
        }
        cut_bytes += blanked;
        from = BLOCK_BYTES;
    }
    Ok(cut_bytes)
}

/// Keeps the first of the unused segments, if it has the right size. The newest goes first, so that no gap can arise.
fn keep_one_spare(disk: &dyn Disk, mut unused: Vec<Segment>, bytes: u64) -> Result<Option<Segment>, Error> {
    while let Some(newest) = unused.pop() {
        if unused.is_empty() && newest.bytes == bytes {
            return Ok(Some(newest));
        }
        disk.remove(&segment::name(newest.number)).map_err(failed("remove an unused segment of"))?;
        disk.sync_folder().map_err(failed("remove an unused segment of"))?;
    }
    Ok(None)
}
