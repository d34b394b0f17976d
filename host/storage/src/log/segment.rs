//! Segments: the files of the commit log.
//!
//! A segment is created under another name, zeroed, fsynced and only then given its own: a file with the name of a
//! segment always has its full size, a valid header, and zeros where no group has been written. Names are the segment's
//! number in 16 hexadecimal digits and `.log`; numbers have no gaps.
//!
//! ```text
//!  0          8        12       16         24        32           4096
//!  ┌──────────┬────────┬────────┬──────────┬─────────┬─────────────┬───────┬───────┬─────
//!  │ magic    │ crc32c │ format │ identity │ segment │ bytes       │ group │ group │ …
//!  │ STEWLOG⏎ │ u32    │ u32    │ u64      │ u64     │ u64, zeros  │       │       │
//!  └──────────┴────────┴────────┴──────────┴─────────┴─────────────┴───────┴───────┴─────
//!  crc32c covers bytes 12 to 40. All numbers little endian.
//! ```

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::disk::{Disk, File};
use super::group::{BLOCK_BYTES, Identity};

/// The layout of segments, groups and frames that this build writes and reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Name of a segment that is being prepared.
pub(crate) const UNFINISHED_NAME: &str = "next.tmp";

const MAGIC: [u8; 8] = *b"STEWLOG\n";
const HEADER_BYTES: usize = 40;
const ZEROS_BYTES: usize = 1 << 20;

/// So much of a new segment is zeroed at once: an fsync of so many bytes delays that of a group by less than a millisecond.
const PORTION_BYTES: u64 = 256 << 10;

/// What the header of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The layout it was written in.
    pub(crate) format: u32,
    /// Which log it belongs to.
    pub(crate) identity: Identity,
    /// The number in the name of the file, from 1.
    pub(crate) segment: u64,
    /// Its size with this header.
    pub(crate) bytes: u64,
}

impl Header {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[12..16].copy_from_slice(&self.format.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.identity.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.segment.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.bytes.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a header; none if the bytes are none, or were changed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Header> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        let checksum = u32::from_le_bytes(bytes[8..12].try_into().ok()?);
        if bytes[..8] != MAGIC || crc32c::crc32c(&bytes[12..]) != checksum {
            return None;
        }
        Some(Header {
            format: u32::from_le_bytes(bytes[12..16].try_into().ok()?),
            identity: Identity(u64::from_le_bytes(bytes[16..24].try_into().ok()?)),
            segment: u64::from_le_bytes(bytes[24..32].try_into().ok()?),
            bytes: u64::from_le_bytes(bytes[32..40].try_into().ok()?),
        })
    }
}

/// A segment that groups can be written to.
#[derive(Clone)]
pub(crate) struct Segment {
    /// The number in the name of the file, from 1.
    pub(crate) number: u64,
    /// Its size with the header.
    pub(crate) bytes: u64,
    /// The open file, shared by the writer and readers.
    pub(crate) file: Arc<dyn File>,
}

/// Returns the name of the file of segment `number`.
pub(crate) fn name(number: u64) -> String {
    format!("{number:016x}.log")
}

/// Returns the number in the name of a segment's file; none if it is no such name.
pub(crate) fn number_in(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (self::name(number) == name).then_some(number)
}

/// Takes the space of a new segment. It is no segment yet: [`finish`] makes it one.
///
/// # Errors
/// Those of the disk; if it is full, nothing has happened.
pub(crate) fn reserve(disk: &dyn Disk, bytes: u64) -> io::Result<Arc<dyn File>> {
    disk.create(UNFINISHED_NAME, bytes)
}

/// Makes a reserved file the segment that `header` describes: zeroed, named, lasting.
/// It is zeroed in portions, and `between` is called after each:
/// there those who are in no hurry leave the disk to others.
///
/// # Errors
/// Those of the disk and of `between`. The file may be left behind under its unfinished name.
pub(crate) fn finish(
    disk: &dyn Disk,
    file: Arc<dyn File>,
    header: Header,
    between: &mut dyn FnMut(&dyn File) -> io::Result<()>,
) -> io::Result<Segment> {
    let Header { segment: number, bytes, .. } = header;
    let mut zeroed = 0;
    while zeroed < bytes {
        let end = bytes.min(zeroed + PORTION_BYTES);
        zero(file.as_ref(), zeroed..end)?;
        between(file.as_ref())?;
        zeroed = end;
    }
    file.write_at(0, &header.encode())?;
    file.sync()?;
    disk.rename(UNFINISHED_NAME, &name(number))?;
    disk.sync_folder()?;
    Ok(Segment { number, bytes, file })
}

/// Writes zeros over a range of bytes.
///
/// # Errors
/// Those of the disk.
pub(crate) fn zero(file: &dyn File, range: Range<u64>) -> io::Result<()> {
    let zeros = vec![0; ZEROS_BYTES.min((range.end - range.start) as usize)];
    let mut at = range.start;
    while at < range.end {
        let run = zeros.len().min((range.end - at) as usize);
        file.write_at(at, &zeros[..run])?;
        at += run as u64;
    }
    Ok(())
}

/// Returns how many bytes of groups a segment of `bytes` bytes can hold.
pub(crate) fn capacity(bytes: u64) -> u64 {
    bytes - BLOCK_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_notice_every_flipped_bit() {
        let header = Header { format: 1, identity: Identity(7), segment: 3, bytes: 1 << 20 };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Some(header));
        for at in 0..HEADER_BYTES * 8 {
            let mut damaged = bytes;
            damaged[at / 8] ^= 1 << (at % 8);
            assert_eq!(Header::decode(&damaged), None, "bit {at}");
        }
    }

    #[test]
    fn names_round_trip_and_strangers_are_left_alone() {
        assert_eq!(name(255), "00000000000000ff.log");
        assert_eq!(number_in(&name(u64::MAX)), Some(u64::MAX));
        for stranger in ["ff.log", "00000000000000FF.log", "next.tmp", "00000000000000ff.txt", "+0000000000000ff.log"] {
            assert_eq!(number_in(stranger), None, "{stranger}");
        }
    }
}
