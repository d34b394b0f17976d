//! Paths: the names of fields, dotted where a field lies inside another.
//!
//! `taskInfo.stage` leads into an object, `keyValues.color` to an entry of a map. Lists are entered without being
//! named; Xenon's `tags.item` does the same and is understood. A name may itself contain dots: all readings are tried.

use steward_model::{Builtin, Document};

use super::value::{Number, Scalar};

/// Most segments of a path: enough for any document, and few enough to try all readings of dotted names.
pub const SEGMENTS_MAX: usize = 10;

/// Most bytes of a path.
pub const PATH_BYTES_MAX: usize = 512;

/// The segment that stands for the items of a list.
pub(super) const ITEM: &str = "item";

/// Why a text names no field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is empty, or has two dots side by side or one at an end.
    #[error("field name {0:?} has an empty segment: write a name such as taskInfo.stage")]
    EmptySegment(String),
    /// The path has too many segments.
    #[error("field name {0:?} has more than {SEGMENTS_MAX} segments")]
    TooDeep(String),
    /// The path has too many bytes.
    #[error("field name has {0} bytes, {PATH_BYTES_MAX} are allowed")]
    TooLong(usize),
}

/// Names a field of documents: one that the host keeps, or a place in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    text: String,
    builtin: Option<Builtin>,
}

impl Path {
    /// Parses a dotted name.
    ///
    /// # Errors
    /// [`Error`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Path, Error> {
        if text.len() > PATH_BYTES_MAX {
            return Err(Error::TooLong(text.len()));
        }
        if text.split('.').any(str::is_empty) {
            return Err(Error::EmptySegment(text.to_owned()));
        }
        if text.split('.').count() > SEGMENTS_MAX {
            return Err(Error::TooDeep(text.to_owned()));
        }
        Ok(Path { text: text.to_owned(), builtin: Builtin::named(text) })
    }

    /// Returns the dotted name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the field of the host that the path names, if it names one.
    pub fn builtin(&self) -> Option<Builtin> {
        self.builtin
    }
}

impl From<Builtin> for Path {
    fn from(builtin: Builtin) -> Path {
        Path { text: builtin.name().to_owned(), builtin: Some(builtin) }
    }
}

/// Returns the value of a field of the host; none where clients see no such field.
pub(super) fn value_of<'a>(builtin: Builtin, document: &'a Document, owner: &'a str) -> Option<Scalar<'a>> {
    let number = |integer: i128| Some(Scalar::Number(Number::Integer(integer)));
    let unless_empty = |text: &'a str| (!text.is_empty()).then_some(Scalar::Text(text));
    match builtin {
        Builtin::SelfLink => Some(Scalar::Text(document.link.as_str())),
        Builtin::Kind => Some(Scalar::Text(&document.kind)),
        Builtin::Version => number(document.version.0.into()),
        Builtin::Epoch => number(document.epoch.as_u64().into()),
        Builtin::UpdateTime => number(document.updated.0.into()),
        Builtin::UpdateAction => Some(Scalar::Text(document.action.as_str())),
        Builtin::ExpirationTime => number(document.expires.0.into()),
        Builtin::Owner => Some(Scalar::Text(owner)),
        Builtin::SourceLink => unless_empty(&document.source),
        Builtin::AuthPrincipalLink => unless_empty(&document.principal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_names_are_refused_with_the_reason() {
        for text in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(Path::parse(text), Err(Error::EmptySegment(text.into())));
        }
        assert!(matches!(Path::parse("a.b.c.d.e.f.g.h.i.j.k"), Err(Error::TooDeep(_))));
        assert_eq!(Path::parse(&"x".repeat(513)), Err(Error::TooLong(513)));
    }

    #[test]
    fn every_field_of_the_host_is_found_by_its_name() {
        for builtin in Builtin::ALL {
            assert_eq!(Path::parse(builtin.name()).map(|path| path.builtin()), Ok(Some(builtin)));
        }
        assert_eq!(Path::parse("documentTransactionId").map(|path| path.builtin()), Ok(None));
    }
}
