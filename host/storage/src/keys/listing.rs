//! The living documents of each factory, of all partitions of a node in the order of their names; family 12.
//!
//! ```text
//!  0
//!  ┌────────────┬─────────┬───────────┐
//!  │ factory, 0 │ name, 0 │ key space │ → when the document expires, sign bit turned, u64; nothing if it never does
//!  │            │         │ 9 bytes   │
//!  └────────────┴─────────┴───────────┘
//! ```
//!
//! *Factory* and *name* are the self-link, divided at its last slash: documents of one factory stand side by side, without
//! those further below.

use steward_model::{Link, Timestamp};

use super::Space;

/// Returns the key that says that a document lives.
pub fn encode(space: Space, link: &Link) -> Vec<u8> {
    let mut key = super::of_factory(&super::factory_of(link));
    super::append_place(&mut key, link, space);
    key
}

/// Reads self-link and copy in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<(Link, Space)> {
    let (factory, rest) = super::factory(key)?;
    let (name, space) = super::placed(rest)?;
    Some((super::child(factory, name)?, space))
}

/// Reads the copy in a key without the rest.
pub fn space(key: &[u8]) -> Option<Space> {
    Space::of(key.get(key.len().checked_sub(super::SPACE_BYTES)?..)?)
}

/// Returns what the keys of all documents of a factory begin with.
pub fn of(factory: &Link) -> Vec<u8> {
    super::of_factory(factory)
}

/// Returns the first key behind those of the document called `name`.
pub fn behind(factory: &Link, name: &str) -> Vec<u8> {
    super::behind_name(&of(factory), name)
}

/// Returns the value of a document that expires at `expires`, or never if that is 0.
pub fn value(expires: Timestamp) -> Vec<u8> {
    match expires.0 {
        0 => Vec::new(),
        _ => super::time_bytes(expires).to_vec(),
    }
}

/// Reads when a document expires, 0 for never; none if it is no such value.
pub fn expires(value: &[u8]) -> Option<Timestamp> {
    match value {
        [] => Some(Timestamp(0)),
        time => match super::time(time)? {
            (time, []) => Some(time),
            (_, [_, ..]) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::{any_link, any_space, some_factory, some_space};
    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip(copy in any_space(), link in any_link(), expires_at in any::<i64>()) {
            let key = encode(copy, &link);
            prop_assert_eq!(space(&key), Some(copy));
            prop_assert_eq!(decode(&key), Some((link, copy)));
            prop_assert_eq!(expires(&value(Timestamp(expires_at))), Some(Timestamp(expires_at)));
        }

        #[test]
        fn documents_of_one_factory_sort_by_name(
            one in ("[ab!~-]{1,3}", any_space()), other in ("[ab!~-]{1,3}", any_space()),
        ) {
            let key = |(name, space): &(String, Space)| encode(*space, &some_factory().child(name).expect("a link"));
            let by_place = one.0.cmp(&other.0).then(one.1.prefix().cmp(&other.1.prefix()));
            prop_assert_eq!(key(&one).cmp(&key(&other)), by_place);
            prop_assert_eq!(key(&one) < behind(&some_factory(), &other.0), one.0 <= other.0);
        }
    }

    #[test]
    fn layout_is_frozen() {
        let key = |text: &str| encode(some_space(), &Link::parse(text).expect("a valid link"));
        assert_eq!(key("/a/b"), b"/a\0b\0\0\0\0\x01\0\0\0\0\x07");
        assert_eq!(key("/b"), b"\0b\0\0\0\0\x01\0\0\0\0\x07");
        assert_eq!(value(Timestamp(1)), b"\x80\0\0\0\0\0\0\x01");
        assert_eq!(decode(b"/a\0b/c\0\0\0\0\x01\0\0\0\0\x07"), None);
    }
}
