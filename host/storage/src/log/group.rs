//! Groups: what is written and made lasting together.
//!
//! A group begins at a multiple of 4 KiB with a header; its frames follow without gaps, and zeros fill the last block.
//!
//! ```text
//!  0       4        8          16         24       32        40          48       52      56       60      64
//!  ┌───────┬────────┬──────────┬──────────┬────────┬─────────┬───────────┬────────┬───────┬────────┬───────┬────────┐
//!  │ magic │ crc32c │ identity │ segment  │ group  │ durable │ first lsn │ frames │ body  │ blank  │ block │ frames │
//!  │ STGR  │ u32    │ u64      │ u64      │ number │ group   │ u64       │ u32    │ bytes │ sectors│ u32   │ …      │
//!  └───────┴────────┴──────────┴──────────┴────────┴─────────┴───────────┴────────┴───────┴────────┴───────┴────────┘
//!  crc32c covers bytes 8 to 64; every frame carries a checksum of its own. All numbers little endian.
//! ```
//!
//! Three fields are there for the day of a crash:
//!
//! - *durable group*: every group up to this number had been fsynced when this one was written. A reader knows by it
//!   that nothing before may be missing.
//! - *blank sectors*: how many whole 512-byte sectors of the group are zero as written. Segments are zeroed ahead and
//!   disks write sectors whole, so a torn write leaves *more* blank sectors than that; damage does not.
//! - *identity, segment, block*: where the group belongs, so that bytes of another log, or of a document that looks like
//!   a group, are not taken for one.

use steward_model::Lsn;

/// Groups begin at multiples of this.
pub(crate) const BLOCK_BYTES: u64 = 4096;

/// Disks write this much or nothing of it.
pub(crate) const SECTOR_BYTES: usize = 512;

/// Bytes in front of the frames.
pub(crate) const HEADER_BYTES: usize = 64;

const MAGIC: [u8; 4] = *b"STGR";

static ZEROS: [u8; BLOCK_BYTES as usize] = [0; BLOCK_BYTES as usize];

/// Names a log, so that a segment or a group of another one is not taken for one of it; see `Options::identity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Identity(pub(crate) u64);

/// What the header of a group says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Which log it belongs to.
    pub(crate) identity: Identity,
    /// Number of the segment.
    pub(crate) segment: u64,
    /// Number of this group; groups are counted from 1 without gaps.
    pub(crate) group: u64,
    /// Every group up to here was lasting when this one was written.
    pub(crate) durable: u64,
    /// Number of the first frame.
    pub(crate) first_lsn: Lsn,
    /// Frames in the group; they have consecutive numbers.
    pub(crate) frames: u32,
    /// How many bytes of frames.
    pub(crate) body_bytes: u32,
    /// How many sectors behind the first are zero.
    pub(crate) blank_sectors: u32,
    /// Which block of the segment the group begins in.
    pub(crate) block: u32,
}

impl Header {
    /// Returns the bytes of the header.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        let wide = [self.identity.0, self.segment, self.group, self.durable, self.first_lsn.0];
        for (place, number) in bytes[8..48].chunks_exact_mut(8).zip(wide) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let narrow = [self.frames, self.body_bytes, self.blank_sectors, self.block];
        for (place, number) in bytes[48..].chunks_exact_mut(4).zip(narrow) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&bytes[8..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a header; none if the bytes are none, or were changed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Header> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        let checksum = u32::from_le_bytes(bytes[4..8].try_into().ok()?);
        if bytes[..4] != MAGIC || crc32c::crc32c(&bytes[8..]) != checksum {
            return None;
        }
        let mut wide = bytes[8..48].chunks_exact(8).map(|run| u64::from_le_bytes(run.try_into().expect("eight bytes")));
        let mut narrow = bytes[48..].chunks_exact(4).map(|run| u32::from_le_bytes(run.try_into().expect("four bytes")));
        Some(Header {
            identity: Identity(wide.next()?),
            segment: wide.next()?,
            group: wide.next()?,
            durable: wide.next()?,
            first_lsn: Lsn(wide.next()?),
            frames: narrow.next()?,
            body_bytes: narrow.next()?,
            blank_sectors: narrow.next()?,
            block: narrow.next()?,
        })
    }

    /// Returns how much of the segment the group takes.
    pub(crate) fn disk_bytes(&self) -> u64 {
        cost(u64::from(self.body_bytes))
    }
}

/// Returns what frames of so many bytes cost on the disk in a group of their own.
pub(crate) fn cost(body_bytes: u64) -> u64 {
    aligned(HEADER_BYTES as u64 + body_bytes)
}

/// Returns `bytes` rounded up to whole blocks.
pub(crate) fn aligned(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK_BYTES)
}

/// Returns how many whole or last, shorter sectors of `group` are zero; the first one holds the header and never is.
pub(crate) fn blank_sectors(group: &[u8]) -> u32 {
    group.chunks(SECTOR_BYTES).skip(1).filter(|sector| is_blank(sector)).count() as u32
}

/// Returns true if all of `bytes` are zero.
pub(crate) fn is_blank(bytes: &[u8]) -> bool {
    // A start looks at whole segments so: runs are compared with zeros, which is many bytes at a time, and no single ones.
    bytes.chunks(ZEROS.len()).all(|run| *run == ZEROS[..run.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn headers_round_trip_and_notice_every_flipped_bit(
            (identity, segment, group, durable, lsn) in any::<(u64, u64, u64, u64, u64)>(),
            (frames, body_bytes, blank_sectors, block) in any::<(u32, u32, u32, u32)>(),
            at in 0..HEADER_BYTES,
            bit in 0_u8..8,
        ) {
            let (identity, first_lsn) = (Identity(identity), Lsn(lsn));
            let header =
                Header { identity, segment, group, durable, first_lsn, frames, body_bytes, blank_sectors, block };
            let mut bytes = header.encode();
            prop_assert_eq!(Header::decode(&bytes), Some(header));
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Header::decode(&bytes), None);
        }
    }

    #[test]
    fn layout_is_frozen() {
        let header = Header {
            identity: Identity(1),
            segment: 2,
            group: 3,
            durable: 2,
            first_lsn: Lsn(4),
            frames: 5,
            body_bytes: 6,
            blank_sectors: 7,
            block: 8,
        };
        let bytes = header.encode();
        assert_eq!(&bytes[..4], b"STGR");
        assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().expect("four bytes")), 0xd668_1df9);
        assert_eq!((bytes[8], bytes[16], bytes[24], bytes[32], bytes[40]), (1, 2, 3, 2, 4));
        assert_eq!((bytes[48], bytes[52], bytes[56], bytes[60]), (5, 6, 7, 8));
    }

    #[test]
    fn blank_sectors_are_counted_behind_the_first() {
        let mut group = vec![0; 4 * SECTOR_BYTES + 10];
        group[SECTOR_BYTES] = 1;
        assert_eq!(blank_sectors(&group), 3);
    }
}
