//! Keys of the state store: the only place that knows their layouts.
//!
//! Every key begins with the same nine bytes, the *key space* of one copy of one partition:
//!
//! ```text
//!  0            4               9
//!  ┌────────────┬───────────────┬──────────────────────┐
//!  │ generation │ partition     │ rest, by key family  │
//!  │ u32        │ 5 bytes       │                      │
//!  └────────────┴───────────────┴──────────────────────┘
//! ```
//!
//! A new copy of a partition is built under another generation and becomes visible by one batch. All numbers are big
//! endian, so that keys sort as what they stand for. Texts that something follows end with a zero byte (self-links,
//! which contain none) or are escaped (see [`index`]). The layouts are frozen: they stand in files.

pub mod answered;
pub mod answers;
pub mod document;
pub mod expiry;
pub mod index;
pub mod meta;
pub mod outbox;
pub mod reply;
pub mod sequence;
pub mod tombstone;
pub mod version;

use steward_model::{Link, Offset, PartitionId, Timestamp};

/// Bytes in front of every key.
pub const SPACE_BYTES: usize = 9;

/// The key space of one copy of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Space {
    /// The copy: another one is built beside under a greater number.
    pub generation: u32,
    /// The partition that it is a copy of.
    pub partition: PartitionId,
}

impl Space {
    /// Returns the bytes that every key of the space begins with.
    pub fn prefix(self) -> [u8; SPACE_BYTES] {
        let mut prefix = [0; SPACE_BYTES];
        prefix[..4].copy_from_slice(&self.generation.to_be_bytes());
        prefix[4..].copy_from_slice(&self.partition.encode());
        prefix
    }

    /// Returns the space that `key` belongs to; none if it belongs to none.
    pub fn of(key: &[u8]) -> Option<Space> {
        let generation = u32::from_be_bytes(key.get(..4)?.try_into().ok()?);
        let partition = PartitionId::decode(key.get(4..SPACE_BYTES)?.try_into().ok()?)?;
        Some(Space { generation, partition })
    }

    /// Returns a key of this space.
    fn key(self, parts: &[&[u8]]) -> Vec<u8> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut key = Vec::with_capacity(SPACE_BYTES + length);
        key.extend_from_slice(&self.prefix());
        parts.iter().for_each(|part| key.extend_from_slice(part));
        key
    }
}

/// Returns what stands behind the key space.
fn rest(key: &[u8]) -> Option<&[u8]> {
    key.get(SPACE_BYTES..)
}

/// Reads a self-link that reaches to the end.
fn link(bytes: &[u8]) -> Option<Link> {
    Link::parse(std::str::from_utf8(bytes).ok()?).ok()
}

/// Reads a self-link that a zero byte ends, and returns it with what follows.
fn terminated_link(bytes: &[u8]) -> Option<(Link, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((link(&bytes[..end])?, &bytes[end + 1..]))
}

/// Reads an offset and returns it with what follows.
fn offset(bytes: &[u8]) -> Option<(Offset, &[u8])> {
    let (offset, rest) = bytes.split_first_chunk::<8>()?;
    Some((Offset(u64::from_be_bytes(*offset)), rest))
}

/// Returns the bytes of a time, sorted as times are.
fn time_bytes(time: Timestamp) -> [u8; 8] {
    // Negative times come first once the sign bit is turned around.
    ((time.0 as u64) ^ (1 << 63)).to_be_bytes()
}

/// Reads a time and returns it with what follows.
fn time(bytes: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    Some((Timestamp((u64::from_be_bytes(*time) ^ (1 << 63)) as i64), rest))
}

#[cfg(test)]
pub(crate) mod strategies {
    use proptest::prelude::*;
    use steward_model::Lane;
    use steward_model::partition::SelectorId;

    use super::{Link, PartitionId, Space};

    /// Any key space.
    pub(crate) fn any_space() -> impl Strategy<Value = Space> {
        (any::<u32>(), any::<u16>(), any::<bool>(), any::<u16>()).prop_map(
            |(generation, selector, persisted, index)| {
                let lane = if persisted { Lane::Persisted } else { Lane::Volatile };
                Space { generation, partition: PartitionId { selector: SelectorId(selector), lane, index } }
            },
        )
    }

    /// Any self-link, close to others.
    pub(crate) fn any_link() -> impl Strategy<Value = Link> {
        prop::collection::vec("[ab!~-]{1,3}", 1..4)
            .prop_map(|segments| Link::parse(&format!("/{}", segments.join("/"))).expect("a valid link"))
    }

    /// The key space of partition 7 in generation 1.
    pub(crate) fn some_space() -> Space {
        let partition = PartitionId { selector: SelectorId(0), lane: Lane::Persisted, index: 7 };
        Space { generation: 1, partition }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::strategies::any_space;
    use super::*;

    proptest! {
        #[test]
        fn spaces_round_trip(space in any_space()) {
            prop_assert_eq!(Space::of(&space.prefix()), Some(space));
        }

        #[test]
        fn times_sort_as_their_bytes(one in any::<i64>(), other in any::<i64>()) {
            let (one, other) = (Timestamp(one), Timestamp(other));
            prop_assert_eq!(one.cmp(&other), time_bytes(one).cmp(&time_bytes(other)));
            let bytes = time_bytes(one);
            prop_assert_eq!(time(&bytes), Some((one, &[][..])));
        }
    }
}
