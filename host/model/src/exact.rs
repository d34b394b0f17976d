//! JSON values whose numbers stay as they were written.
//!
//! Problem: JSON has integers of any size and decimals of any length. [`Value`] keeps integers from 2^64 on, and longer decimals, as the
//! nearest double, and so writes other numbers than it has read.
//!
//! Promise: [`Exact`] writes each number with the digits that were read. Members of objects keep their order; of two with the same name
//! the last one counts, at the place of the first.

use std::collections::HashSet;
use std::fmt;

use indexmap::IndexMap;
use serde::de::{self, IgnoredAny};
use serde::ser::{self, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Result, Value};

use crate::Builtin;

/// How many objects and arrays may be inside one another: those of a document ([`crate::json::DEPTH_MAX`]), and those of the answer around it.
const DEPTH_MAX: usize = 128;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exact {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A text.
    Text(String),
    /// An array.
    List(Vec<Exact>),
    /// An object.
    Object(Members),
}

/// The members of an object, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members(IndexMap<String, Exact>);

impl Exact {
    /// Reads a text; no key means more than it says.
    ///
    /// # Errors
    /// Those of the parser: no JSON, or deeper than 128 objects and arrays.
    pub fn read(text: &[u8]) -> Result<Exact> {
        let text = std::str::from_utf8(text).map_err(de::Error::custom)?;
        // After this the text is known to keep to the grammar, but for what stands between quotes.
        serde_json::from_str::<IgnoredAny>(text)?;
        Reader { text, at: 0 }.value(0)
    }

    /// Returns an object without members.
    pub fn empty() -> Exact {
        Exact::Object(Members::default())
    }

    /// Returns the member of an object that has this name.
    pub fn get(&self, name: &str) -> Option<&Exact> {
        self.as_object()?.get(name)
    }

    /// Returns the members, if this is an object.
    pub fn as_object(&self) -> Option<&Members> {
        if let Exact::Object(members) = self { Some(members) } else { None }
    }

    /// Returns the members, if this is an object.
    pub fn as_object_mut(&mut self) -> Option<&mut Members> {
        if let Exact::Object(members) = self { Some(members) } else { None }
    }

    /// Returns the items, if this is an array.
    pub fn as_list(&self) -> Option<&[Exact]> {
        if let Exact::List(items) = self { Some(items) } else { None }
    }

    /// Returns the text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Exact::Text(text) = self { Some(text) } else { None }
    }

    /// Returns the number, if this is an integer of 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        if let Exact::Number(text) = self { text.parse().ok() } else { None }
    }

    /// Returns what programs see that keep numbers as doubles.
    pub fn to_value(&self) -> Value {
        match self {
            Exact::Null => Value::Null,
            Exact::Bool(truth) => Value::Bool(*truth),
            Exact::Number(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            Exact::Text(text) => Value::String(text.clone()),
            Exact::List(items) => Value::Array(items.iter().map(Exact::to_value).collect()),
            Exact::Object(members) => {
                Value::Object(members.iter().map(|(name, value)| (name.to_owned(), value.to_value())).collect())
            }
        }
    }

    /// Changes this value as a merge patch says. Source: RFC 7396, section 2.
    pub fn merge(&mut self, patch: Exact) {
        let Exact::Object(patch) = patch else {
            *self = patch;
            return;
        };
        if self.as_object().is_none() {
            *self = Exact::empty();
        }
        let Some(members) = self.as_object_mut() else { return };
        let (gone, changed): (Vec<_>, Vec<_>) = patch.into_iter().partition(|(_, change)| *change == Exact::Null);
        if !gone.is_empty() {
            // In one pass: each removal by itself would move all that stands behind it.
            let gone: HashSet<String> = gone.into_iter().map(|(name, _)| name).collect();
            members.0.retain(|name, _| !gone.contains(name));
        }
        for (name, change) in changed {
            members.0.entry(name).or_insert(Exact::Null).merge(change);
        }
    }
}

impl Members {
    /// Returns the member that has this name.
    pub fn get(&self, name: &str) -> Option<&Exact> {
        self.0.get(name)
    }

    /// Sets a member, behind the others unless there is one with this name.
    pub fn insert(&mut self, name: impl Into<String>, value: Exact) {
        self.0.insert(name.into(), value);
    }

    /// Returns the member that has this name, which is an empty object if there was none.
    pub fn object_at(&mut self, name: &str) -> &mut Exact {
        self.0.entry(name.to_owned()).or_insert_with(Exact::empty)
    }

    /// Removes the fields that the host keeps.
    pub fn drop_built_in(&mut self) {
        self.0.retain(|name, _| Builtin::named(name).is_none());
    }

    /// Returns the members in their order, with values that can be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Exact)> {
        self.0.iter_mut().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the members in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Exact)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl Extend<(String, Exact)> for Members {
    fn extend<I: IntoIterator<Item = (String, Exact)>>(&mut self, members: I) {
        self.0.extend(members);
    }
}

impl FromIterator<(String, Exact)> for Members {
    fn from_iter<I: IntoIterator<Item = (String, Exact)>>(members: I) -> Members {
        Members(members.into_iter().collect())
    }
}

impl IntoIterator for Members {
    type Item = (String, Exact);
    type IntoIter = indexmap::map::IntoIter<String, Exact>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Value> for Exact {
    fn from(value: Value) -> Exact {
        match value {
            Value::Null => Exact::Null,
            Value::Bool(truth) => Exact::Bool(truth),
            Value::Number(number) => Exact::Number(number.to_string()),
            Value::String(text) => Exact::Text(text),
            Value::Array(items) => Exact::List(items.into_iter().map(Exact::from).collect()),
            Value::Object(members) => {
                Exact::Object(members.into_iter().map(|(name, value)| (name, Exact::from(value))).collect())
            }
        }
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Exact::Null => serializer.serialize_unit(),
            Exact::Bool(truth) => serializer.serialize_bool(*truth),
            Exact::Number(text) => {
                RawValue::from_string(text.clone()).map_err(ser::Error::custom)?.serialize(serializer)
            }
            Exact::Text(text) => serializer.serialize_str(text),
            Exact::List(items) => serializer.collect_seq(items),
            Exact::Object(members) => serializer.collect_map(members.iter()),
        }
    }
}

/// On one line; with `#` as people read it.
impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if f.alternate() { serde_json::to_string_pretty(self) } else { serde_json::to_string(self) };
        f.write_str(&text.map_err(|_| fmt::Error)?)
    }
}

/// Reads a text that keeps to the grammar.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Exact> {
        if depth > DEPTH_MAX {
            return Err(de::Error::custom(format!("more than {DEPTH_MAX} objects and arrays inside one another")));
        }
        Ok(match self.next() {
            Some(b'{') => {
                let mut members = Members::default();
                self.inside(|reader| {
                    let name = reader.string()?;
                    // The colon.
                    reader.next();
                    reader.at += 1;
                    members.insert(name, reader.value(depth + 1)?);
                    Ok(())
                })?;
                Exact::Object(members)
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.inside(|reader| {
                    items.push(reader.value(depth + 1)?);
                    Ok(())
                })?;
                Exact::List(items)
            }
            Some(b'"') => Exact::Text(self.string()?),
            Some(_) | None => match self.word() {
                "null" => Exact::Null,
                "true" => Exact::Bool(true),
                "false" => Exact::Bool(false),
                number => Exact::Number(number.to_owned()),
            },
        })
    }

    /// Reads what stands between two brackets, item by item.
    fn inside(&mut self, mut item: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.at += 1;
        while let Some(byte) = self.next() {
            match byte {
                b']' | b'}' => {
                    self.at += 1;
                    break;
                }
                b',' => self.at += 1,
                _ => item(self)?,
            }
        }
        Ok(())
    }

    /// Passes over blanks, and returns the byte behind them.
    fn next(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    fn string(&mut self) -> Result<String> {
        self.next();
        let rest = &self.text.as_bytes()[self.at..];
        let mut end = 1;
        while rest.get(end).is_some_and(|byte| *byte != b'"') {
            end += if rest[end] == b'\\' { 2 } else { 1 };
        }
        let quoted = &self.text[self.at..(self.at + end + 1).min(self.text.len())];
        self.at += quoted.len();
        serde_json::from_str(quoted)
    }

    fn word(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| ",]}".contains(c) || c.is_ascii_whitespace()).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Exact {
        Exact::read(text.as_bytes()).expect("JSON")
    }

    #[test]
    fn numbers_are_written_with_the_digits_that_were_read() {
        let text =
            r#"{"a":18446744073709551616,"b":[-0.0,1.10,1E3,0.1234567890123456789012345],"c":{"d":null,"e":"\n1"}}"#;
        assert_eq!(read(text).to_string(), text);
        assert_eq!(read(" { \"a\" : [ 1.0 , { } , [ ] ] } ").to_string(), r#"{"a":[1.0,{},[]]}"#);
        assert_eq!(format!("{:#}", read(r#"{"a":[1.0]}"#)), "{\n  \"a\": [\n    1.0\n  ]\n}");
    }

    #[test]
    fn the_last_of_two_members_counts() {
        assert_eq!(read(r#"{"a":1,"b":2,"a":3}"#).to_string(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_refused() {
        for text in ["", "{", "[1,]", "{\"a\"}", "\"\\ud800\"", "01", "1 2"] {
            assert!(Exact::read(text.as_bytes()).is_err(), "{text}");
        }
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Exact::read(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(Exact::read(nested(100_000).as_bytes()).is_err());
    }

    #[test]
    fn merges_as_the_examples_of_the_rfc_do() {
        for (target, patch, merged) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let mut value = read(target);
            value.merge(read(patch));
            assert_eq!(value.to_string(), merged, "{target} and {patch}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_others_read(texts in prop::collection::vec(any::<String>(), 0..5), number in any::<f64>()) {
            let object: serde_json::Map<String, Value> = texts.iter().map(|text| (text.clone(), json!([text, number]))).collect();
            let value = json!({ "o": object, "l": texts });
            let text = value.to_string();
            let exact = read(&text);
            prop_assert_eq!(exact.to_value(), serde_json::from_str::<Value>(&text).expect("JSON"));
            prop_assert_eq!(exact.to_string(), text);
            prop_assert_eq!(Exact::from(value), exact);
        }
    }
}
