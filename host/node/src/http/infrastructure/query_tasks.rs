//! `/core/query-tasks`: queries over all documents.
//!
//! Departure from Xenon: a task that is not direct is run at once too, and answered as finished; nothing is stored. A
//! client that asks again until such a task is finished sees that it is when it asks first.

use std::sync::Arc;

use http::StatusCode;
use steward_query::page;

use super::shapes::list;
use crate::http::Http;
use crate::http::decode;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::http::methods::Methods;

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    List,
    Run,
}

/// QUERY (RFC 10008) says by itself that nothing changes.
pub(super) const METHODS: Methods<Act> =
    Methods(&[("GET", Act::List), ("HEAD", Act::List), ("POST", Act::Run), ("QUERY", Act::Run)]);

/// Runs a query task, or lists those that are kept, which are none.
///
/// # Errors
/// [`Error::Query`] says what to change in the task.
pub(super) async fn answer(http: &Arc<Http>, asked: HostRequest) -> Result<Answer, Error> {
    match asked.act(&METHODS)? {
        Act::List => Ok(encode::json(StatusCode::OK, &list(http, Vec::new(), None))),
        Act::Run => run(http, asked).await,
    }
}

async fn run(http: &Arc<Http>, mut asked: HostRequest) -> Result<Answer, Error> {
    let _under_way = http.under_way()?;
    let wait = asked.head.wait;
    let body = asked.json(http).await?;
    let body = if body.is_empty() { b"{}" } else { body.as_ref() };
    Ok(encode::bytes(StatusCode::OK, http.parts.queries.task(body, wait).await?))
}

/// Returns a page of a result.
///
/// # Errors
/// [`Error::Parameter`] without a token, [`Error::Query`] if the page is not to be had.
pub(super) async fn page(http: &Arc<Http>, asked: &HostRequest) -> Result<Answer, Error> {
    let _under_way = http.under_way()?;
    let token = decode::parameter(asked.query(), page::PARAMETER)?;
    let missing =
        || Error::Parameter { name: page::PARAMETER, reason: "is missing: follow nextPageLink as given".into() };
    let document = http.parts.queries.page(&token.ok_or_else(missing)?, asked.head.wait).await?;
    Ok(encode::bytes(StatusCode::OK, document))
}
