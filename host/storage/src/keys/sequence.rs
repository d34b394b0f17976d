//! The sequence index: which document was changed last at which offset; family 3.
//!
//! ```text
//!  9
//!  ┌────────┬──────────────────────┐
//!  │ offset │ self-link, to the end│ → nothing
//!  │ u64    │                      │
//!  └────────┴──────────────────────┘
//! ```
//!
//! Every document stands here once, at its newest record. What changed since an offset is a walk from there. The self-link is
//! a part of the key, because a copy that takes pages one after the other holds places of two logs meanwhile.

use steward_model::{Link, Offset};

use super::Space;

/// Returns the key of the place of a document in the sequence.
pub fn encode(space: Space, offset: Offset, link: &Link) -> Vec<u8> {
    space.key(&[&offset.0.to_be_bytes(), link.as_str().as_bytes()])
}

/// Reads offset and self-link in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<(Offset, Link)> {
    let (offset, link) = super::offset(super::rest(key)?)?;
    Some((offset, super::link(link)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::{any_link, any_space, some_space};
    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip_and_sort_by_offset(
            space in any_space(),
            one in (any::<u64>(), any_link()),
            other in (any::<u64>(), any_link()),
        ) {
            let key = encode(space, Offset(one.0), &one.1);
            prop_assert_eq!(decode(&key), Some((Offset(one.0), one.1.clone())));
            prop_assert_eq!(key.cmp(&encode(space, Offset(other.0), &other.1)), one.cmp(&other));
        }
    }

    #[test]
    fn layout_is_frozen() {
        let link = Link::parse("/a").expect("a valid link");
        assert_eq!(encode(some_space(), Offset(258), &link), b"\0\0\0\x01\0\0\0\0\x07\0\0\0\0\0\0\x01\x02/a");
    }
}
