//! Which documents expire when; family 8. What never expires, and what is deleted, does not stand here.
//!
//! ```text
//!  9
//!  ┌──────────────────────┬──────────────────────┐
//!  │ time, sign bit turned│ self-link, to the end│ → nothing
//!  │ u64                  │                      │
//!  └──────────────────────┴──────────────────────┘
//! ```

use steward_model::{Link, Timestamp};

use super::Space;

/// Returns the key of a document that expires at `time`.
pub fn encode(space: Space, time: Timestamp, link: &Link) -> Vec<u8> {
    space.key(&[&super::time_bytes(time), link.as_str().as_bytes()])
}

/// Reads time and self-link in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<(Timestamp, Link)> {
    let (time, rest) = super::time(super::rest(key)?)?;
    Some((time, super::link(rest)?))
}

/// Returns the key that stands behind all documents that expire at or before `time`.
pub fn after(space: Space, time: Timestamp) -> Vec<u8> {
    // Self-links begin with a slash, so 0xff stands behind all of them.
    space.key(&[&super::time_bytes(time), &[0xff]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::{any_link, any_space, some_space};
    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip_and_sort_by_time_and_link(
            space in any_space(),
            one in (any::<i64>(), any_link()),
            other in (any::<i64>(), any_link()),
        ) {
            let key = encode(space, Timestamp(one.0), &one.1);
            prop_assert_eq!(decode(&key), Some((Timestamp(one.0), one.1.clone())));
            prop_assert_eq!(key.cmp(&encode(space, Timestamp(other.0), &other.1)), one.cmp(&other));
            prop_assert_eq!(key < after(space, Timestamp(other.0)), one.0 <= other.0);
        }
    }

    #[test]
    fn layout_is_frozen() {
        let link = Link::parse("/a").expect("a valid link");
        assert_eq!(encode(some_space(), Timestamp(1), &link), b"\0\0\0\x01\0\0\0\0\x07\x80\0\0\0\0\0\0\x01/a");
    }
}
