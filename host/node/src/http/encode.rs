//! From replies to responses.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value;
use steward_model::Document;
use steward_model::operation::Header;
use steward_model::render;

use super::answer_body::AnswerBody;
use super::decode::Returned;
use super::{Http, headers};
use crate::operation::{Content, Copied, Reply, Status, tag_of, write_entity_tag};

/// A response of this host.
pub(super) type Answer = Response<AnswerBody>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Headers that an answer usually has, those that the connection adds included.
const HEADERS_USUAL: usize = 10;

/// Beginnings of headers of nobody's own that a guest cannot set: words of nodes, and of proxies, which may hand out another file for them.
pub(super) const NOT_FOR_GUESTS_BELOW: [&str; 6] =
    ["x-forwarded-", "x-steward-", "x-xenon-", "x-accel-", "x-sendfile", "x-lighttpd-send"];

/// Returns the response for a reply, with as much of a state as the client wants back.
pub(super) fn reply(http: &Http, reply: Reply, returned: Returned) -> Answer {
    let document = reply.document.as_deref();
    let left_out = returned == Returned::Minimal && reply.content == Content::State;
    let owner = reply.answered_by(http.owner_name());
    let body = match (&reply.content, document) {
        (Content::State, Some(document)) if !left_out => render::render(document, owner),
        (Content::Json(json), _) => json.clone(),
        (Content::State | Content::Empty, _) => Bytes::new(),
    };
    let status = match reply.status {
        Status::Ok if left_out => StatusCode::NO_CONTENT,
        Status::NotModified => StatusCode::NOT_MODIFIED,
        // The sandbox lets only statuses through that HTTP has.
        status => StatusCode::from_u16(status.number()).unwrap_or(StatusCode::OK),
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
    let mut response = Response::new(AnswerBody::from(body));
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
        let value = HeaderValue::from_str(&header.value);
        let (true, Ok(name), Ok(value)) = (is_for_guests(name), HeaderName::try_from(name), value) else { continue };
        if name == CACHE_CONTROL {
            // It replaces what the host says; two of them would be read together.
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
}

fn is_for_guests(name: &str) -> bool {
    let own = name.starts_with("x-")
        && name != headers::REQUEST_ID.as_str()
        && !NOT_FOR_GUESTS_BELOW.iter().any(|below| name.starts_with(below));
    own || name == CACHE_CONTROL.as_str() || headers::FOR_GUESTS.contains(&name)
}

/// Returns a response with a JSON document that the host made.
pub(super) fn json(status: StatusCode, document: &Value) -> Answer {
    bytes(status, Bytes::from(document.to_string()))
}

/// Returns a response with a JSON text that the host made.
pub(super) fn bytes(status: StatusCode, json: Bytes) -> Answer {
    let mut response = Response::new(AnswerBody::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Returns a response without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(AnswerBody::default());
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
            chosen("cache-control", "max-age=60"),
            chosen("link", "</core/a>; rel=next"),
            chosen("retry-after", "5"),
            chosen("set-cookie", "session=1"),
            chosen("server", "other"),
            chosen("www-authenticate", "Basic"),
            chosen("refresh", "0; url=http://elsewhere"),
            chosen("content-security-policy", "sandbox"),
            chosen("x-forwarded-for", "10.0.0.1"),
            chosen("x-xenon-ctx-id", "me"),
            chosen("x-request-id", "me"),
            chosen("content-length", "7"),
            chosen("te", "trailers"),
            chosen("access-control-allow-origin", "*"),
            chosen("x-steward-owner", "me"),
            chosen("bad name", "x"),
            chosen("x-split", "a\r\nb: c"),
        ];
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        add_guests(&mut headers, &all);
        let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["cache-control", "x-mood", "link", "retry-after"]);
        assert_eq!(headers[CACHE_CONTROL], "max-age=60");
    }
}
