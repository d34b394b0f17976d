//! How values become bytes, on disk and between nodes.
//!
//! ```text
//!  ┌─────────┬──────────┬───────────────────────────────┐
//!  │ version │ readable │ fields, in the order of their │
//!  │ u8      │ from, u8 │ type, as postcard writes them │
//!  └─────────┴──────────┴───────────────────────────────┘
//! ```
//!
//! Problem: the nodes of a group are upgraded one after the other. So each node must read what the version before its
//! own and the version after it have written, on its own disk and on the wire.
//!
//! Promise: each type that stands alone on a disk, or travels alone between nodes, counts its own versions
//! ([`Format`]). A newer version may append fields and keep `readable from`: older readers then skip the fields that
//! they do not know. If an older reader must not skip a change, the newer version raises `readable from`; older readers
//! then refuse the value by name and do not misread it. [`Format::upgrade`] turns the value of an older writer into one
//! of this version.
//!
//! Left out: a type that stands inside another has no version of its own. To add a field to it, raise the version of
//! every type around it. Fields are in the wire format of postcard, a frozen, public specification.

use serde::{Serialize, de::DeserializeOwned};

/// A type that stands alone on a disk or travels alone between nodes.
pub trait Format: Serialize + DeserializeOwned {
    /// What error texts call the type.
    const NAME: &'static str;

    /// The version that this build writes; it rises with every change of the fields.
    const VERSION: u8 = 1;

    /// The oldest version whose readers understand what this build writes, unknown fields passed over.
    const READABLE_FROM: u8 = 1;

    /// Returns the value that a build of the older version `version` wrote as `fields`.
    ///
    /// # Errors
    /// [`Error::Version`] if that version is not read; [`Error::Malformed`] if the bytes do not follow it.
    fn upgrade(version: u8, fields: &[u8]) -> Result<Self, Error> {
        let _ = fields;
        Err(Error::Version { name: Self::NAME, found: version, reads: Self::VERSION })
    }
}

/// Why bytes cannot be read as a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There are fewer bytes than the two version numbers in front of every value.
    #[error("{name} is cut off: {bytes} bytes are too few for any value")]
    Cut {
        /// The [`Format::NAME`] of the type that was to be read.
        name: &'static str,
        /// How many bytes there are: 0 or 1.
        bytes: usize,
    },
    /// The bytes were written by a version of the host that this one does not understand.
    #[error(
        "{name} was written in format version {found}, this host reads version {reads}: use the host that wrote it"
    )]
    Version {
        /// The name of the type that was read.
        name: &'static str,
        /// The version that wrote it, or from which on it can be read.
        found: u8,
        /// The newest version that this build reads.
        reads: u8,
    },
    /// The bytes do not follow the wire format.
    #[error("bytes are no {name}: {source}")]
    Malformed {
        /// The [`Format::NAME`] of the type that was to be read.
        name: &'static str,
        /// What postcard could not read.
        source: postcard::Error,
    },
    /// The value is whole, and more bytes stand behind it than its version has.
    #[error("{bytes} bytes stand behind a whole {name}")]
    Trailing {
        /// The name of the type that was read.
        name: &'static str,
        /// How many bytes are too many.
        bytes: usize,
    },
}

/// Returns the bytes of `value`.
///
/// # Panics
/// If `value` contains a map or sequence of unknown length; no type of ours does.
pub fn encode<T: Format>(value: &T) -> Vec<u8> {
    encode_as::<T, T>(value)
}

/// Returns the bytes of `value`, which has the fields of `T`: for borrowed forms of a value that is read as `T`.
///
/// # Panics
/// As [`encode`].
pub fn encode_as<T: Format, V: Serialize>(value: &V) -> Vec<u8> {
    postcard::to_extend(value, vec![T::VERSION, T::READABLE_FROM]).expect("values of known length encode into memory")
}

/// Returns the value that [`encode`] of this or a neighbouring version of the host turned into `bytes`.
///
/// # Errors
/// [`Error`]: the caller treats the bytes as damaged, except for [`Error::Version`], which an upgrade of the host mends.
pub fn decode<T: Format>(bytes: &[u8]) -> Result<T, Error> {
    let name = T::NAME;
    let Some(([version, readable_from], fields)) = bytes.split_first_chunk::<2>() else {
        return Err(Error::Cut { name, bytes: bytes.len() });
    };
    if *readable_from > T::VERSION {
        return Err(Error::Version { name, found: *readable_from, reads: T::VERSION });
    }
    if *version < T::VERSION {
        return T::upgrade(*version, fields);
    }
    let (value, rest) = postcard::take_from_bytes(fields).map_err(|source| Error::Malformed { name, source })?;
    // Only a newer writer has fields that are unknown here; behind a value of our own version they are damage.
    if *version == T::VERSION && !rest.is_empty() {
        return Err(Error::Trailing { name, bytes: rest.len() });
    }
    Ok(value)
}

impl<T: Format> Format for Vec<T> {
    const NAME: &'static str = T::NAME;
    const VERSION: u8 = T::VERSION;
    // Fields appended to an element stand before the next one: nobody could pass over them.
    const READABLE_FROM: u8 = T::VERSION;
}

/// Serializes shared bytes as one run instead of one by one; for `#[serde(with = "steward_model::codec::bytes_run")]`.
pub mod bytes_run {
    use bytes::Bytes;
    use serde::{Deserializer, Serializer, de};

    /// Writes the bytes.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    /// Reads the bytes.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        struct Run;
        impl de::Visitor<'_> for Run {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a run of bytes")
            }
            fn visit_bytes<E: de::Error>(self, run: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes::copy_from_slice(run))
            }
            fn visit_byte_buf<E: de::Error>(self, run: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes::from(run))
            }
        }
        deserializer.deserialize_byte_buf(Run)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct First {
        number: u32,
    }
    impl Format for First {
        const NAME: &'static str = "example";
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Second {
        number: u32,
        word: String,
    }
    impl Format for Second {
        const NAME: &'static str = "example";
        const VERSION: u8 = 2;
        fn upgrade(version: u8, fields: &[u8]) -> Result<Second, Error> {
            assert_eq!(version, 1);
            let number =
                postcard::from_bytes(fields).map_err(|source| Error::Malformed { name: Self::NAME, source })?;
            Ok(Second { number, word: String::new() })
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Third {
        number: String,
    }
    impl Format for Third {
        const NAME: &'static str = "example";
        const VERSION: u8 = 3;
        const READABLE_FROM: u8 = 3;
    }

    #[test]
    fn neighbouring_versions_read_one_another() {
        let newer = encode(&Second { number: 7, word: "unknown to the first".into() });
        assert_eq!(decode(&newer), Ok(First { number: 7 }));
        let older = encode(&First { number: 7 });
        assert_eq!(decode(&older), Ok(Second { number: 7, word: String::new() }));
    }

    #[test]
    fn what_must_not_be_passed_over_is_refused_by_name() {
        let strange = encode(&Third { number: "seven".into() });
        let refused = Error::Version { name: "example", found: 3, reads: 1 };
        assert_eq!(decode::<First>(&strange), Err(refused));
        let forgotten = encode(&Second { number: 7, word: String::new() });
        assert_eq!(decode::<Third>(&forgotten), Err(Error::Version { name: "example", found: 2, reads: 3 }));
    }

    #[test]
    fn bytes_behind_a_value_of_this_version_are_damage() {
        let mut bytes = encode(&First { number: 7 });
        bytes.push(0);
        assert_eq!(decode::<First>(&bytes), Err(Error::Trailing { name: "example", bytes: 1 }));
        assert_eq!(decode::<First>(&[1]), Err(Error::Cut { name: "example", bytes: 1 }));
    }
}
