//! A query in the form in which it is run, whichever way it was written.

use bytes::Bytes;
use steward_model::render;
use steward_model::{Document, Link, Moment, Timestamp};

use super::condition::Condition;
use super::order::{Rank, SortTerm};

/// How many rows a page has that does not say otherwise.
pub const PAGE_ROWS: usize = 1000;

/// Most rows that one answer can have.
pub const ROWS_MAX: usize = 10_000;

/// Most rows that `$skip` can leave out; further on, pages are the way.
pub const SKIP_MAX: usize = 100_000;

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Only direct children of this factory; none: all documents.
    pub factory: Option<Link>,
    /// What must hold of a document.
    pub condition: Condition,
    /// What to sort by before the link.
    pub order: Vec<SortTerm>,
    /// Every kept version is a row of its own.
    pub all_versions: bool,
    /// Tombstones and expired documents are rows too.
    pub deleted: bool,
    /// What to return of each document.
    pub content: Content,
    /// How many rows to leave out at the beginning.
    pub skip: usize,
    /// How many rows to return at the most; 0 if only their number is wanted.
    pub limit: usize,
    /// Whether to count all rows, which reads all documents.
    pub total: bool,
    /// Whether to tell what the answer cost.
    pub explain: bool,
    /// Return only rows after this one.
    pub after: Option<Rank>,
}

impl Request {
    /// Returns the query for the newest states of all documents for which `condition` holds, one page of links.
    pub fn new(condition: Condition) -> Request {
        Request {
            factory: None,
            condition,
            order: Vec::new(),
            all_versions: false,
            deleted: false,
            content: Content::Links,
            skip: 0,
            limit: PAGE_ROWS,
            total: false,
            explain: false,
            after: None,
        }
    }

    /// Returns true if every row is the newest state of a document that lives.
    pub(super) fn is_of_newest(&self) -> bool {
        !self.all_versions && !self.deleted
    }

    /// Returns how many rows are needed, those that are left out included.
    pub(super) fn wanted(&self) -> usize {
        self.skip + self.limit
    }

    /// Returns true if rows come in the order in which documents are read, so that reading can stop early.
    pub(super) fn is_in_order_of_links(&self) -> bool {
        self.order.is_empty() && !self.all_versions
    }
}

/// What to return of a document besides its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Links,
    /// All of it.
    Full,
    /// The fields that the host keeps.
    Builtin,
    /// The fields with these names.
    Fields(Vec<String>),
}

impl Content {
    /// Returns what is wanted of the document; empty if nothing is.
    pub(super) fn render(&self, document: &Document, owner: &str) -> Bytes {
        match self {
            Content::Links => Bytes::new(),
            Content::Full => render::render(document, owner),
            Content::Builtin => render::render_builtin(document, owner),
            Content::Fields(names) => render::render_fields(document, owner, names),
        }
    }
}

/// How much a query may cost, and at which time of day it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Documents that have expired by then do not exist any more.
    pub now: Timestamp,
    /// When nobody waits any more.
    pub deadline: Moment,
    /// Most document versions to read.
    pub scanned_max: u64,
    /// Most bytes of documents to keep for one answer.
    pub held_bytes_max: usize,
    /// Most keys of indexes and document versions to read together before the query is given up as a long one, see
    /// [`run::Error::Long`](super::run::Error::Long).
    pub reads_max: u64,
}

/// Most document versions that a query reads, unless configured.
pub const SCANNED_MAX: u64 = 20_000_000;

/// Most bytes of documents that one answer keeps, unless configured.
pub const HELD_BYTES_MAX: usize = 64 * 1024 * 1024;
