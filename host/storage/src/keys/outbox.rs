//! Effects that wait to be carried out; family 6.
//!
//! ```text
//!  9
//!  ┌───────────┬───┬───────┬────────┬────────┐
//!  │ self-link │ 0 │ epoch │ offset │ number │ → the effect
//!  │           │   │ u64   │ u64    │ u32    │
//!  └───────────┴───┴───────┴────────┴────────┘
//! ```
//!
//! Effects of one document stand in the order in which they were issued.

use steward_model::operation::EffectKey;
use steward_model::{Epoch, Link, Offset, Position};

use super::Space;

/// Returns the key of an effect.
pub fn encode(space: Space, effect: &EffectKey) -> Vec<u8> {
    let (epoch, offset) = (effect.at.epoch.as_u64().to_be_bytes(), effect.at.offset.0.to_be_bytes());
    space.key(&[effect.link.as_str().as_bytes(), &[0], &epoch, &offset, &effect.number.to_be_bytes()])
}

/// Reads the name of the effect in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<EffectKey> {
    let (link, rest) = super::terminated_link(super::rest(key)?)?;
    let (epoch, rest) = rest.split_first_chunk::<8>()?;
    let (offset, number) = rest.split_first_chunk::<8>()?;
    let at =
        Position { epoch: Epoch::from_u64(u64::from_be_bytes(*epoch)), offset: Offset(u64::from_be_bytes(*offset)) };
    Some(EffectKey { link, at, number: u32::from_be_bytes(number.try_into().ok()?) })
}

/// Returns what the keys of all effects of a document begin with.
pub fn of(space: Space, link: &Link) -> Vec<u8> {
    space.key(&[link.as_str().as_bytes(), &[0]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::strategies::{any_link, any_space, some_space};
    use super::*;

    fn any_effect() -> impl Strategy<Value = EffectKey> {
        (any_link(), any::<u64>(), any::<u64>(), any::<u32>()).prop_map(|(link, epoch, offset, number)| EffectKey {
            link,
            at: Position { epoch: Epoch::from_u64(epoch), offset: Offset(offset) },
            number,
        })
    }

    proptest! {
        #[test]
        fn keys_round_trip_and_sort_by_link_place_and_number(
            space in any_space(),
            one in any_effect(),
            other in any_effect(),
        ) {
            let key = encode(space, &one);
            prop_assert_eq!(decode(&key), Some(one.clone()));
            prop_assert_eq!(key.cmp(&encode(space, &other)), one.cmp(&other));
            prop_assert_eq!(key.starts_with(&of(space, &other.link)), one.link == other.link);
        }
    }

    #[test]
    fn layout_is_frozen() {
        let link = Link::parse("/a").expect("a valid link");
        let at = Position { epoch: Epoch::from_u64(3), offset: Offset(1) };
        let effect = EffectKey { link, at, number: 2 };
        let expected = b"\0\0\0\x01\0\0\0\0\x07/a\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x01\0\0\0\x02";
        assert_eq!(encode(some_space(), &effect), expected);
    }
}
