//! Reading JSON with objects where structs are meant.
//!
//! Derived code takes a struct from an array too, field by field in their order; a client that sends one would be believed
//! whatever it says. This stands between that code and the reader of JSON, at every depth, and takes structs from objects only.
//!
//! Where derived code has to see everything before it knows what it reads (flattened fields, enums without a tag of their own),
//! it keeps what it saw and reads on from there, out of sight of this module. Arrays that were met so are reported, for the
//! schema to say what they may stand for.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

/// What was read, and whether it can be believed without a look at the schema.
pub(crate) struct Read<T> {
    pub(crate) document: T,
    /// An array was met of which nobody said what it is to be.
    pub(crate) unsure: bool,
}

/// Reads a text.
///
/// # Errors
/// Those of the reader, and one for an array in the place of a struct.
pub(crate) fn from_str<T: DeserializeOwned>(text: &str) -> serde_json::Result<Read<T>> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = from_reader(&mut reader)?;
    reader.end()?;
    Ok(read)
}

/// Reads what a reader has.
///
/// # Errors
/// As [`from_str`]; that nothing follows is for the caller to see.
pub(crate) fn from_reader<'de, T: Deserialize<'de>, D: Deserializer<'de>>(reader: D) -> Result<Read<T>, D::Error> {
    let unsure = Cell::new(false);
    let document = T::deserialize(Strict { inner: reader, unsure: &unsure })?;
    Ok(Read { document, unsure: unsure.get() })
}

/// What an array means where a visitor meets one.
#[derive(Clone, Copy)]
enum Arrays {
    /// What was asked for.
    Wanted,
    /// A struct was asked for.
    Refused,
    /// Anything was.
    Unsure,
}

struct Strict<'u, D> {
    inner: D,
    unsure: &'u Cell<bool>,
}

impl<'u, D> Strict<'u, D> {
    fn visit<V>(self, visitor: V, arrays: Arrays) -> (D, Visit<'u, V>) {
        (self.inner, Visit { inner: visitor, arrays, unsure: self.unsure })
    }
}

macro_rules! forward {
    ($($method:ident => $arrays:ident),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let (inner, visitor) = self.visit(visitor, Arrays::$arrays);
            inner.$method(visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any => Unsure, deserialize_bool => Wanted, deserialize_i8 => Wanted, deserialize_i16 => Wanted,
        deserialize_i32 => Wanted, deserialize_i64 => Wanted, deserialize_i128 => Wanted, deserialize_u8 => Wanted,
        deserialize_u16 => Wanted, deserialize_u32 => Wanted, deserialize_u64 => Wanted, deserialize_u128 => Wanted,
        deserialize_f32 => Wanted, deserialize_f64 => Wanted, deserialize_char => Wanted, deserialize_str => Wanted,
        deserialize_string => Wanted, deserialize_bytes => Wanted, deserialize_byte_buf => Wanted,
        deserialize_option => Wanted, deserialize_unit => Wanted, deserialize_seq => Wanted, deserialize_map => Wanted,
        deserialize_identifier => Wanted, deserialize_ignored_any => Wanted,
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        let (inner, visitor) = self.visit(visitor, Arrays::Wanted);
        inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        let (inner, visitor) = self.visit(visitor, Arrays::Wanted);
        inner.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        let (inner, visitor) = self.visit(visitor, Arrays::Wanted);
        inner.deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let (inner, visitor) = self.visit(visitor, Arrays::Wanted);
        inner.deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let (inner, visitor) = self.visit(visitor, Arrays::Refused);
        inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let (inner, visitor) = self.visit(visitor, Arrays::Wanted);
        inner.deserialize_enum(name, variants, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// A visitor whose parts are read strictly; as a seed, and as access to parts, it is the same for those.
struct Visit<'u, V> {
    inner: V,
    arrays: Arrays,
    unsure: &'u Cell<bool>,
}

impl<'u, V> Visit<'u, V> {
    /// Returns the same for a part.
    fn part<W>(&self, inner: W) -> Visit<'u, W> {
        Visit { inner, arrays: Arrays::Wanted, unsure: self.unsure }
    }

    fn strict<D>(&self, inner: D) -> Strict<'u, D> {
        Strict { inner, unsure: self.unsure }
    }
}

macro_rules! visit {
    ($($method:ident($value:ty)),* $(,)?) => {
        $(fn $method<E: Error>(self, value: $value) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Visit<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool(bool), visit_i8(i8), visit_i16(i16), visit_i32(i32), visit_i64(i64), visit_i128(i128), visit_u8(u8),
        visit_u16(u16), visit_u32(u32), visit_u64(u64), visit_u128(u128), visit_f32(f32), visit_f64(f64), visit_char(char),
        visit_str(&str), visit_borrowed_str(&'de str), visit_string(String), visit_bytes(&[u8]),
        visit_borrowed_bytes(&'de [u8]), visit_byte_buf(Vec<u8>),
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.strict(deserializer);
        self.inner.visit_some(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.strict(deserializer);
        self.inner.visit_newtype_struct(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        match self.arrays {
            Arrays::Wanted => {}
            Arrays::Refused => return Err(A::Error::invalid_type(Unexpected::Seq, &"an object")),
            Arrays::Unsure => self.unsure.set(true),
        }
        let access = self.part(access);
        self.inner.visit_seq(access)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.part(access);
        self.inner.visit_map(access)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.part(access);
        self.inner.visit_enum(access)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Visit<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.strict(deserializer);
        self.inner.deserialize(deserializer)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Visit<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let seed = self.part(seed);
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Visit<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let seed = self.part(seed);
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.part(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'u, A: EnumAccess<'de>> EnumAccess<'de> for Visit<'u, A> {
    type Error = A::Error;
    type Variant = Visit<'u, A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self::Variant), A::Error> {
        let seed = self.part(seed);
        let unsure = self.unsure;
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, Visit { inner: variant, arrays: Arrays::Wanted, unsure }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Visit<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.part(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.part(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = Visit { inner: visitor, arrays: Arrays::Refused, unsure: self.unsure };
        self.inner.struct_variant(fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Letter {
        to: String,
        text: String,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    enum Act {
        Send(Letter),
        Move { from: u8 },
        Pair(u8, Letter),
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct All {
        numbers: Vec<u64>,
        one: Option<Letter>,
        list: Vec<Letter>,
        map: BTreeMap<u32, Letter>,
        pair: Option<(u8, Letter)>,
        act: Option<Act>,
        boxed: Option<Box<Letter>>,
        any: serde_json::Value,
    }

    #[derive(Debug, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        _inner: All,
    }

    #[test]
    fn structs_are_read_from_objects_at_every_depth() {
        let letter = r#"{"to":"a","text":"b"}"#;
        let text = format!(
            r#"{{"numbers":[1,2],"one":{letter},"list":[{letter}],"map":{{"7":{letter}}},"pair":[1,{letter}],
                "act":{{"Pair":[1,{letter}]}},"boxed":{letter},"any":{{"x":1}}}}"#
        );
        let read: Read<All> = from_str(&text).expect("objects");
        assert_eq!(read.document, serde_json::from_str(&text).expect("objects"));
        assert!(!read.unsure);
    }

    #[test]
    fn arrays_are_refused_where_structs_are_meant() {
        let letter = r#"["a","b"]"#;
        for text in [
            "[]".to_owned(),
            "[[1]]".to_owned(),
            format!(r#"{{"one":{letter}}}"#),
            format!(r#"{{"list":[{letter}]}}"#),
            format!(r#"{{"map":{{"7":{letter}}}}}"#),
            format!(r#"{{"pair":[1,{letter}]}}"#),
            format!(r#"{{"act":{{"Send":{letter}}}}}"#),
            format!(r#"{{"act":{{"Pair":[1,{letter}]}}}}"#),
            format!(r#"{{"boxed":{letter}}}"#),
            r#"{"act":{"Move":[1]}}"#.to_owned(),
        ] {
            assert!(serde_json::from_str::<All>(&text).is_ok(), "{text} is what derived code takes");
            let error = from_str::<All>(&text).err().expect("an array is no object").to_string();
            assert!(error.contains("expected an object"), "{text}: {error}");
        }
    }

    #[test]
    fn arrays_of_which_nobody_says_what_they_are_make_it_unsure() {
        assert!(from_str::<All>(r#"{"any":[1]}"#).expect("any value").unsure);
        assert!(from_str::<Flat>(r#"{"list":[["a","b"]]}"#).expect("derived code takes it").unsure);
        assert!(!from_str::<Flat>(r#"{"one":{"to":"a","text":"b"}}"#).expect("an object").unsure);
    }
}
