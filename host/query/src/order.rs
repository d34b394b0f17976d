//! The order of results, and where a row stands in it.
//!
//! Rows are ordered by the sort terms, then by link, then newest version first, so that no two rows ever tie: a
//! [`Rank`] is also a place from which to go on. A document without the field sorts before all that have it.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use steward_model::Builtin;
use steward_model::{Document, Link, Version};

use super::evaluate::View;
use super::path::Path;
use super::value::Value;

/// One field to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortTerm {
    /// The field.
    pub path: Path,
    /// True: the largest first; false: the smallest.
    pub descending: bool,
}

/// Returns the terms without those that cannot matter: once links are in order, nothing is left to order.
pub(super) fn shorten(mut terms: Vec<SortTerm>) -> Vec<SortTerm> {
    let is_link = |term: &SortTerm| term.path.builtin() == Some(Builtin::SelfLink) && !term.descending;
    if let Some(place) = terms.iter().position(is_link) {
        terms.truncate(place);
    }
    terms
}

/// The value of one sort term, such that smaller means earlier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    Ascending(Option<Value>),
    Descending(Reverse<Option<Value>>),
}

/// Where a row stands among all rows of a query.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rank {
    keys: Vec<Key>,
    link: Link,
    version: Reverse<Version>,
}

impl Rank {
    /// Returns the place of a document under these sort terms.
    pub(super) fn of(document: &Document, view: &View<'_>, terms: &[SortTerm]) -> Rank {
        let keys = terms.iter().map(|term| {
            let value = view.sort_key(&term.path);
            if term.descending { Key::Descending(Reverse(value)) } else { Key::Ascending(value) }
        });
        Rank { keys: keys.collect(), link: document.link.clone(), version: Reverse(document.version) }
    }

    /// Returns the place of a document, given all that is sorted by; none: only the link is.
    ///
    /// Such a place stands behind those of all versions of the document, so that none of them comes again after it.
    pub(super) fn of_index(link: Link, value: Option<(Value, bool)>) -> Rank {
        let key = value.map(|(value, descending)| match descending {
            true => Key::Descending(Reverse(Some(value))),
            false => Key::Ascending(Some(value)),
        });
        Rank { keys: key.into_iter().collect(), link, version: Reverse(Version(0)) }
    }

    /// Returns the value of the first sort term; none: the document has no such field, or nothing is sorted by.
    pub(super) fn first_value(&self) -> Option<&Value> {
        match self.keys.first()? {
            Key::Ascending(value) | Key::Descending(Reverse(value)) => value.as_ref(),
        }
    }

    /// Returns the document's link.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Returns the document's version.
    pub fn version(&self) -> Version {
        self.version.0
    }

    /// Returns true if the place was taken under as many sort terms, in the same directions.
    pub(super) fn fits(&self, terms: &[SortTerm]) -> bool {
        let same = |(key, term): (&Key, &SortTerm)| matches!(key, Key::Descending(_)) == term.descending;
        self.keys.len() == terms.len() && self.keys.iter().zip(terms).all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::document;
    use super::*;

    fn rank(link: &str, body: &str, terms: &[SortTerm]) -> Rank {
        let document = document(link, body);
        Rank::of(&document, &View::new(&document, "h"), terms)
    }

    fn term(path: &str, descending: bool) -> SortTerm {
        SortTerm { path: Path::parse(path).expect("a path"), descending }
    }

    #[test]
    fn rows_sort_by_value_and_then_by_link() {
        let terms = [term("n", false)];
        let bodies =
            [("/a", "{}"), ("/b", r#"{"n":2}"#), ("/c", r#"{"n":10}"#), ("/a", r#"{"n":"1"}"#), ("/b", r#"{"n":"1"}"#)];
        let ranks: Vec<Rank> = bodies.iter().map(|(link, body)| rank(link, body, &terms)).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
    }

    #[test]
    fn descending_turns_the_values_round_but_not_the_links() {
        let terms = [term("n", true)];
        let bodies = [("/a", r#"{"n":10}"#), ("/b", r#"{"n":10}"#), ("/a", r#"{"n":2}"#), ("/a", "{}")];
        let ranks: Vec<Rank> = bodies.iter().map(|(link, body)| rank(link, body, &terms)).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
    }

    #[test]
    fn newer_versions_come_first_where_all_else_is_equal() {
        let newer = Document { version: Version(2), ..document("/a", "{}") };
        assert!(Rank::of(&newer, &View::new(&newer, "h"), &[]) < rank("/a", "{}", &[]));
    }

    #[test]
    fn a_place_belongs_to_its_terms() {
        let place = rank("/a", "{}", &[term("n", true)]);
        assert!(place.fits(&[term("m", true)]));
        assert!(!place.fits(&[term("n", false)]));
        assert!(!place.fits(&[]));
    }
}
