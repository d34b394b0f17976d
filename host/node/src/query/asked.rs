//! A query as somebody asked it, in the form in which it travels between nodes, and what a node answers.
//!
//! What travels is the text of the client, not the plan: every node reads the same language and plans over its own documents.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use steward_model::codec::{Format, bytes_run};
use steward_model::problem::Problem;
use steward_model::{Link, PartitionId, Timestamp};
use steward_query::request::Request;
use steward_query::run::Part;
use steward_query::{odata, task};

use super::refusal::Refusal;

/// A query as somebody asked it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Query {
    /// For the children of a factory, by the query part of the URI.
    Listing { factory: Link, query: String },
    /// By a query task.
    Task(#[serde(with = "bytes_run")] Bytes),
    /// For another page of a query task.
    Page(String),
}

impl Query {
    /// Returns what is asked for, where it is `now`.
    ///
    /// # Errors
    /// [`Refusal`] says what to change.
    pub(super) fn request(&self, now: Timestamp) -> Result<Request, Refusal> {
        Ok(match self {
            Query::Listing { factory, query } => odata::Listing::parse(factory.clone(), query)?.request().clone(),
            Query::Task(body) => task::Task::parse(body)?.request().clone(),
            Query::Page(token) => task::Task::page(token, now)?.request().clone(),
        })
    }
}

/// A question to another node.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Share {
    pub(super) asked: Query,
    /// The time of day, the same for all nodes that take part.
    pub(super) now: Timestamp,
    /// The partitions that the node is asked about.
    pub(super) partitions: Vec<PartitionId>,
    /// How long somebody waits.
    pub(super) within: Duration,
}

impl Format for Share {
    const NAME: &'static str = "share of a query";
}

/// What the other node says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// What it has found.
    Part(Part),
    /// It does not answer for this partition now.
    NotServed(PartitionId),
    /// The query has no answer.
    Failed(Problem),
}

impl Format for Said {
    const NAME: &'static str = "what a node says to a query";
}
