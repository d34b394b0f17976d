//! JSON from outside: which texts may enter, and how they become values. Nothing else in the host decides either.
//!
//! Problem: serde_json uses some object keys for its own purposes. If an object begins with such a key, serde_json does
//! not take the object as it stands: it parses the text of that member in its place. Then the host would keep something
//! else than it has checked, and its bound on depth would not hold. Besides, some readers skip a text that others
//! refuse; a document that the first kind has let in would be found unreadable later.
//!
//! Promise: every later reader takes a text that [`check`] has passed, and all of them read the same value. [`check`]
//! looks into all numbers and texts, counts the depth while it parses, and refuses the keys of serde_json by name.
//! [`plain`] makes a value of a text that nobody has checked, such as the answer of another host; to it, these keys are
//! keys like all others.

use std::cell::RefCell;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How many objects and arrays may be inside one another; later steps could not query or merge deeper ones.
pub const DEPTH_MAX: usize = 100;

/// The beginning of the keys that serde_json uses for its own purposes.
pub const RESERVED: &str = "$serde_json::private::";

/// Which numbers may enter.
pub const NUMBERS: &str = "numbers are kept from -1.797e308 to 1.797e308";

/// Most characters of a number that is told.
const NUMBER_CHARACTERS_MAX: usize = 40;

/// Why a JSON text may not enter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no JSON, or deeper than [`DEPTH_MAX`].
    #[error("{reason} at line {line} column {column}")]
    Syntax {
        /// What the parser says, without the place.
        reason: String,
        /// The line of the fault; the first is 1.
        line: usize,
        /// The byte of that line at which the parser stopped; the first is 1.
        column: usize,
    },
    /// It has a number that no double comes near: it is JSON, and nobody here could sort by it, filter or compare.
    #[error("the number {number} at line {line} column {column} is out of range: {NUMBERS}")]
    Number {
        /// Its first characters.
        number: String,
        /// The line of it; the first is 1.
        line: usize,
        /// The byte of that line at which it begins; the first is 1.
        column: usize,
    },
    /// A key begins with [`RESERVED`].
    #[error("the key {key:?} at line {line} column {column} is reserved: no key may begin with {RESERVED:?}")]
    ReservedKey {
        /// The key in full, escapes resolved.
        key: String,
        /// The line in which the key ends; the first is 1.
        line: usize,
        /// The byte of that line at which the key ends; the first is 1.
        column: usize,
    },
}

/// Checks that a text is JSON that may enter.
///
/// # Errors
/// [`Error`] with the first place that is wrong.
pub fn check(bytes: &[u8]) -> Result<(), Error> {
    // What follows a fault in the encoding could not be told to people anyway, so that is looked at first.
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (line, column) = place(&bytes[..error.valid_up_to()]);
        Error::Syntax { reason: "a byte that is no UTF-8".to_owned(), line, column }
    })?;
    check_text(text)
}

/// Checks a text as [`check`] does.
///
/// # Errors
/// [`Error`] with the first place that is wrong.
pub fn check_text(text: &str) -> Result<(), Error> {
    let reserved = RefCell::new(None);
    let mut parser = serde_json::Deserializer::from_str(text);
    let looked = Look { depth: 0, reserved: &reserved }.deserialize(&mut parser).and_then(|()| parser.end());
    let Err(fault) = looked else { return Ok(()) };
    let (line, column) = (fault.line(), fault.column());
    match reserved.into_inner() {
        Some(key) => Err(Error::ReservedKey { key, line, column }),
        None if reason(&fault) == OUT_OF_RANGE => Err(out_of_range(text, line, column)),
        None => Err(Error::Syntax { reason: reason(&fault), line, column }),
    }
}

/// Makes a value of a text as it stands; no key means more than it says.
///
/// # Errors
/// Those of the parser: no JSON, or deeper than it follows.
pub fn plain(bytes: &[u8]) -> serde_json::Result<Value> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = Plain.deserialize(&mut parser)?;
    parser.end()?;
    Ok(value)
}

/// What the parser says of a number that is too large for it, and of nothing else.
const OUT_OF_RANGE: &str = "number out of range";

/// Returns the error of a number within which, or behind which, the parser stopped.
fn out_of_range(text: &str, line: usize, column: usize) -> Error {
    let told = text.split('\n').nth(line - 1).unwrap_or_default();
    let in_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let (before, behind) = told.as_bytes().split_at(column.min(told.len()));
    let begin = before.len() - before.iter().rev().take_while(|byte| in_number(byte)).count();
    let end = before.len() + behind.iter().take_while(|byte| in_number(byte)).count();
    let number = told.get(begin..end).unwrap_or_default();
    let number = match number.get(..NUMBER_CHARACTERS_MAX) {
        Some(beginning) if number.len() > NUMBER_CHARACTERS_MAX => format!("{beginning}…"),
        Some(_) | None => number.to_owned(),
    };
    Error::Number { number, line, column: begin + 1 }
}

/// Returns what the parser found wrong, without the place.
fn reason(fault: &serde_json::Error) -> String {
    let told = fault.to_string();
    told.rsplit_once(" at line ").map_or(told.as_str(), |(reason, _)| reason).to_owned()
}

fn place(before: &[u8]) -> (usize, usize) {
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

/// Looks at a value from end to end and keeps nothing.
#[derive(Clone, Copy)]
struct Look<'a> {
    depth: usize,
    /// Gets the first key that is reserved.
    reserved: &'a RefCell<Option<String>>,
}

impl Look<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > DEPTH_MAX {
            return Err(E::custom(format!("more than {DEPTH_MAX} objects and arrays inside one another")));
        }
        Ok(Look { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inside = self.deeper()?;
        while items.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inside = self.deeper()?;
        while members.next_key_seed(Key(self.reserved))?.is_some() {
            members.next_value_seed(inside)?;
        }
        Ok(())
    }
}

/// Reads a key and refuses a reserved one.
struct Key<'a>(&'a RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<(), E> {
        if !key.starts_with(RESERVED) {
            return Ok(());
        }
        *self.0.borrow_mut() = Some(key.to_owned());
        Err(E::custom("reserved key"))
    }
}

/// Builds values and gives no key a meaning of its own.
struct Plain;

impl<'de> DeserializeSeed<'de> for Plain {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Plain)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            object.insert(name, members.next_value_seed(Plain)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(text: &str) -> String {
        serde_json::json!({ "$serde_json::private::RawValue": text }).to_string()
    }

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn faults_have_a_place() {
        let place = |text: &[u8]| match check(text) {
            Err(Error::Syntax { line, column, .. }) => Some((line, column)),
            Ok(()) | Err(Error::Number { .. } | Error::ReservedKey { .. }) => None,
        };
        assert_eq!(place(b"{\"a\": 1,\n \"b\" 2}"), Some((2, 6)));
        assert_eq!(place(b"{\"a\": \"\n\xff\"}"), Some((2, 1)));
        assert_eq!(place(b"{} {}"), Some((1, 4)));
        assert_eq!(place(b" {\"a\": [1, 2]} "), None);
        assert_eq!(place(nested(DEPTH_MAX).as_bytes()), None);
        let behind_the_bracket = DEPTH_MAX + 2;
        assert_eq!(place(nested(DEPTH_MAX + 1).as_bytes()), Some((1, behind_the_bracket)));
        assert_eq!(place(format!("[{}]", "[],\"\\\"[\",".repeat(200) + "1").as_bytes()), None);
        assert!(place(nested(1_000_000).as_bytes()).is_some());
    }

    #[test]
    fn keys_of_the_parser_are_refused_by_name_wherever_they_are() {
        let hidden = r#"{"\u0024serde_json::private::RawValue":"1"}"#;
        let second = r#"{"a":1,"$serde_json::private::Number":"1"}"#;
        let inside = format!(r#"{{"a":[{}]}}"#, raw("[1]"));
        for text in [hidden, second, &inside, r#"{"$serde_json::private::":1}"#] {
            let Err(Error::ReservedKey { key, .. }) = check(text.as_bytes()) else { panic!("{text} is taken") };
            assert!(key.starts_with(RESERVED));
        }
        let value = r#"{"a":"$serde_json::private::RawValue","b":"\u0024serde_json"}"#;
        assert_eq!(check(value.as_bytes()), Ok(()), "texts may say what they like");
    }

    #[test]
    fn what_a_later_reader_would_refuse_is_refused_at_once() {
        for text in ["1e999", r#""\ud800""#, r#"{"a":-1e400}"#] {
            assert!(check(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_beyond_all_doubles_are_told_as_such() {
        let long = "7".repeat(401);
        for (text, number, column) in [
            ("1E400".to_owned(), "1E400", 1),
            ("{\"a\":\n [0, -1e400 ]}".to_owned(), "-1e400", 6),
            ("[1e99999999999999999999]".to_owned(), "1e99999999999999999999", 2),
            ("[123.5E+309,1]".to_owned(), "123.5E+309", 2),
            (format!("{{\"a\":{long}}}"), &*format!("{}…", &long[..40]), 6),
        ] {
            let line = text.lines().count();
            let number = number.to_owned();
            assert_eq!(check(text.as_bytes()), Err(Error::Number { number, line, column }), "{text}");
        }
        for fine in ["1.797e308", "-1.797e308", "1e-400", "18446744073709551616"] {
            assert_eq!(check(fine.as_bytes()), Ok(()), "{fine}");
        }
        assert!(matches!(check(b"[1e]"), Err(Error::Syntax { .. })));
    }

    #[test]
    fn a_text_is_taken_as_it_stands() {
        let text = raw("[1]");
        let value = plain(text.as_bytes()).expect("JSON");
        assert_eq!(value[format!("{RESERVED}RawValue")], "[1]");
        assert_eq!(value.to_string(), text);
        assert!(plain(nested(1000).as_bytes()).is_err(), "and no stack is long enough for everything");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e300..1e300).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_passes_is_read_by_everybody_alike(value in json()) {
            let text = value.to_string();
            prop_assert_eq!(check(text.as_bytes()), Ok(()));
            let read = plain(text.as_bytes()).expect("JSON");
            prop_assert_eq!(&read, &serde_json::from_str::<Value>(&text).expect("JSON"));
        }
    }
}
