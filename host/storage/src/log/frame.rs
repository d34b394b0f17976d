//! Frames: the entries of the commit log, as bytes.
//!
//! ```text
//!  0        4        8      9       10            15         16         24         32
//!  ┌────────┬────────┬──────┬───────┬─────────────┬──────────┬──────────┬──────────┬─────────┐
//!  │ crc32c │ length │ kind │ scope │ partition   │ reserved │ epoch    │ offset   │ payload │
//!  │ u32    │ u32    │ u8   │ u8    │ 5 bytes     │ 0        │ u64      │ u64      │ length  │
//!  └────────┴────────┴──────┴───────┴─────────────┴──────────┴──────────┴──────────┴─────────┘
//!  scope: 0 the node, 1 a partition, 2 a position in a partition. All numbers little endian.
//!  crc32c covers everything behind itself, payload included.
//! ```
//!
//! What a scope does not use is zero. Bytes in which it is not zero are no frame, since no build wrote them: so bytes have one
//! meaning.
//!
//! The checksum is computed by the thread that appends, so that it also covers the way through memory to the writer, and so
//! that the work is spread over the cores that append. Group and log sequence number stand once per group, see
//! `group.rs`.

use bytes::Bytes;
use steward_model::{Epoch, Offset, PartitionId, Position};

/// Bytes in front of a payload.
pub const HEADER_BYTES: usize = 32;

/// Largest payload of one frame.
pub const PAYLOAD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a frame is about. The numbers are frozen: they stand in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// A record of a partition log.
    Record = 1,
    /// A promise of a replica: no ack below this epoch any more.
    Promise = 2,
    /// The state store holds everything up to the offsets in the payload.
    Checkpoint = 3,
    /// A vote in the system group.
    Vote = 4,
    /// An entry of the system group's log, or its bookkeeping.
    System = 5,
}

impl std::fmt::Display for FrameKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            FrameKind::Record => "record",
            FrameKind::Promise => "promise",
            FrameKind::Checkpoint => "checkpoint",
            FrameKind::Vote => "vote",
            FrameKind::System => "system",
        })
    }
}

impl FrameKind {
    fn from_number(number: u8) -> Option<FrameKind> {
        let kinds = [FrameKind::Record, FrameKind::Promise, FrameKind::Checkpoint, FrameKind::Vote, FrameKind::System];
        kinds.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// One entry of the commit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is about.
    pub kind: FrameKind,
    /// The partition it belongs to; none: the node.
    pub partition: Option<PartitionId>,
    /// Its place in the partition log, if it has one. A position without a partition is not written.
    pub position: Option<Position>,
    /// What it says; the log does not look inside.
    pub payload: Bytes,
}

impl Frame {
    /// Returns the frame of a record at `position` of `partition`.
    pub fn record(partition: PartitionId, position: Position, payload: Bytes) -> Frame {
        Frame { kind: FrameKind::Record, partition: Some(partition), position: Some(position), payload }
    }

    /// Returns a frame about a partition that has no place in its log.
    pub fn of_partition(kind: FrameKind, partition: PartitionId, payload: Bytes) -> Frame {
        Frame { kind, partition: Some(partition), position: None, payload }
    }

    /// Returns a frame about the node.
    pub fn of_node(kind: FrameKind, payload: Bytes) -> Frame {
        Frame { kind, partition: None, position: None, payload }
    }

    /// Returns partition and position if the frame is a record.
    pub fn place(&self) -> Option<(PartitionId, Position)> {
        match self.kind {
            FrameKind::Record => self.partition.zip(self.position),
            FrameKind::Promise | FrameKind::Checkpoint | FrameKind::Vote | FrameKind::System => None,
        }
    }

    /// Returns how many bytes the frame takes in a group.
    pub fn encoded_bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }

    /// Appends the bytes of the frame to `out`.
    ///
    /// # Panics
    /// If the payload is larger than [`PAYLOAD_BYTES_MAX`]; the log refuses such frames before.
    pub fn encode(&self, out: &mut Vec<u8>) {
        assert!(self.payload.len() <= PAYLOAD_BYTES_MAX, "frame of {} bytes was admitted", self.payload.len());
        let start = out.len();
        let (scope, partition, position) = match (self.partition, self.position) {
            (None, _) => (0, [0; 5], Position::default()),
            (Some(partition), None) => (1, partition.encode(), Position::default()),
            (Some(partition), Some(position)) => (2, partition.encode(), position),
        };
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(self.payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&[self.kind as u8, scope]);
        out.extend_from_slice(&partition);
        out.push(0);
        out.extend_from_slice(&position.epoch.as_u64().to_le_bytes());
        out.extend_from_slice(&position.offset.0.to_le_bytes());
        out.extend_from_slice(&self.payload);
        let checksum = crc32c::crc32c(&out[start + 4..]);
        out[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Takes frames that are no records of `partition` off the front of `bytes`, and returns how many those were; none if something else
    /// than frames stands there. Only their lengths are looked at: one that is passed over may be damaged.
    pub(crate) fn pass_over(bytes: &mut &[u8], partition: PartitionId) -> Option<u32> {
        let partition = partition.encode();
        let mut passed = 0;
        while let Some(header) = bytes.get(..HEADER_BYTES) {
            if header[8] == FrameKind::Record as u8 && header[10..15] == partition {
                return Some(passed);
            }
            let length = u32::from_le_bytes(header[4..8].try_into().ok()?) as usize;
            *bytes = bytes.get(HEADER_BYTES + length..)?;
            passed += 1;
        }
        bytes.is_empty().then_some(passed)
    }

    /// Takes one frame off the front of `bytes`; none if there is no whole, undamaged frame.
    pub fn decode(bytes: &mut &[u8]) -> Option<Frame> {
        let header = bytes.get(..HEADER_BYTES)?;
        let length = u32::from_le_bytes(header[4..8].try_into().ok()?) as usize;
        if length > PAYLOAD_BYTES_MAX {
            return None;
        }
        let whole = bytes.get(..HEADER_BYTES + length)?;
        let checksum = u32::from_le_bytes(header[..4].try_into().ok()?);
        if crc32c::crc32c(&whole[4..]) != checksum {
            return None;
        }
        let kind = FrameKind::from_number(header[8])?;
        let epoch = Epoch::from_u64(u64::from_le_bytes(header[16..24].try_into().ok()?));
        let offset = Offset(u64::from_le_bytes(header[24..32].try_into().ok()?));
        let (partition, position, unused) = match header[9] {
            0 => (None, None, &header[10..]),
            1 => (Some(PartitionId::decode(header[10..15].try_into().ok()?)?), None, &header[15..]),
            2 => {
                let partition = PartitionId::decode(header[10..15].try_into().ok()?)?;
                (Some(partition), Some(Position { epoch, offset }), &header[15..16])
            }
            _ => return None,
        };
        if unused.iter().any(|byte| *byte != 0) {
            return None;
        }
        let payload = Bytes::copy_from_slice(&whole[HEADER_BYTES..]);
        *bytes = &bytes[whole.len()..];
        Some(Frame { kind, partition, position, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use steward_model::Lane;
    use steward_model::partition::SelectorId;

    fn any_frame() -> impl Strategy<Value = Frame> {
        let partition = (any::<u16>(), any::<bool>(), any::<u16>()).prop_map(|(selector, persisted, index)| {
            let lane = if persisted { Lane::Persisted } else { Lane::Volatile };
            PartitionId { selector: SelectorId(selector), lane, index }
        });
        let position = (any::<u64>(), any::<u64>())
            .prop_map(|(epoch, offset)| Position { epoch: Epoch::from_u64(epoch), offset: Offset(offset) });
        let payload = prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from);
        (1_u8..=5, partition, position, 0_u8..3, payload).prop_map(|(kind, partition, position, scope, payload)| {
            let kind = FrameKind::from_number(kind).expect("a kind");
            match scope {
                0 => Frame::of_node(kind, payload),
                1 => Frame::of_partition(kind, partition, payload),
                _ => Frame { kind, partition: Some(partition), position: Some(position), payload },
            }
        })
    }

    proptest! {
        #[test]
        fn frames_round_trip(frames in prop::collection::vec(any_frame(), 1..5)) {
            let mut bytes = Vec::new();
            frames.iter().for_each(|frame| frame.encode(&mut bytes));
            let mut rest = bytes.as_slice();
            for frame in &frames {
                prop_assert_eq!(Frame::decode(&mut rest), Some(frame.clone()));
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn frames_of_others_are_passed_over(frames in prop::collection::vec(any_frame(), 0..9), wanted in any_frame()) {
            let partition = wanted.partition.unwrap_or_else(some_partition);
            let is_wanted = |frame: &Frame| frame.kind == FrameKind::Record && frame.partition == Some(partition);
            let frames = [&frames[..], std::slice::from_ref(&wanted), &frames[..]].concat();
            let mut bytes = Vec::new();
            frames.iter().for_each(|frame| frame.encode(&mut bytes));
            let (mut rest, mut passed, mut found) = (bytes.as_slice(), 0, Vec::new());
            loop {
                passed += Frame::pass_over(&mut rest, partition).expect("frames and nothing else");
                match Frame::decode(&mut rest) {
                    Some(frame) => found.push(frame),
                    None => break,
                }
            }
            prop_assert!(rest.is_empty());
            prop_assert_eq!(passed as usize + found.len(), frames.len());
            prop_assert_eq!(found, frames.into_iter().filter(is_wanted).collect::<Vec<_>>());
        }

        #[test]
        fn a_flipped_bit_is_always_noticed(frame in any_frame(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Frame::decode(&mut bytes.as_slice()), None);
        }
    }

    #[test]
    fn bytes_that_mean_nothing_are_zero() {
        let frames = [
            (Frame::of_node(FrameKind::Vote, Bytes::new()), 10),
            (Frame::of_partition(FrameKind::Promise, some_partition(), Bytes::new()), 15),
            (Frame::record(some_partition(), Position::default(), Bytes::new()), 15),
            (Frame::of_partition(FrameKind::Promise, some_partition(), Bytes::new()), 16),
            (Frame::of_node(FrameKind::Vote, Bytes::new()), 31),
        ];
        for (frame, at) in frames {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            bytes[at] = 1;
            let checksum = crc32c::crc32c(&bytes[4..]);
            bytes[..4].copy_from_slice(&checksum.to_le_bytes());
            assert_eq!(Frame::decode(&mut bytes.as_slice()), None, "{frame:?} with a byte at {at}");
        }
    }

    fn some_partition() -> PartitionId {
        PartitionId { selector: SelectorId(0), lane: Lane::Persisted, index: 7 }
    }

    #[test]
    fn kind_numbers_are_frozen() {
        let numbers = [
            (FrameKind::Record, 1),
            (FrameKind::Promise, 2),
            (FrameKind::Checkpoint, 3),
            (FrameKind::Vote, 4),
            (FrameKind::System, 5),
        ];
        for (kind, number) in numbers {
            assert_eq!(kind as u8, number);
            assert_eq!(FrameKind::from_number(number), Some(kind));
        }
        assert_eq!(FrameKind::from_number(0), None);
        assert_eq!(FrameKind::from_number(7), None);
    }
}
