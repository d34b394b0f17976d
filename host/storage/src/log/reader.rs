//! Reading groups back, and telling what stands where none can be read.

use std::io;
use std::ops::Range;

use steward_model::PartitionId;

use super::frame::Frame;
use super::group::{self, BLOCK_BYTES, Header, Identity, SECTOR_BYTES};
use super::segment::{self, Segment};

/// Read at once; most groups are smaller.
const WINDOW_BYTES: u64 = 1 << 20;

/// What stands at one place of a segment.
#[derive(Debug)]
pub(crate) enum Finding {
    /// A whole group.
    Group(Header, Vec<Frame>),
    /// Nothing: zeros, or the end of the segment.
    Blank,
    /// A group of which some sectors were never written.
    Torn,
    /// A group that was written and is not what it was.
    Damaged(&'static str),
}

/// Reads one segment through a window, so that small groups do not cost a system call each.
pub(crate) struct Reader<'a> {
    segment: &'a Segment,
    identity: Identity,
    window: Vec<u8>,
    window_start: u64,
}

impl<'a> Reader<'a> {
    /// Reads `segment` of the log called `identity`.
    pub(crate) fn new(segment: &'a Segment, identity: Identity) -> Reader<'a> {
        Reader { segment, identity, window: Vec::new(), window_start: 0 }
    }

    fn bytes(&mut self, at: u64, length: u64) -> io::Result<&[u8]> {
        let window_end = self.window_start + self.window.len() as u64;
        if at < self.window_start || at + length > window_end {
            let run = length.max(WINDOW_BYTES).min(self.segment.bytes - at) as usize;
            if self.window.len() != run {
                // Made anew: the system hands out zeros, and nothing is copied or written twice.
                self.window = vec![0; run];
            }
            self.segment.file.read_at(at, &mut self.window)?;
            self.window_start = at;
        }
        let start = (at - self.window_start) as usize;
        Ok(&self.window[start..start + length as usize])
    }

    /// Reads what stands at `at`, a multiple of the block size.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn find(&mut self, at: u64) -> io::Result<Finding> {
        self.look(at, |header, mut body| {
            let frames: Option<Vec<Frame>> = (0..header.frames).map(|_| Frame::decode(&mut body)).collect();
            frames.filter(|_| body.is_empty())
        })
    }

    /// Reads what stands at `at` as [`Reader::find`] does, and of a group only the records of `partition`, without a look at what else is
    /// in it: a copy that is fed wants a few of very many.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn records_of(&mut self, partition: PartitionId, at: u64) -> io::Result<Finding> {
        self.look(at, |header, mut body| {
            let (mut seen, mut records) = (0, Vec::new());
            loop {
                seen += Frame::pass_over(&mut body, partition)?;
                if body.is_empty() {
                    return (seen == header.frames).then_some(records);
                }
                records.push(Frame::decode(&mut body)?);
                seen += 1;
            }
        })
    }

    /// Reads what stands at `at`; `decode` takes frames out of a group, or none if it is not whole.
    fn look(&mut self, at: u64, decode: impl FnOnce(&Header, &[u8]) -> Option<Vec<Frame>>) -> io::Result<Finding> {
        if at + BLOCK_BYTES > self.segment.bytes {
            return Ok(Finding::Blank);
        }
        let segment_bytes = self.segment.bytes;
        let Some(header) = self.header(at)? else {
            let sector = &self.bytes(at, BLOCK_BYTES)?[..SECTOR_BYTES];
            return Ok(match group::is_blank(sector) {
                true => Finding::Blank,
                false => Finding::Damaged("the header of a group was changed after it was written"),
            });
        };
        if at + header.disk_bytes() > segment_bytes {
            return Ok(Finding::Damaged("a group reaches beyond the end of its segment"));
        }
        let written = group::HEADER_BYTES as u64 + u64::from(header.body_bytes);
        let bytes = self.bytes(at, written)?;
        match decode(&header, &bytes[group::HEADER_BYTES..]) {
            Some(frames) => Ok(Finding::Group(header, frames)),
            None if group::blank_sectors(bytes) > header.blank_sectors => Ok(Finding::Torn),
            None => Ok(Finding::Damaged("a frame was changed after it was written")),
        }
    }

    /// Returns the header of the group that begins at `at`, if one does.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn header(&mut self, at: u64) -> io::Result<Option<Header>> {
        let (identity, number) = (self.identity, self.segment.number);
        let header = Header::decode(self.bytes(at, BLOCK_BYTES)?);
        let belongs = |header: &Header| {
            header.identity == identity && header.segment == number && u64::from(header.block) == at / BLOCK_BYTES
        };
        Ok(header.filter(belongs))
    }

    /// Returns true if a group at or behind the byte `from` says that group `group` had been fsynced.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn proves(&mut self, from: u64, group: u64) -> io::Result<bool> {
        Ok(self.next_proof(from, group)?.is_some())
    }

    /// Returns where the first group at or behind the byte `from` begins that says that group `group` had been fsynced.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn next_proof(&mut self, from: u64, group: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at + BLOCK_BYTES <= self.segment.bytes {
            if self.header(at)?.is_some_and(|header| header.durable >= group) {
                return Ok(Some(at));
            }
            at += BLOCK_BYTES;
        }
        Ok(None)
    }

    /// Returns true if nothing but zeros stands in whole blocks of `range`.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn is_blank(&mut self, range: Range<u64>) -> io::Result<bool> {
        let mut at = range.start;
        while at + BLOCK_BYTES <= range.end {
            if !group::is_blank(self.bytes(at, BLOCK_BYTES)?) {
                return Ok(false);
            }
            at += BLOCK_BYTES;
        }
        Ok(true)
    }

    /// Writes zeros over everything from `from` on that is not zero, and returns how many bytes that were.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn blank(&mut self, from: u64) -> io::Result<u64> {
        let mut blanked = 0;
        let mut at = from;
        while at + BLOCK_BYTES <= self.segment.bytes {
            if !group::is_blank(self.bytes(at, BLOCK_BYTES)?) {
                segment::zero(self.segment.file.as_ref(), at..at + BLOCK_BYTES)?;
                blanked += BLOCK_BYTES;
            }
            at += BLOCK_BYTES;
        }
        // What the window holds is older than what was just written.
        self.window.clear();
        Ok(blanked)
    }
}
