//! `GET` of a factory: its children, as OData options ask for them.

use http::StatusCode;
use steward_model::Link;

use super::Http;
use super::encode::{self, Answer};
use super::error::Error;

/// Returns the page of the children of `factory` that `query` asks for.
///
/// # Errors
/// [`Error::Query`] says what to change in the query, or why it has no answer.
pub(super) async fn answer(http: &Http, factory: &Link, query: &str) -> Result<Answer, Error> {
    Ok(encode::bytes(StatusCode::OK, http.parts.queries.listing(factory, query).await?))
}
