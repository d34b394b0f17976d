//! How values become bytes on disk and between nodes.
//!
//! A value is one byte, the format version, and then its fields in the postcard wire format (a frozen, public
//! specification). Enum variants and struct fields are only ever appended, under a new format version.

use serde::{Serialize, de::DeserializeOwned};

/// The format version that this build writes, and the only one it reads.
pub const FORMAT_VERSION: u8 = 1;

/// Why bytes are no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is not one byte.
    #[error("value is empty")]
    Empty,
    /// The bytes were written by another version of the host.
    #[error("format version {found} is not supported, this host reads {FORMAT_VERSION}")]
    FormatVersion {
        /// The version found in front of the value.
        found: u8,
    },
    /// The bytes do not follow the wire format.
    #[error("bytes are no value of this type: {0}")]
    Malformed(#[from] postcard::Error),
}

/// Returns the bytes of `value`.
///
/// # Panics
/// If `value` contains a map or sequence of unknown length; no type of this crate does.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![FORMAT_VERSION]).expect("values of known length encode into memory")
}

/// Returns the value that [`encode`] turned into `bytes`.
///
/// # Errors
/// [`Error`] if the bytes are empty, of another format version, or malformed: the caller treats them as damaged.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    match bytes.split_first() {
        None => Err(Error::Empty),
        Some((&FORMAT_VERSION, value)) => Ok(postcard::from_bytes(value)?),
        Some((&found, _)) => Err(Error::FormatVersion { found }),
    }
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
