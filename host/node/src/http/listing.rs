//! `GET` of a factory: its children, as OData options ask for them.

use std::borrow::Cow;

use http::StatusCode;
use steward_model::Link;

use super::decode::is_set;
use super::encode::{self, Answer};
use super::error::Error;
use super::parameters::once;
use super::{Http, parameters};

/// The two names under which the documents are asked for.
const EXPAND: [&str; 2] = ["expand", "$expand"];

/// Returns the page of the children of `factory` that `query` asks for.
///
/// # Errors
/// [`Error::Parameter`] for an `expand` that says neither yes nor no, or is there twice; [`Error::Query`] says what to change in the query, or why it has no answer.
pub(super) async fn answer(http: &Http, factory: &Link, query: &str) -> Result<Answer, Error> {
    once(query, &EXPAND)?;
    let mut query = Cow::Borrowed(query);
    for name in EXPAND {
        // To a query, the name alone says yes.
        if !query.is_empty() && !is_set(&query, name)? {
            query = Cow::Owned(parameters::without(&query, name));
        }
    }
    let document = http.parts.queries.listing(factory, &query).await?;
    Ok(encode::bytes(StatusCode::OK, document))
}
