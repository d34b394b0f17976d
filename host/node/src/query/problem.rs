//! Queries that have no answer, as problems.

use serde_json::Value;
use steward_model::problem::{Kind, Problem};
use steward_model::strict;
use steward_query::{filter, odata, page, run, shape, spec, task};

use super::Refusal;
use super::migration::SourceError;

impl Refusal {
    /// Returns the refusal as everybody speaks of it, with the place in the query that is wrong if there is one.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Refusal::Listing(error) => of_listing(error),
            Refusal::Task(error) => of_task(error),
            Refusal::Page(error) => of_page(error),
            Refusal::Shape(error) => of_shape(error),
            Refusal::Run(run::Error::Source(SourceError::Storage(_))) => {
                Problem::never(Kind::Internal, "storage", self)
            }
            // The same as a read of the document.
            Refusal::Run(run::Error::Source(SourceError::Unreadable { link, unreadable })) => {
                Problem { detail: self.to_string(), ..unreadable.problem() }.with("link", link.as_str())
            }
            Refusal::Run(run::Error::Deadline { .. }) => Problem::later(Kind::Unavailable, "deadline", 1, self),
            Refusal::Run(run::Error::Scanned { .. } | run::Error::Held { .. }) => {
                Problem::never(Kind::Unprocessable, "query-too-large", self)
            }
            Refusal::OutOfReach { .. } => Problem::later(Kind::Unavailable, "not-available", 1, self),
            Refusal::Remote(problem) => (**problem).clone(),
            // The node asks for what is not quick in another way; if it does not, that is a fault of ours.
            Refusal::Run(run::Error::Long { .. }) => Problem::never(Kind::Internal, "internal", self),
            Refusal::Behind(_) | Refusal::NotServed(_) | Refusal::Late { .. } => {
                Problem::later(Kind::Unavailable, "not-available", 1, self)
            }
            Refusal::Crowded(_) => Problem::later(Kind::Unavailable, "busy", 1, self),
            Refusal::Broken => Problem::never(Kind::Internal, "internal", self),
        }
    }
}

fn of_page(error: &page::Error) -> Problem {
    match error {
        page::Error::Expired => Problem::never(Kind::Gone, "page-expired", error),
        page::Error::Damaged | page::Error::OtherQuery | page::Error::TooLong(_) => {
            Problem::never(Kind::Invalid, "query", error)
        }
    }
}

fn of_shape(error: &shape::Error) -> Problem {
    let problem = Problem::never(Kind::Invalid, "query", error);
    match error {
        shape::Error::Unknown { name, nearest: Some(nearest) } => {
            problem.with("field", name.as_str()).hint(format!("did you mean {nearest}?"))
        }
        shape::Error::Unknown { name, nearest: None } => {
            problem.with("field", name.as_str()).hint("GET …/template shows the fields")
        }
        shape::Error::Type { name, .. } | shape::Error::Whole { name, .. } => problem.with("field", name.as_str()),
    }
}

fn of_listing(error: &odata::Error) -> Problem {
    match error {
        odata::Error::Page(page) => of_page(page),
        odata::Error::Filter(filter::Error::Syntax { position, .. }) => {
            Problem::never(Kind::Invalid, "query", error).with("position", Value::from(*position))
        }
        odata::Error::Encoding(_)
        | odata::Error::Unsupported(_)
        | odata::Error::Unknown { .. }
        | odata::Error::Dollar(_)
        | odata::Error::Repeated(_)
        | odata::Error::Value { .. }
        | odata::Error::TopAndLimit
        | odata::Error::Filter(_) => Problem::never(Kind::Invalid, "query", error),
    }
}

fn of_task(error: &task::Error) -> Problem {
    match error {
        task::Error::Page(page) => of_page(page),
        task::Error::Shape(strict::Fault { pointer, reason })
        | task::Error::Specification(spec::Error { pointer, reason }) => {
            Problem::never(Kind::Invalid, "query", error).at(pointer, reason)
        }
    }
}
