//! Remembered answers by age, so that old ones are found without a search; family 9.
//!
//! ```text
//!  9
//!  ┌──────────────────────┬───────────┬───┬─────────────┐
//!  │ time, sign bit turned│ self-link │ 0 │ request key │ → nothing
//!  │ u64                  │           │   │ 16 bytes    │
//!  └──────────────────────┴───────────┴───┴─────────────┘
//! ```

use steward_model::update::RequestKey;
use steward_model::{Link, Timestamp};

use super::Space;

/// Returns the key of an answer given at `time`.
pub fn encode(space: Space, time: Timestamp, link: &Link, request: &RequestKey) -> Vec<u8> {
    space.key(&[&super::time_bytes(time), link.as_str().as_bytes(), &[0], &request.0])
}

/// Reads time, self-link and request key in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<(Timestamp, Link, RequestKey)> {
    let (time, rest) = super::time(super::rest(key)?)?;
    let (link, rest) = super::terminated_link(rest)?;
    Some((time, link, RequestKey(rest.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::{any_link, any_space, some_space};
    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip_and_sort_by_time(
            space in any_space(),
            (one, other) in any::<(i64, i64)>(),
            link in any_link(),
            request in any::<[u8; 16]>(),
        ) {
            let key = encode(space, Timestamp(one), &link, &RequestKey(request));
            prop_assert_eq!(decode(&key), Some((Timestamp(one), link.clone(), RequestKey(request))));
            prop_assert_eq!(key.cmp(&encode(space, Timestamp(other), &link, &RequestKey(request))), one.cmp(&other));
        }
    }

    #[test]
    fn layout_is_frozen() {
        let link = Link::parse("/a").expect("a valid link");
        let key = encode(some_space(), Timestamp(1), &link, &RequestKey(*b"0123456789abcdef"));
        assert_eq!(key, b"\0\0\0\x01\0\0\0\0\x07\x80\0\0\0\0\0\0\x01/a\x000123456789abcdef");
    }
}
