//! Why a specification is refused, and where.

use super::super::path::Path;

/// Why a specification is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at {pointer})")]
pub struct Error {
    /// JSON pointer to the place at fault.
    pub pointer: String,
    /// What is wrong there and what would be right.
    pub reason: String,
}

impl Error {
    pub(super) fn new(pointer: impl Into<String>, reason: impl Into<String>) -> Error {
        Error { pointer: pointer.into(), reason: reason.into() }
    }
}

pub(super) fn path_at(name: &str, pointer: &str) -> Result<Path, Error> {
    Path::parse(name).map_err(|error| Error::new(format!("{pointer}/propertyName"), error.to_string()))
}
