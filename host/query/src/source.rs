//! Where queries find their documents.

use steward_model::{Document, Link, Timestamp};

use super::path::Path;
use super::value::{Value, ValueRange};

/// An iterator over what a source yields.
pub type Stream<'a, T, E> = Box<dyn Iterator<Item = Result<T, E>> + 'a>;

/// What an index knows about a document that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// The document lives and will not expire, and has this value in the field and no other: it need not be read.
    Whole,
    /// The document may have, or have had, the value in the field: it must be read.
    Value,
    /// As [`Certainty::Value`], and the value is only the beginning of a longer one: the order is not known either.
    Beginning,
}

/// A document that an index names.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The document.
    pub link: Link,
    /// Where it stands in the index.
    pub value: Value,
    /// How much of that is certain.
    pub certainty: Certainty,
}

/// Documents in the order of a field.
pub struct Ranked<'a, E> {
    /// Those that have the field, in order; ties by link.
    pub candidates: Stream<'a, Candidate, E>,
    /// All documents have the field.
    pub is_whole: bool,
    /// No document has several values in it.
    pub is_single: bool,
}

/// A document in the listing of a factory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The document, which is none that was deleted.
    pub link: Link,
    /// When it expires; 0: never.
    pub expires: Timestamp,
}

impl Listed {
    /// Returns true if the document has expired by `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.has_expired(now)
    }
}

/// Committed documents, as a query reads them: one unchanging view for as long as it lives.
pub trait Source {
    /// Why the source cannot answer.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Returns the newest state of each document whose link lies below `below` (at any depth; none: of all documents)
    /// and sorts after `after`, ordered by link, byte by byte. Tombstones are among them only if `deleted` is true.
    fn documents<'a>(
        &'a self,
        below: Option<&Link>,
        after: Option<&Link>,
        deleted: bool,
    ) -> Stream<'a, Document, Self::Error>;

    /// Returns the kept versions of a document, newest first, tombstones included.
    ///
    /// # Errors
    /// Those of the source.
    fn versions(&self, link: &Link) -> Result<Vec<Document>, Self::Error>;

    /// Returns the newest state of a document, be it a tombstone; none if there never was one.
    ///
    /// # Errors
    /// Those of the source.
    fn document(&self, link: &Link) -> Result<Option<Document>, Self::Error>;

    /// Returns the documents whose newest state has a value within `range` at `path`, in any order, perhaps repeatedly.
    ///
    /// None if the field is not indexed for every document that might match: the query then reads them all. An index
    /// may name documents that do not match, never leave out one that does, tombstones excepted.
    ///
    /// # Errors
    /// Those of the source.
    fn indexed<'a>(
        &'a self,
        path: &Path,
        range: &ValueRange,
    ) -> Result<Option<Stream<'a, Candidate, Self::Error>>, Self::Error>;

    /// Returns the documents with a value at `path`, or with one within `range`, by that value, the largest first if
    /// `descending`, and then by link; behind the document `after` with this value. A document with several values
    /// comes once for each.
    ///
    /// None if the source has no such order, or would leave a document out.
    ///
    /// # Errors
    /// Those of the source.
    fn ranked<'a>(
        &'a self,
        path: &Path,
        range: Option<&ValueRange>,
        descending: bool,
        after: Option<(&Value, &Link)>,
    ) -> Result<Option<Ranked<'a, Self::Error>>, Self::Error>;

    /// Returns the documents of the factory that the query names, behind `after`, by link. None if the source has no such
    /// list.
    ///
    /// # Errors
    /// Those of the source.
    fn listed<'a>(&'a self, after: Option<&Link>) -> Result<Option<Stream<'a, Listed, Self::Error>>, Self::Error>;

    /// Returns how many documents the factory that the query names has. None if the source keeps no count, or one of them may
    /// have expired.
    ///
    /// # Errors
    /// Those of the source.
    fn counted(&self) -> Result<Option<u64>, Self::Error>;

    /// Returns the host id of the node that owns the document, its `documentOwner`.
    fn owner(&self, link: &Link) -> &str;
}
