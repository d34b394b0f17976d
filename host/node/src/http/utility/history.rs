//! `/history`: the kept versions of a document, newest first.

use bytes::Bytes;
use http::StatusCode;
use steward_model::Link;
use steward_model::render::{render_into, write_integer, write_text};

use crate::http::Http;
use crate::http::decode;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::operation;
use crate::service::Found;

/// Query parameters that are read.
pub(super) const PARAMETERS: [&str; 3] = ["from", "to", "limit"];

/// How many versions an answer has that does not say otherwise.
const LIMIT: u64 = 100;

/// Most versions that one answer can have.
const LIMIT_MAX: u64 = 1000;

/// Shows the versions from `from` to `to` (both included), at most `limit` of them; further back with `to`.
///
/// # Errors
/// [`Error::Operation`] if what is at `link` is no document or never was one, [`Error::Parameter`] for a bad bound.
pub(super) async fn answer(http: &Http, link: &Link, found: &Found, query: &str) -> Result<Answer, Error> {
    let (from, to) = (decode::number(query, "from")?.unwrap_or(0), decode::number(query, "to")?.unwrap_or(u64::MAX));
    let limit = decode::number_within(query, "limit", 1..=LIMIT_MAX, LIMIT)?;
    let not_kept = |is| Error::NotKept { link: link.clone(), is, what: "history" };
    let service = match found {
        Found::Child(service) => service,
        Found::Factory(_) => return Err(not_kept("a factory")),
        Found::Stateless(_) => return Err(not_kept("a service without documents")),
    };
    let partition = http.operations().partitions().of(link, service.lane());
    // Versions are read from the state store of this node, which may lag behind what was acknowledged, here or elsewhere.
    http.operations().fence(link, partition).await?;
    let versions = partition.store().versions(link, usize::MAX)?;
    let now = http.operations().clock().wall_time();
    match versions.first() {
        None => return Err(operation::Error::NotFound { link: link.clone() }.into()),
        Some(newest) if newest.has_expired(now) => return Err(operation::Error::Expired { link: link.clone() }.into()),
        Some(_) => {}
    }
    let wanted = versions.iter().filter(|document| (from..=to).contains(&document.version.0));
    let mut shown = 0_u64;
    let mut out = b"{\"versions\":[".to_vec();
    for document in wanted.take(usize::try_from(limit).unwrap_or(usize::MAX)) {
        if shown > 0 {
            out.push(b',');
        }
        render_into(&mut out, document, http.owner_name());
        if out.pop_if(|last| *last == b'}').is_some() {
            out.extend_from_slice(b",\"documentUpdateCause\":");
            write_text(&mut out, document.cause.as_str());
            out.push(b'}');
        }
        shown += 1;
    }
    out.extend_from_slice(b"],\"documentCount\":");
    write_integer(&mut out, shown);
    out.extend_from_slice(b",\"keptCount\":");
    write_integer(&mut out, versions.len() as u64);
    out.extend_from_slice(b",\"documentSelfLink\":");
    write_text(&mut out, &format!("{link}/history"));
    out.extend_from_slice(b",\"documentOwner\":");
    write_text(&mut out, http.owner_name());
    out.push(b'}');
    Ok(encode::bytes(StatusCode::OK, Bytes::from(out)))
}
