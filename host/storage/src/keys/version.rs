//! Older versions of documents that are still kept; family 2.
//!
//! ```text
//!  9
//!  ┌───────────┬───┬─────────┐
//!  │ self-link │ 0 │ version │ → the document as it was
//!  │           │   │ u64     │
//!  └───────────┴───┴─────────┘
//! ```

use steward_model::{Link, Version};

use super::Space;

/// Returns the key of one version.
pub fn encode(space: Space, link: &Link, version: Version) -> Vec<u8> {
    space.key(&[link.as_str().as_bytes(), &[0], &version.0.to_be_bytes()])
}

/// Reads self-link and version in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<(Link, Version)> {
    let (link, rest) = super::terminated_link(super::rest(key)?)?;
    Some((link, Version(u64::from_be_bytes(rest.try_into().ok()?))))
}

/// Returns what the keys of all versions of a document begin with.
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
        fn keys_round_trip_and_sort_by_link_and_version(
            space in any_space(),
            one in (any_link(), any::<u64>()),
            other in (any_link(), any::<u64>()),
        ) {
            let key = encode(space, &one.0, Version(one.1));
            prop_assert_eq!(decode(&key), Some((one.0.clone(), Version(one.1))));
            prop_assert_eq!(key.cmp(&encode(space, &other.0, Version(other.1))), one.cmp(&other));
            prop_assert_eq!(key.starts_with(&of(space, &other.0)), one.0 == other.0);
        }
    }

    #[test]
    fn layout_is_frozen() {
        let link = Link::parse("/a").expect("a valid link");
        assert_eq!(encode(some_space(), &link, Version(258)), b"\0\0\0\x01\0\0\0\0\x07/a\0\0\0\0\0\0\0\x01\x02");
    }
}
