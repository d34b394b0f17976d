//! Query parameters that nobody reads are refused: a client that misspells one would otherwise get an answer to another question.
//!
//! Where a guest answers, whatever the method, every parameter is its own, for it may read them all. Listings of factories read
//! theirs themselves, see `steward_query::odata`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use steward_model::service::Handler;
use steward_model::{Action, Link};

use super::Http;
use super::error::Error;
use crate::service::Found;

/// Parameters of a read of a document.
const OF_READS: [&str; 3] = [VERSION, "consistency", "atLeast"];

/// Asks for an older version.
const VERSION: &str = "documentVersion";

/// Would erase a document for good, and must not be taken for a plain DELETE.
const ERASE: &str = "erase";

/// Refuses parameters besides the `known` ones.
///
/// # Errors
/// [`Error::UnknownParameter`] with the one that may have been meant.
pub(super) fn only(query: &str, known: &[&'static str]) -> Result<(), Error> {
    for name in named(query) {
        if !known.iter().any(|known| *known == name) {
            return Err(Error::UnknownParameter { name: name.into_owned(), known: known.to_vec() });
        }
    }
    once(query, known)
}

/// Refuses parameters that are there twice, for one of them would be passed over.
///
/// # Errors
/// [`Error::Parameter`] with the first of the `known` ones of which that is so.
fn once(query: &str, known: &[&'static str]) -> Result<(), Error> {
    let twice = |name: &&&'static str| named(query).filter(|found| found == **name).nth(1).is_some();
    match known.iter().find(twice) {
        Some(name) => Err(Error::Parameter { name, reason: "is there twice: send it once".to_owned() }),
        None => Ok(()),
    }
}

fn named(query: &str) -> impl Iterator<Item = Cow<'_, str>> {
    query.split('&').map(decoded).filter(|name| !name.is_empty())
}

fn decoded(pair: &str) -> Cow<'_, str> {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    percent_decode_str(name).decode_utf8_lossy()
}

/// Refuses parameters of a request to a service that neither its guest nor the host reads.
///
/// # Errors
/// As [`only`]; [`Error::Parameter`] for one of GET that an update has.
pub(super) fn of_service(http: &Http, link: &Link, action: Action, query: &str) -> Result<(), Error> {
    if query.is_empty() {
        return Ok(());
    }
    match http.operations().services().find(link) {
        Some(Found::Child(_)) if action == Action::Delete && named(query).any(|name| name == ERASE) => {
            Err(Error::NotOffered { path: format!("{link}?{ERASE}"), what: "erasure of documents" })
        }
        Some(Found::Child(_) | Found::Factory(_))
            if action != Action::Get && named(query).any(|name| name == VERSION) =>
        {
            let reason =
                "is for GET: an update is of the newest state; name the one that it is based on in If-Match".to_owned();
            Err(Error::Parameter { name: VERSION, reason })
        }
        Some(Found::Child(service)) => match (service.descriptor().decides(action), action) {
            (Some(_), Action::Get) => once(query, &OF_READS),
            (None, Action::Get) => only(query, &OF_READS),
            (None, _) => only(query, &[]),
            (Some(_), _) => Ok(()),
        },
        Some(Found::Factory(service)) if action == Action::Post && !service.handles(Handler::HandleCreate) => {
            only(query, &[])
        }
        Some(Found::Factory(_) | Found::Stateless(_)) | None => Ok(()),
    }
}
