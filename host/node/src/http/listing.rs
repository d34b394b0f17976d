//! `GET` of a factory: its children, as OData options ask for them.

use std::time::Duration;

use http::StatusCode;
use steward_model::Link;

use super::Http;
use super::encode::{self, Answer};
use super::error::Error;

/// Returns the page of the children of `factory` that `query` asks for; `wait` is how long the client waits, if it says so.
///
/// # Errors
/// [`Error::Query`] says what to change in the query, or why it has no answer.
pub(super) async fn answer(http: &Http, factory: &Link, query: &str, wait: Option<Duration>) -> Result<Answer, Error> {
    Ok(encode::bytes(StatusCode::OK, http.parts.queries.listing(factory, query, wait).await?))
}
