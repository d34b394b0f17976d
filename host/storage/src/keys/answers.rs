//! The remembered answers of each document: how many there are and how many bytes they take, and then each, oldest first; family 11.
//!
//! ```text
//!  9
//!  ┌───────────┬───┐
//!  │ self-link │ 0 │                        → how many, u32; their bytes, u64
//!  ├───────────┼───┼────────┬─────────────┐
//!  │ self-link │ 0 │ offset │ request key │ → nothing
//!  │           │   │ u64    │ 16 bytes    │
//!  └───────────┴───┴────────┴─────────────┘
//! ```

use steward_model::update::RequestKey;
use steward_model::{Link, Offset};

use super::Space;

/// Returns the key of an answer that was given by the record at `offset`.
pub fn encode(space: Space, link: &Link, offset: Offset, request: &RequestKey) -> Vec<u8> {
    space.key(&[link.as_str().as_bytes(), &[0], &offset.0.to_be_bytes(), &request.0])
}

/// Reads self-link, offset and request key in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<(Link, Offset, RequestKey)> {
    let (link, rest) = super::terminated_link(super::rest(key)?)?;
    let (offset, rest) = super::offset(rest)?;
    Some((link, offset, RequestKey(rest.try_into().ok()?)))
}

/// Returns what the keys of all answers of a document begin with; the key of their tally.
pub fn of(space: Space, link: &Link) -> Vec<u8> {
    space.key(&[link.as_str().as_bytes(), &[0]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::{any_link, any_space, some_space};
    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip_and_sort_by_link_and_offset(
            space in any_space(),
            one in (any_link(), any::<u64>()),
            other in (any_link(), any::<u64>()),
            request in any::<[u8; 16]>(),
        ) {
            let key = encode(space, &one.0, Offset(one.1), &RequestKey(request));
            prop_assert_eq!(decode(&key), Some((one.0.clone(), Offset(one.1), RequestKey(request))));
            prop_assert_eq!(key.cmp(&encode(space, &other.0, Offset(other.1), &RequestKey(request))), one.cmp(&other));
            prop_assert_eq!(key.starts_with(&of(space, &other.0)), one.0 == other.0);
        }
    }

    #[test]
    fn layout_is_frozen() {
        let link = Link::parse("/a").expect("a valid link");
        let key = encode(some_space(), &link, Offset(1), &RequestKey(*b"0123456789abcdef"));
        assert_eq!(key, b"\0\0\0\x01\0\0\0\0\x07/a\0\0\0\0\0\0\0\0\x010123456789abcdef");
    }
}
