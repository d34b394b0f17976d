//! First answers to requests with an idempotency key; family 7.
//!
//! ```text
//!  9
//!  ┌───────────┬───┬─────────────┐
//!  │ self-link │ 0 │ request key │ → the answer
//!  │           │   │ 16 bytes    │
//!  └───────────┴───┴─────────────┘
//! ```

use steward_model::Link;
use steward_model::update::RequestKey;

use super::Space;

/// Returns the key of an answer.
pub fn encode(space: Space, link: &Link, request: &RequestKey) -> Vec<u8> {
    space.key(&[link.as_str().as_bytes(), &[0], &request.0])
}

/// Reads self-link and request key in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<(Link, RequestKey)> {
    let (link, rest) = super::terminated_link(super::rest(key)?)?;
    Some((link, RequestKey(rest.try_into().ok()?)))
}

/// Returns what the keys of all answers of a document begin with.
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
        fn keys_round_trip(space in any_space(), link in any_link(), request in any::<[u8; 16]>()) {
            let key = encode(space, &link, &RequestKey(request));
            prop_assert_eq!(decode(&key), Some((link, RequestKey(request))));
        }
    }

    #[test]
    fn layout_is_frozen() {
        let link = Link::parse("/a").expect("a valid link");
        let key = encode(some_space(), &link, &RequestKey(*b"0123456789abcdef"));
        assert_eq!(key, b"\0\0\0\x01\0\0\0\0\x07/a\x000123456789abcdef");
    }
}
