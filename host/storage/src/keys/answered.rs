//! Remembered answers by the place of their records, so that all below a horizon are found without a search; family 9.
//!
//! ```text
//!  9
//!  ┌────────┬───────────┬───┬─────────────┐
//!  │ offset │ self-link │ 0 │ request key │ → nothing
//!  │ u64    │           │   │ 16 bytes    │
//!  └────────┴───────────┴───┴─────────────┘
//! ```

use steward_model::update::RequestKey;
use steward_model::{Link, Offset};

use super::Space;

/// Returns the key of an answer that was given by the record at `offset`.
pub fn encode(space: Space, offset: Offset, link: &Link, request: &RequestKey) -> Vec<u8> {
    space.key(&[&offset.0.to_be_bytes(), link.as_str().as_bytes(), &[0], &request.0])
}

/// Reads offset, self-link and request key in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<(Offset, Link, RequestKey)> {
    let (offset, rest) = super::offset(super::rest(key)?)?;
    let (link, rest) = super::terminated_link(rest)?;
    Some((offset, link, RequestKey(rest.try_into().ok()?)))
}

/// Returns the key that stands behind all answers below `offset`, and before the others.
pub fn at(space: Space, offset: Offset) -> Vec<u8> {
    space.key(&[&offset.0.to_be_bytes()])
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
            (one, other) in any::<(u64, u64)>(),
            link in any_link(),
            request in any::<[u8; 16]>(),
        ) {
            let key = encode(space, Offset(one), &link, &RequestKey(request));
            prop_assert_eq!(decode(&key), Some((Offset(one), link.clone(), RequestKey(request))));
            prop_assert_eq!(key.cmp(&encode(space, Offset(other), &link, &RequestKey(request))), one.cmp(&other));
            prop_assert_eq!(key < at(space, Offset(other)), one < other);
        }
    }

    #[test]
    fn layout_is_frozen() {
        let link = Link::parse("/a").expect("a valid link");
        let key = encode(some_space(), Offset(1), &link, &RequestKey(*b"0123456789abcdef"));
        assert_eq!(key, b"\0\0\0\x01\0\0\0\0\x07\0\0\0\0\0\0\0\x01/a\x000123456789abcdef");
    }
}
