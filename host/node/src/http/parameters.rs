//! Query parameters that nobody reads are refused: a client that misspells one would otherwise get an answer to another question.
//!
//! Where a guest answers, every parameter is its own, for it may read them all. Listings of factories read theirs themselves, see
//! `steward_query::odata`.

use percent_encoding::percent_decode_str;
use steward_model::service::Handler;
use steward_model::{Action, Link};

use super::Http;
use super::error::Error;
use crate::service::Found;

/// Parameters of a read of a document.
const OF_READS: [&str; 3] = ["documentVersion", "consistency", "atLeast"];

/// Would erase a document for good, and must not be taken for a plain DELETE.
const ERASE: &str = "erase";

/// Refuses parameters besides the `known` ones.
///
/// # Errors
/// [`Error::UnknownParameter`] with the one that may have been meant.
pub(super) fn only(query: &str, known: &[&'static str]) -> Result<(), Error> {
    let names = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    for name in names.filter(|name| !name.is_empty()) {
        let name = percent_decode_str(name).decode_utf8_lossy();
        if !known.iter().any(|known| *known == name) {
            return Err(Error::UnknownParameter { name: name.into_owned(), known: known.to_vec() });
        }
    }
    Ok(())
}

/// Refuses parameters of a request to a service that neither its guest nor the host reads.
///
/// # Errors
/// As [`only`].
pub(super) fn of_service(http: &Http, link: &Link, action: Action, query: &str) -> Result<(), Error> {
    if query.is_empty() {
        return Ok(());
    }
    let handler = Handler::of(action);
    match http.operations().services().find(link) {
        Some(Found::Child(_)) if action == Action::Delete && names(query, ERASE) => {
            Err(Error::NotOffered { path: format!("{link}?{ERASE}"), what: "erasure of documents" })
        }
        Some(Found::Child(service)) if !service.handles(handler) => {
            only(query, if action == Action::Get { &OF_READS } else { &[] })
        }
        Some(Found::Factory(service)) if action == Action::Post && !service.handles(Handler::HandleCreate) => {
            only(query, &[])
        }
        Some(Found::Child(_) | Found::Factory(_) | Found::Stateless(_)) | None => Ok(()),
    }
}

fn names(query: &str, wanted: &str) -> bool {
    query.split('&').any(|pair| pair.split_once('=').map_or(pair, |(name, _)| name) == wanted)
}
