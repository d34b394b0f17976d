//! Reading the JSON that clients send, with objects where structs are meant; by the same code as guests read their documents.

use serde::de::{DeserializeOwned, Error};

// Guests are built outside of this workspace, with nothing of the host; so it is theirs.
#[path = "../../../sdk/rust/src/strict.rs"]
#[cfg_attr(not(test), expect(dead_code, reason = "a guest has a schema to ask where it is not sure, the host has not"))]
mod objects;

/// Reads a text.
///
/// # Errors
/// Those of the reader, with line and column; an array in the place of an object is one, at every depth.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let text = std::str::from_utf8(text).map_err(serde_json::Error::custom)?;
    objects::from_str(text).map(|read| read.document)
}
