//! What is known about a partition as a whole; family 5.
//!
//! ```text
//!  9      10
//!  ┌──────┬──────────────────────┐
//!  │ kind │                      │ → 1: applied position, lineage, horizons and roots
//!  │ u8   │ bucket, u8           │ → 2: digest of one bucket
//!  │      │                      │ → 3: where the copy was made anew
//!  └──────┴──────────────────────┘
//! ```

use super::Space;

const PROGRESS: u8 = 1;
const BUCKET: u8 = 2;
const BASE: u8 = 3;

/// One thing that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Applied position, lineage, horizons, roots.
    Progress,
    /// Digest of one bucket.
    Bucket(u8),
    /// Where the copy was made anew out of another one.
    Base,
}

/// Returns the key of one thing that is known.
pub fn encode(space: Space, key: &Key) -> Vec<u8> {
    match key {
        Key::Progress => space.key(&[&[PROGRESS]]),
        Key::Bucket(bucket) => space.key(&[&[BUCKET, *bucket]]),
        Key::Base => space.key(&[&[BASE]]),
    }
}

/// Reads a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<Key> {
    match super::rest(key)?.split_first()? {
        (&PROGRESS, []) => Some(Key::Progress),
        (&BUCKET, [bucket]) => Some(Key::Bucket(*bucket)),
        (&BASE, []) => Some(Key::Base),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::{any_space, some_space};
    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip(space in any_space(), bucket in any::<u8>()) {
            for key in [Key::Progress, Key::Bucket(bucket), Key::Base] {
                prop_assert_eq!(decode(&encode(space, &key)), Some(key));
            }
        }
    }

    #[test]
    fn layout_is_frozen() {
        assert_eq!(encode(some_space(), &Key::Progress), b"\0\0\0\x01\0\0\0\0\x07\x01");
        assert_eq!(encode(some_space(), &Key::Bucket(9)), b"\0\0\0\x01\0\0\0\0\x07\x02\x09");
        assert_eq!(encode(some_space(), &Key::Base), b"\0\0\0\x01\0\0\0\0\x07\x03");
        assert_eq!(decode(b"\0\0\0\x01\0\0\0\0\x07\x04"), None);
    }
}
