//! What a query comes to: rows with their ranks, on one node and on all of them, or why there are none.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use steward_model::codec::{Format, bytes_run};

use super::order::Rank;

/// Why a query has no answer. All but the first are for the client to mend.
#[derive(Debug, thiserror::Error)]
pub enum Error<E: std::error::Error + 'static> {
    /// The source failed.
    #[error("documents cannot be read for the query: {0}")]
    Source(#[source] E),
    /// The time was over.
    #[error(
        "query is not done at its deadline after {scanned} documents: narrow it by an indexed field, or take pages"
    )]
    Deadline {
        /// How many document versions had been read.
        scanned: u64,
    },
    /// Too many documents would have to be read.
    #[error("query reads more than {max} documents: narrow it by an indexed field")]
    Scanned {
        /// How many may be read.
        max: u64,
    },
    /// The query is not as quick as it was to be: nothing is wrong with it, it may be run again where it holds up nobody.
    #[error("query reads more than {max} keys and documents")]
    Long {
        /// How many may be read.
        max: u64,
    },
    /// The documents of one answer are too large together.
    #[error("documents of one answer have more than {max} bytes: take smaller pages, or fewer fields")]
    Held {
        /// How many bytes there may be.
        max: usize,
    },
}

/// One row of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Where it stands; names the document and its version.
    pub rank: Rank,
    /// What was asked for of the document, as JSON; empty if only links were.
    #[serde(with = "bytes_run")]
    pub content: Bytes,
}

/// What one source has to say to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The first rows, in order; as many as the request leaves out and wants, or all there are.
    pub rows: Vec<Row>,
    /// There are rows after these.
    pub more: bool,
    /// How many rows there are in all, if that was asked for.
    pub total: Option<u64>,
    /// How many document versions were read.
    pub scanned: u64,
    /// How many keys of indexes were read.
    pub keys: u64,
    /// Which way was gone to the documents.
    pub way: Way,
}

impl Format for Part {
    // The second has the number of keys and the way.
    const VERSION: u8 = 2;
    const READABLE_FROM: u8 = 2;
    const NAME: &'static str = "part of an answer";
}

/// Which way was gone to the documents of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Way {
    /// None: no document can match.
    #[default]
    None,
    /// A count that is kept, or the keys of one index.
    Count,
    /// One index in its order.
    Order,
    /// What indexes name.
    Index,
    /// The list of a factory.
    List,
    /// All documents.
    Documents,
}

impl Way {
    /// Returns how clients are told of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Way::None => "NONE",
            Way::Count => "COUNT",
            Way::Order => "ORDER",
            Way::Index => "INDEX",
            Way::List => "LIST",
            Way::Documents => "DOCUMENTS",
        }
    }
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// Where the next page begins, if there are rows after these.
    pub next: Option<Rank>,
    /// How many rows there are in all, if that was asked for.
    pub total: Option<u64>,
    /// How many document versions were read.
    pub scanned: u64,
    /// How many keys of indexes were read.
    pub keys: u64,
    /// Which way was gone to the documents.
    pub way: Way,
}
