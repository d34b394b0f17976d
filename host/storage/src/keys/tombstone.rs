//! Tombstones by the place of their newest record, so that all below a horizon are found without a search; family 10.
//!
//! ```text
//!  9
//!  ┌────────┐
//!  │ offset │ → self-link
//!  │ u64    │
//!  └────────┘
//! ```

use steward_model::Offset;

use super::Space;

/// Returns the key of the tombstone that was touched at `offset`.
pub fn encode(space: Space, offset: Offset) -> Vec<u8> {
    space.key(&[&offset.0.to_be_bytes()])
}

/// Reads the offset in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<Offset> {
    Some(Offset(u64::from_be_bytes(super::rest(key)?.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::{any_space, some_space};
    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip_and_sort_by_offset(space in any_space(), one in any::<u64>(), other in any::<u64>()) {
            let key = encode(space, Offset(one));
            prop_assert_eq!(decode(&key), Some(Offset(one)));
            prop_assert_eq!(key.cmp(&encode(space, Offset(other))), one.cmp(&other));
        }
    }

    #[test]
    fn layout_is_frozen() {
        assert_eq!(encode(some_space(), Offset(258)), b"\0\0\0\x01\0\0\0\0\x07\0\0\0\0\0\0\x01\x02");
    }
}
