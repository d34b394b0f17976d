//! Where queries find their documents.

use steward_model::{Document, Link};

use super::path::Path;
use super::value::ValueRange;

/// An iterator over what a source yields.
pub type Stream<'a, T, E> = Box<dyn Iterator<Item = Result<T, E>> + 'a>;

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

    /// Returns the links of the documents whose newest state has a value within `range` at `path`, in any order,
    /// perhaps repeatedly.
    ///
    /// None if the field is not indexed for every document that might match: the query then reads them all. An index
    /// may give links of documents that do not match, never leave out one that does, tombstones excepted.
    fn indexed<'a>(&'a self, path: &Path, range: &ValueRange) -> Option<Stream<'a, Link, Self::Error>>;

    /// Returns the host id of the node that owns the document, its `documentOwner`.
    fn owner(&self, link: &Link) -> &str;
}
