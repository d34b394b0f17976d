//! The newest version of each document, tombstones included; family 1.
//!
//! ```text
//!  9
//!  ┌──────────────────────┐
//!  │ self-link, to the end│ → the document
//!  └──────────────────────┘
//! ```
//!
//! Sorted by self-link, so that the children of a factory stand side by side.

use steward_model::Link;

use super::Space;

/// Returns the key of a document.
pub fn encode(space: Space, link: &Link) -> Vec<u8> {
    space.key(&[link.as_str().as_bytes()])
}

/// Reads the self-link in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<Link> {
    super::link(super::rest(key)?)
}

/// Returns what the keys of all documents below `link` begin with.
pub fn below(space: Space, link: &Link) -> Vec<u8> {
    match link.is_root() {
        true => space.key(&[b"/"]),
        false => space.key(&[link.as_str().as_bytes(), b"/"]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::{any_link, any_space, some_space};
    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip_and_sort_by_link(space in any_space(), one in any_link(), other in any_link()) {
            let key = encode(space, &one);
            prop_assert_eq!(decode(&key), Some(one.clone()));
            prop_assert_eq!(key.cmp(&encode(space, &other)), one.cmp(&other));
            let is_below = other.is_within(&one) && other != one;
            prop_assert_eq!(encode(space, &other).starts_with(&below(space, &one)), is_below);
        }
    }

    #[test]
    fn layout_is_frozen() {
        let link = Link::parse("/a/b").expect("a valid link");
        assert_eq!(encode(some_space(), &link), b"\0\0\0\x01\0\0\0\0\x07/a/b");
    }
}
