//! From replies to responses.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use steward_model::Document;
use steward_model::operation::Header;
use steward_model::render;

use super::{Http, headers};
use crate::operation::{Content, Copied, Reply, Status, tag_of, write_entity_tag};

/// A response of this host: its body is in memory as a whole.
pub(super) type Answer = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Headers that an answer usually has, those that the connection adds included.
const HEADERS_USUAL: usize = 10;

/// Headers that a guest cannot set: those of the connection, and those by which clients know the host.
const NOT_FOR_GUESTS: [&str; 22] = [
    "alt-svc",
    "cache-control",
    "clear-site-data",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "idempotency-replayed",
    "keep-alive",
    "location",
    "preference-applied",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// What pages of other origins may do here is for the operator to say, and which host answers for the node itself.
const NOT_FOR_GUESTS_BELOW: [&str; 2] = ["access-control-", "x-steward-"];

/// Returns the response for a reply. `minimal`: the client knows the state and does not want it back.
pub(super) fn reply(http: &Http, reply: Reply, minimal: bool) -> Answer {
    let document = reply.document.as_deref();
    let left_out = minimal && reply.content == Content::State;
    let owner = reply.answered_by(http.owner_name());
    let body = match (&reply.content, document) {
        (Content::State, Some(document)) if !left_out => render::render(document, owner),
        (Content::Json(json), _) => json.clone(),
        (Content::State | Content::Empty, _) => Bytes::new(),
    };
    let status = match reply.status {
        Status::Ok if left_out => StatusCode::NO_CONTENT,
        Status::Ok => StatusCode::OK,
        Status::Created => StatusCode::CREATED,
        Status::Accepted => StatusCode::ACCEPTED,
        Status::NotModified => StatusCode::NOT_MODIFIED,
        // The sandbox lets only statuses through that HTTP has.
        Status::Chosen(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
    };
    let mut headers = HeaderMap::with_capacity(HEADERS_USUAL);
    if !body.is_empty() {
        headers.insert(CONTENT_TYPE, JSON);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(document) = document {
        describe(&mut headers, document, status);
    }
    if let Some(Ok(owner)) = reply.owner.as_deref().map(HeaderValue::from_str) {
        headers.insert(&headers::OWNER, owner);
    }
    if let Some(copied) = &reply.copy {
        say_copy(&mut headers, copied);
    }
    if reply.replayed {
        headers.insert(&headers::REPLAYED, HeaderValue::from_static("true"));
    }
    if left_out {
        headers.insert(&headers::PREFERENCE_APPLIED, HeaderValue::from_static("return=minimal"));
    }
    add_guests(&mut headers, &reply.headers);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn describe(headers: &mut HeaderMap, document: &Document, status: StatusCode) {
    let epoch = document.epoch.as_u64();
    let mut tag = Vec::with_capacity(24);
    tag.push(b'"');
    write_entity_tag(&mut tag, document);
    tag.push(b'"');
    headers.insert(ETAG, visible(tag));
    headers.insert(&headers::EPOCH, HeaderValue::from(epoch));
    if status == StatusCode::CREATED || status == StatusCode::ACCEPTED {
        headers.insert(LOCATION, visible(document.link.as_str().as_bytes().to_vec()));
    }
}

fn say_copy(headers: &mut HeaderMap, copied: &Copied) {
    headers.insert(&headers::POSITION, visible(tag_of(copied.position).into_bytes()));
    headers.insert(&headers::COPY, visible(copied.node.clone().into_bytes()));
}

/// Returns a header value made of digits, quotes or a self-link: nothing that a header cannot have.
fn visible(text: Vec<u8>) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn add_guests(headers: &mut HeaderMap, chosen: &[Header]) {
    for header in chosen {
        let name = header.name.as_str();
        let reserved = name == headers::REQUEST_ID.as_str()
            || NOT_FOR_GUESTS_BELOW.iter().any(|below| name.starts_with(below))
            || NOT_FOR_GUESTS.contains(&name);
        let value = HeaderValue::from_str(&header.value);
        if let (false, Ok(name), Ok(value)) = (reserved, HeaderName::try_from(name), value) {
            headers.append(name, value);
        }
    }
}

/// Returns a response with a JSON document that the host made.
pub(super) fn json(status: StatusCode, document: &Value) -> Answer {
    bytes(status, Bytes::from(document.to_string()))
}

/// Returns a response with a JSON text that the host made.
pub(super) fn bytes(status: StatusCode, json: Bytes) -> Answer {
    let mut response = Response::new(Full::new(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Returns a response without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_cannot_set_headers_of_the_host() {
        let chosen = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
        let mut headers = HeaderMap::new();
        let all = [
            chosen("x-mood", "good"),
            chosen("content-length", "7"),
            chosen("te", "trailers"),
            chosen("access-control-allow-origin", "*"),
            chosen("x-steward-owner", "me"),
            chosen("bad name", "x"),
            chosen("x-split", "a\r\nb: c"),
        ];
        add_guests(&mut headers, &all);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-mood"]);
    }
}
