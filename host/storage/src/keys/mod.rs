//! Keys of the state store: the only place that knows their layouts.
//!
//! Keys of what a partition keeps begin with the same nine bytes, the *key space* of one copy of one partition:
//!
//! ```text
//!  0            4               9
//!  ┌────────────┬───────────────┬──────────────────────┐
//!  │ generation │ partition     │ rest, by key family  │
//!  │ u32        │ 5 bytes       │                      │
//!  └────────────┴───────────────┴──────────────────────┘
//! ```
//!
//! A new copy of a partition is built under another generation and becomes visible by one batch. Keys of what is looked for
//! over all partitions ([`index`], [`listing`], [`factory`]) begin with the factory, and the key space ends them: one scan
//! finds everything, and passes over copies that do not count.
//!
//! ```text
//!  0
//!  ┌────────────┬───────────────────────┬─────────┬───────────┐
//!  │ factory, 0 │ what is looked for    │ name, 0 │ key space │
//!  │            │                       │         │ 9 bytes   │
//!  └────────────┴───────────────────────┴─────────┴───────────┘
//! ```
//!
//! All numbers are big endian, so that keys sort as what they stand for. Texts that something follows end with a zero byte (self-links,
//! which contain none) or are escaped (see [`index`]). The layouts are frozen: they stand in files.

pub mod answered;
pub mod answers;
pub mod document;
pub mod expiry;
pub mod factory;
pub mod index;
pub mod listing;
pub mod meta;
pub mod outbox;
pub mod reply;
pub mod sequence;
pub mod tombstone;
pub mod version;

use steward_model::{Link, Offset, PartitionId, Timestamp};

/// Bytes of a key space.
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
    /// Returns the bytes that the keys of what the copy keeps begin with, and that others end with.
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

/// Returns the factory of a document: all of its self-link but the last segment. The root is a child of itself, so that every
/// link has a factory.
fn factory_of(link: &Link) -> Link {
    link.parent().unwrap_or_else(|| link.clone())
}

/// Returns what the keys about a factory and its documents begin with.
fn of_factory(factory: &Link) -> Vec<u8> {
    // The root is written as nothing, so that a slash between factory and name makes every link.
    let text = if factory.is_root() { "" } else { factory.as_str() };
    // Room for what usually follows.
    let mut key = Vec::with_capacity(text.len() + 64);
    key.extend_from_slice(text.as_bytes());
    key.push(0);
    key
}

/// Reads the factory that a key begins with, and returns it with what follows.
fn factory(key: &[u8]) -> Option<(&str, &[u8])> {
    let end = key.iter().position(|byte| *byte == 0)?;
    Some((std::str::from_utf8(&key[..end]).ok()?, &key[end + 1..]))
}

/// Returns the document called `name` of a factory as [`factory`] reads it.
fn child(factory: &str, name: &str) -> Option<Link> {
    // A name with a slash would be a document of another factory.
    let is_name = !name.contains('/') && (!name.is_empty() || factory.is_empty());
    Link::parse(&format!("{factory}/{name}")).ok().filter(|_| is_name)
}

/// Appends the name of a document and the copy that it is in.
fn append_place(key: &mut Vec<u8>, link: &Link, space: Space) {
    key.extend_from_slice(link.name().as_bytes());
    key.push(0);
    key.extend_from_slice(&space.prefix());
}

/// Reads what [`append_place`] wrote, to the end.
fn placed(bytes: &[u8]) -> Option<(&str, Space)> {
    let (named, space) = bytes.split_at_checked(bytes.len().checked_sub(SPACE_BYTES)?)?;
    let name = named.strip_suffix(&[0])?;
    let is_whole = !name.contains(&0);
    Some((std::str::from_utf8(name).ok().filter(|_| is_whole)?, Space::of(space)?))
}

/// Returns the first key behind all that go on with `name` behind `prefix`.
fn behind_name(prefix: &[u8], name: &str) -> Vec<u8> {
    [prefix, name.as_bytes(), &[1]].concat()
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

    /// Some factory.
    pub(crate) fn some_factory() -> Link {
        Link::parse("/f").expect("a valid link")
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
