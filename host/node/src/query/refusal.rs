//! Why a query has no answer.

use steward_model::problem::Problem;
use steward_model::{NodeId, PartitionId};
use steward_query::{odata, page, run, shape, task};

use super::migration::SourceError;
use super::places::Crowded;
use crate::partition::Behind;
use crate::peer;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The listing of a factory is asked for in a wrong way.
    #[error("{0}")]
    Listing(#[from] odata::Error),
    /// The query task is wrong.
    #[error("{0}")]
    Task(#[from] task::Error),
    /// The query is about fields that no document has.
    #[error("{0}")]
    Shape(#[from] shape::Error),
    /// The next page cannot be named.
    #[error("{0}")]
    Page(#[from] page::Error),
    /// The query failed or is too large.
    #[error("{0}")]
    Run(#[from] run::Error<SourceError>),
    /// Another node that has documents of the query cannot be asked.
    #[error("node {node}, which has documents of the query, cannot be asked: {reason}")]
    OutOfReach { node: NodeId, reason: peer::Error },
    /// Another node that has documents of the query has said no.
    #[error("{}", .0.detail)]
    Remote(Box<Problem>),
    /// The documents are not up to date.
    #[error("{0}")]
    Behind(#[from] Behind),
    /// Nobody answers for some of the documents now.
    #[error(
        "nobody can answer for partition {0} now, so the answer would not be complete: its primary is gone, or too few of its members are there"
    )]
    NotServed(PartitionId),
    /// Nobody waits any more.
    #[error("waited {seconds} s: queries before this one are not done, or its documents cannot be shown yet")]
    Late {
        /// How long was waited.
        seconds: u64,
    },
    /// Too many queries wait.
    #[error("{0}")]
    Crowded(#[from] Crowded),
    /// A bug of ours: the thread that ran the query ended without an answer.
    #[error("the query ended unexpectedly; this is a fault of the host")]
    Broken,
}
