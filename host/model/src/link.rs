//! Self-links: the paths that name documents, factories and services.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest self-link, in bytes; links are ASCII, so characters count the same.
pub const LINK_BYTES_MAX: usize = 1024;

/// Characters of a path segment besides letters and digits; Xenon's list without those that end a path in a URI.
const SEGMENT_PUNCTUATION: &str = "-_.~@!$&'()*+,;=:";

/// Last segments that every service answers itself; no child may have such a name.
pub const UTILITY_SUFFIXES: [&str; 9] =
    ["stats", "config", "subscriptions", "available", "template", "history", "effects", "synchronization", "ui"];

/// A self-link: an absolute path without empty segments, query or trailing slash; `/` alone is the root.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(Arc<str>);

/// Why a text is no self-link.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text does not begin with a slash.
    #[error("self-link {0:?} does not begin with '/'")]
    NotAbsolute(String),
    /// The text is longer than [`LINK_BYTES_MAX`].
    #[error("self-link has {0} bytes, {LINK_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// Two slashes stand side by side, or one stands at the end.
    #[error("self-link {0:?} has an empty segment")]
    EmptySegment(String),
    /// A segment is `.` or `..`.
    #[error("self-link {0:?} has a segment '.' or '..'")]
    Relative(String),
    /// A character is not allowed in a path.
    #[error("self-link {link:?} contains {character:?}: only letters, digits and {SEGMENT_PUNCTUATION} are allowed")]
    Character {
        /// The text in which the character stands.
        link: String,
        /// The first character that is not allowed.
        character: char,
    },
}

impl Link {
    /// Parses a self-link.
    ///
    /// # Errors
    /// [`Error`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Link, Error> {
        if !text.starts_with('/') {
            return Err(Error::NotAbsolute(text.to_owned()));
        }
        if text.len() > LINK_BYTES_MAX {
            return Err(Error::TooLong(text.len()));
        }
        if text == "/" {
            return Ok(Link(Arc::from(text)));
        }
        for segment in text[1..].split('/') {
            match segment {
                "" => return Err(Error::EmptySegment(text.to_owned())),
                "." | ".." => return Err(Error::Relative(text.to_owned())),
                _ => {}
            }
            let allowed = |c: char| c.is_ascii_alphanumeric() || SEGMENT_PUNCTUATION.contains(c);
            if let Some(character) = segment.chars().find(|c| !allowed(*c)) {
                return Err(Error::Character { link: text.to_owned(), character });
            }
        }
        Ok(Link(Arc::from(text)))
    }

    /// Returns the self-link as it was parsed: clients, keys and hashes all use this text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last segment; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// Returns the link without its last segment; none for the root.
    pub fn parent(&self) -> Option<Link> {
        self.above().next().map(|parent| Link(Arc::from(parent)))
    }

    /// Returns the links above this one as texts, the nearest first; the root is the last of them, and has none.
    pub fn above(&self) -> impl Iterator<Item = &str> + Clone {
        fn parent<'a>(link: &&'a str) -> Option<&'a str> {
            match link.rfind('/') {
                Some(0) if link.len() > 1 => Some("/"),
                Some(0) | None => None,
                Some(slash) => Some(&link[..slash]),
            }
        }
        std::iter::successors(parent(&self.as_str()), parent)
    }

    /// Returns the link of the child called `name`, one segment below this one.
    ///
    /// # Errors
    /// [`Error`] if `name` is no single path segment or the result is too long.
    pub fn child(&self, name: &str) -> Result<Link, Error> {
        if name.contains('/') {
            return Err(Error::Character { link: name.to_owned(), character: '/' });
        }
        let parent = if self.is_root() { "" } else { self.as_str() };
        Link::parse(&format!("{parent}/{name}"))
    }

    /// Returns true for `/`, the only link without a parent.
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// Returns true if `self` is `ancestor` or lies below it.
    pub fn is_within(&self, ancestor: &Link) -> bool {
        if ancestor.is_root() {
            return true;
        }
        match self.0.strip_prefix(ancestor.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }
}

impl std::borrow::Borrow<str> for Link {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({})", self.0)
    }
}

impl Serialize for Link {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Link, D::Error> {
        let text = String::deserialize(deserializer)?;
        Link::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Link {
        Link::parse(text).expect("a valid link")
    }

    #[test]
    fn parents_and_children_are_inverse() {
        let factory = link("/core/examples");
        let child = factory.child("one").expect("a valid name");
        assert_eq!(child.as_str(), "/core/examples/one");
        assert_eq!(child.parent(), Some(factory.clone()));
        assert_eq!(child.name(), "one");
        assert!(child.is_within(&factory));
        assert!(!link("/core/examples2/a").is_within(&factory));
        assert_eq!(child.above().collect::<Vec<_>>(), ["/core/examples", "/core", "/"]);
        assert_eq!(link("/").above().next(), None);
    }

    #[test]
    fn bad_links_are_refused_with_the_reason() {
        assert_eq!(Link::parse("core"), Err(Error::NotAbsolute("core".into())));
        assert_eq!(Link::parse("/a//b"), Err(Error::EmptySegment("/a//b".into())));
        assert_eq!(Link::parse("/a/"), Err(Error::EmptySegment("/a/".into())));
        assert_eq!(Link::parse("/a/../b"), Err(Error::Relative("/a/../b".into())));
        assert!(matches!(Link::parse("/a b"), Err(Error::Character { character: ' ', .. })));
        assert!(matches!(Link::parse(&format!("/{}", "x".repeat(1024))), Err(Error::TooLong(1025))));
        assert!(link("/a").child("b/c").is_err());
    }
}
