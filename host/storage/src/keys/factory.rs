//! What is known about each factory; family 13.
//!
//! ```text
//!  0
//!  ┌────────────┬──────┬───────────┐
//!  │ factory, 0 │ kind │           │ → 1: number of its living documents in one copy of a partition, u64, and the fields
//!  │            │      │           │      that each of them has in the index, see `documents/tally.rs`
//!  │            │ u8   │ key space │ → 2: nothing: a document is not indexed in full, or was
//!  │            │      │ (1 only)  │ → 3: nothing: a document expires at some time, or was to
//!  └────────────┴──────┴───────────┘
//! ```
//!
//! The flags of the kinds 2 and 3 belong to no copy: whichever partition comes first sets them, and they stay. What they
//! cost is a second look, so that one too many does no harm.

use steward_model::Link;

use super::Space;

const TALLY: u8 = 1;
const PARTIAL: u8 = 2;
const EXPIRING: u8 = 3;

/// One thing that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Number of living documents in one copy of a partition, and what all of them have.
    Tally(Space),
    /// A document is not indexed in full.
    Partial,
    /// A document expires at some time.
    Expiring,
}

/// Returns the key of one thing that is known about `factory`.
pub fn encode(factory: &Link, key: &Key) -> Vec<u8> {
    let mut bytes = super::of_factory(factory);
    match key {
        Key::Tally(space) => {
            bytes.push(TALLY);
            bytes.extend_from_slice(&space.prefix());
        }
        Key::Partial => bytes.push(PARTIAL),
        Key::Expiring => bytes.push(EXPIRING),
    }
    bytes
}

/// Reads a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<(Link, Key)> {
    let (factory, rest) = super::factory(key)?;
    let factory = match factory {
        "" => Link::parse("/").ok()?,
        "/" => return None,
        text => Link::parse(text).ok()?,
    };
    match rest.split_first()? {
        (&TALLY, space) if space.len() == super::SPACE_BYTES => Some((factory, Key::Tally(Space::of(space)?))),
        (&PARTIAL, []) => Some((factory, Key::Partial)),
        (&EXPIRING, []) => Some((factory, Key::Expiring)),
        _ => None,
    }
}

/// Reads the copy whose documents a key tells of; none if it is another key.
pub fn space(key: &[u8]) -> Option<Space> {
    match decode(key)?.1 {
        Key::Tally(space) => Some(space),
        Key::Partial | Key::Expiring => None,
    }
}

/// Returns what the keys of the tallies of a factory begin with.
pub fn tallies(factory: &Link) -> Vec<u8> {
    let mut key = super::of_factory(factory);
    key.push(TALLY);
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::{any_link, any_space, some_factory, some_space};
    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip(space in any_space(), factory in any_link()) {
            for known in [Key::Tally(space), Key::Partial, Key::Expiring] {
                prop_assert_eq!(decode(&encode(&factory, &known)), Some((factory.clone(), known)));
            }
            prop_assert!(encode(&factory, &Key::Tally(space)).starts_with(&tallies(&factory)));
        }
    }

    #[test]
    fn layout_is_frozen() {
        let factory = some_factory();
        assert_eq!(encode(&factory, &Key::Tally(some_space())), b"/f\0\x01\0\0\0\x01\0\0\0\0\x07");
        assert_eq!(encode(&factory, &Key::Partial), b"/f\0\x02");
        assert_eq!(encode(&factory, &Key::Expiring), b"/f\0\x03");
        assert_eq!(decode(b"/f\0\x04"), None);
    }
}
