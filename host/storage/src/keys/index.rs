//! The field index: which documents have which value in which field; family 4.
//!
//! ```text
//!  0
//!  ┌────────────┬───────────────┬──────┬─────────────────────────────────┬─────────┬───────────┐
//!  │ factory, 0 │ path, escaped │ type │ value                           │ name, 0 │ key space │ → nothing: the only value
//!  │            │               │  u8  │ 1: u8  2: u64, u16  3: escaped  │         │ 9 bytes   │ → 1: one of several
//!  └────────────┴───────────────┴──────┴─────────────────────────────────┴─────────┴───────────┘
//! ```
//!
//! The copy of the partition stands behind everything that a query asks for, so that one scan finds the documents of all
//! partitions of a node, in the order of values and then of names; a reader passes over copies that do not count. *Factory*
//! and *name* are the self-link, divided at its last slash.
//!
//! *Escaped* texts end with two zero bytes, and a zero byte in them is followed by 0xff: shorter texts sort first, and
//! nothing that follows can change that. A number is the nearest floating-point number, with its bits turned so that
//! they sort, and then how far the exact integer is above it, plus 32,768: integers of 64 bits keep their order.
//! Texts are cut to [`TEXT_BYTES_MAX`]; a query must compare the documents themselves.

use steward_model::Link;

use super::Space;

/// Texts are indexed up to here.
pub const TEXT_BYTES_MAX: usize = 256;

const BOOLEAN: u8 = 1;
const NUMBER: u8 = 2;
const TEXT: u8 = 3;

/// A value in the index. Values of one type sort as they do in the index; types in the order written here.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// False before true.
    Boolean(bool),
    /// By value.
    Number(Number),
    /// By bytes, cut to [`TEXT_BYTES_MAX`].
    Text(String),
}

/// A number as JSON has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// An integer that fits 64 bits with or without sign.
    Integer(i128),
    /// Any other number.
    Float(f64),
}

impl Value {
    /// Returns the value of a text, cut as the index cuts it.
    pub fn text(text: &str) -> Value {
        Value::Text(text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned())
    }

    /// Returns the value of a JSON number.
    pub fn number(number: &serde_json::Number) -> Value {
        let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        Value::Number(match integer {
            Some(integer) => Number::Integer(integer),
            None => Number::Float(number.as_f64().unwrap_or(0.0)),
        })
    }

    fn append(&self, key: &mut Vec<u8>) {
        match self {
            Value::Boolean(value) => key.extend_from_slice(&[BOOLEAN, u8::from(*value)]),
            Value::Number(number) => {
                key.push(NUMBER);
                let (nearest, above) = number.split();
                key.extend_from_slice(&sortable(nearest).to_be_bytes());
                key.extend_from_slice(&above.to_be_bytes());
            }
            Value::Text(text) => {
                key.push(TEXT);
                append_escaped(key, text);
            }
        }
    }
}

impl Number {
    /// Returns the nearest floating-point number, and how far the exact one is above it, plus 32,768.
    fn split(self) -> (f64, u16) {
        match self {
            // Both zeros are one number.
            Number::Float(value) => (value + 0.0, 1 << 15),
            Number::Integer(value) => {
                let nearest = value as f64;
                // Numbers of 64 bits are at most 1,024 away from the nearest floating-point number. A larger one is no number
                // of a document, only a bound: of it counts on which side of that number it lies.
                let above = (value - nearest as i128).clamp(-(1 << 15), (1 << 15) - 1);
                (nearest, (above + (1 << 15)) as u16)
            }
        }
    }

    fn join(nearest: f64, above: u16) -> Number {
        let whole = nearest.fract() == 0.0 && nearest.abs() < 1.9e19;
        let integer = whole.then(|| nearest as i128 + i128::from(above) - (1 << 15));
        match integer {
            Some(integer) if (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer) => {
                Number::Integer(integer)
            }
            Some(_) | None => Number::Float(nearest),
        }
    }
}

/// Returns the bits of a number, turned so that they sort as the numbers do.
fn sortable(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 0 { bits ^ (1 << 63) } else { !bits }
}

fn unsortable(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits ^ (1 << 63) } else { !bits })
}

fn append_escaped(key: &mut Vec<u8>, text: &str) {
    for byte in text.bytes() {
        key.push(byte);
        if byte == 0 {
            key.push(0xff);
        }
    }
    key.extend_from_slice(&[0, 0]);
}

/// Reads an escaped text and returns it with what follows.
fn escaped(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut text = Vec::new();
    let mut rest = bytes;
    loop {
        rest = match rest {
            [0, 0, after @ ..] => return Some((String::from_utf8(text).ok()?, after)),
            [0, 0xff, after @ ..] => {
                text.push(0);
                after
            }
            [byte, after @ ..] if *byte != 0 => {
                text.push(*byte);
                after
            }
            _ => return None,
        };
    }
}

/// What a key says about one document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<'a> {
    /// Type and value as they are encoded.
    encoded: &'a [u8],
    /// The last segment of the self-link.
    pub name: &'a str,
    /// The copy that the document is in.
    pub space: Space,
}

impl<'a> Entry<'a> {
    /// Reads what follows the path, which has `path_bytes` in front of it; none if this is no such key.
    pub fn read(key: &'a [u8], path_bytes: usize) -> Option<Entry<'a>> {
        let rest = key.get(path_bytes..)?;
        let encoded = rest.get(..value_bytes(rest)?)?;
        let (name, space) = super::placed(&rest[encoded.len()..])?;
        Some(Entry { encoded, name, space })
    }

    /// Returns the value; none if no value is written so.
    pub fn value(&self) -> Option<Value> {
        value(self.encoded)
    }
}

/// Returns how many bytes type and value have at the beginning of `bytes`.
fn value_bytes(bytes: &[u8]) -> Option<usize> {
    match *bytes.first()? {
        BOOLEAN => Some(2),
        NUMBER => Some(11),
        TEXT => {
            let mut at = 1;
            loop {
                match (bytes.get(at)?, bytes.get(at + 1)) {
                    (0, Some(0)) => return Some(at + 2),
                    (0, Some(0xff)) => at += 2,
                    (0, Some(_) | None) => return None,
                    (1.., _) => at += 1,
                }
            }
        }
        _ => None,
    }
}

/// Reads type and value, which reach to the end.
fn value(bytes: &[u8]) -> Option<Value> {
    match bytes.split_first()? {
        (&BOOLEAN, &[0]) => Some(Value::Boolean(false)),
        (&BOOLEAN, &[1]) => Some(Value::Boolean(true)),
        (&NUMBER, rest) => {
            let (nearest, rest) = rest.split_first_chunk::<8>()?;
            let above = u16::from_be_bytes(rest.try_into().ok()?);
            let nearest = unsortable(u64::from_be_bytes(*nearest));
            let number = Number::join(nearest, above);
            // Two keys of one number would be two places to look, so there is one, and no other is a key.
            let (same_nearest, same_above) = number.split();
            let is_same = same_nearest.to_bits() == nearest.to_bits() && same_above == above;
            is_same.then_some(Value::Number(number))
        }
        (&TEXT, rest) => match escaped(rest)? {
            (text, []) => Some(Value::Text(text)),
            (_, [_, ..]) => None,
        },
        _ => None,
    }
}

/// Returns the key that says that `link` has `value` in the field `path`.
pub fn encode(space: Space, path: &str, value: &Value, link: &Link) -> Vec<u8> {
    let mut key = of_value(&super::factory_of(link), path, value);
    super::append_place(&mut key, link, space);
    key
}

/// Reads path, value, self-link and copy in a key; none if it is no such key.
pub fn decode(key: &[u8]) -> Option<(String, Value, Link, Space)> {
    let (factory, rest) = super::factory(key)?;
    let (path, rest) = escaped(rest)?;
    let entry = Entry::read(rest, 0)?;
    Some((path, entry.value()?, super::child(factory, entry.name)?, entry.space))
}

/// Returns what the keys of all values of the field `path` of a factory's documents begin with.
pub fn of_path(factory: &Link, path: &str) -> Vec<u8> {
    let mut key = super::of_factory(factory);
    append_escaped(&mut key, path);
    key
}

/// Returns what the keys of all documents of a factory with `value` in the field `path` begin with.
pub fn of_value(factory: &Link, path: &str, value: &Value) -> Vec<u8> {
    let mut key = of_path(factory, path);
    value.append(&mut key);
    key
}

/// Returns what the keys of all values of the type of `value` in the field `path` begin with.
pub fn of_type(factory: &Link, path: &str, value: &Value) -> Vec<u8> {
    let mut key = of_path(factory, path);
    key.push(match value {
        Value::Boolean(_) => BOOLEAN,
        Value::Number(_) => NUMBER,
        Value::Text(_) => TEXT,
    });
    key
}

/// Returns what the keys of all texts that begin with `text` in the field `path` begin with.
pub fn of_text_prefix(factory: &Link, path: &str, text: &str) -> Vec<u8> {
    let mut key = of_value(factory, path, &Value::text(text));
    // Without the two bytes that end the text.
    key.truncate(key.len() - 2);
    key
}

/// Returns the first key behind all that say that the document called `name` has the value of which keys begin with
/// `of_value`.
pub fn behind(of_value: &[u8], name: &str) -> Vec<u8> {
    super::behind_name(of_value, name)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::super::strategies::{any_link, any_space, some_factory, some_space};
    use super::*;

    fn any_number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i64>().prop_map(|value| Number::Integer(value.into())),
            any::<u64>().prop_map(|value| Number::Integer(value.into())),
            (-1000_i64..1000).prop_map(|value| Number::Integer(value.into())),
            (-1000_i64..1000).prop_map(|value| Number::Float(value as f64 + 0.5)),
        ]
    }

    /// Compares as mathematics does; the halves are exact in both types.
    fn compare(one: Number, other: Number) -> Ordering {
        let doubled = |number| match number {
            Number::Integer(value) => value * 2,
            Number::Float(value) => (value * 2.0) as i128,
        };
        doubled(one).cmp(&doubled(other))
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<bool>().prop_map(Value::Boolean),
            any_number().prop_map(Value::Number),
            "[\u{0}ab\u{ff}]{0,4}".prop_map(Value::Text),
        ]
    }

    proptest! {
        #[test]
        fn keys_round_trip(
            space in any_space(),
            path in "[a.\u{0}]{1,4}",
            value in any_value(),
            link in any_link(),
        ) {
            let key = encode(space, &path, &value, &link);
            let factory = link.parent().expect("a child");
            prop_assert!(key.starts_with(&of_value(&factory, &path, &value)));
            prop_assert!(key < behind(&of_value(&factory, &path, &value), link.name()));
            let entry = Entry::read(&key, of_path(&factory, &path).len()).expect("a key");
            prop_assert_eq!((entry.value(), entry.name, entry.space), (Some(value.clone()), link.name(), space));
            prop_assert_eq!(decode(&key), Some((path, value, link, space)));
        }

        #[test]
        fn numbers_sort_by_value(one in any_number(), other in any_number(), link in any_link()) {
            let key = |number| encode(some_space(), "n", &Value::Number(number), &link);
            prop_assert_eq!(key(one).cmp(&key(other)), compare(one, other));
        }

        #[test]
        fn texts_sort_by_bytes_whatever_follows(
            one in ("[\u{0}ab\u{ff}]{0,4}", "[ab!~-]{1,3}"),
            other in ("[\u{0}ab\u{ff}]{0,4}", "[ab!~-]{1,3}"),
        ) {
            let link = |name: &str| Link::parse(&format!("/f/{name}")).expect("a valid link");
            let key = |(text, name): &(String, String)| encode(some_space(), "t", &Value::text(text), &link(name));
            prop_assert_eq!(key(&one).cmp(&key(&other)), one.cmp(&other));
        }

        #[test]
        fn no_field_stands_among_the_values_of_another(one in "[\u{0}a.]{0,4}", other in "[\u{0}a.]{0,4}") {
            let key = of_path(&some_factory(), &one);
            prop_assert_eq!(key.starts_with(&of_path(&some_factory(), &other)), one == other);
        }
    }

    #[test]
    fn floats_of_every_size_sort() {
        let floats = [f64::MIN, -1e300, -2.5, -1e-300, 0.0, 1e-300, 0.1, 2.5, 1e18, 1e300, f64::MAX];
        let link = Link::parse("/a").expect("a valid link");
        let keys = floats.map(|value| encode(some_space(), "n", &Value::Number(Number::Float(value)), &link));
        assert!(keys.is_sorted());
        let zeros = [0.0, -0.0].map(|value| of_value(&some_factory(), "n", &Value::Number(Number::Float(value))));
        assert_eq!(zeros[0], zeros[1]);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "ä".repeat(200);
        assert_eq!(Value::text(&text), Value::Text("ä".repeat(128)));
    }

    #[test]
    fn layout_is_frozen() {
        let link = Link::parse("/f/a").expect("a valid link");
        let key = |value: &Value| encode(some_space(), "n", value, &link);
        let parts = |value: &[u8]| [b"/f\0n\0\0", value, b"a\0\0\0\0\x01\0\0\0\0\x07"].concat();
        assert_eq!(key(&Value::Boolean(true)), parts(b"\x01\x01"));
        assert_eq!(key(&Value::Number(Number::Integer(1))), parts(b"\x02\xbf\xf0\0\0\0\0\0\0\x80\0"));
        assert_eq!(key(&Value::text("x\0")), parts(b"\x03x\0\xff\0\0"));
    }

    #[test]
    fn bytes_that_no_value_is_written_as_are_no_key() {
        let read = |value: &[u8]| decode(&[b"/f\0a\0\0", value, b"a\0", &some_space().prefix()].concat());
        let number = |nearest: f64, above: u16| {
            let mut value = vec![NUMBER];
            value.extend_from_slice(&sortable(nearest).to_be_bytes());
            value.extend_from_slice(&above.to_be_bytes());
            read(&value)
        };
        assert!(read(&[BOOLEAN, 1]).is_some() && number(7.0, 1 << 15).is_some() && number(7.5, 1 << 15).is_some());
        assert_eq!(read(&[BOOLEAN, 7]), None);
        assert_eq!(number(7.5, 3), None, "a fraction has no integer beside it");
        assert_eq!(number(7.0, (1 << 15) + 1), None, "eight has a nearer number");
        assert_eq!(number(-0.0, 1 << 15), None, "both zeros are one number");
    }
}
