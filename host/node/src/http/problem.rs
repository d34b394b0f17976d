//! Problem documents: how a failure is told to clients.
//!
//! One document serves two kinds of readers. Those who know RFC 9457 find `type`, `title`, `status`, `detail`,
//! `instance`; those who know Xenon find `message`, `statusCode`, `documentKind`, `errorCode`. Programs decide by
//! `code`, `retry` and `outcome`; people mend by `hints`.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};
use steward_model::problem::{Kind, Problem, Retry};

use super::Http;
use super::answer_body::AnswerBody;
use super::coding::Coding;
use super::encode::Answer;
use super::error::Error;

/// Returns the response that tells a client why its request for `path` is not answered as asked.
pub(super) fn respond(http: &Http, error: &Error, path: &str, request_id: &str) -> Answer {
    let problem = error.problem();
    log(error, &problem, path, request_id);
    let status = status_of(&problem);
    let retry = problem.retry;
    let allowed = allowed_by(&problem);
    let mut document = problem.document();
    // The words of HTTP for a number that is none of ours.
    document.insert("title".to_owned(), status.canonical_reason().unwrap_or("Refused").into());
    document.insert("instance".to_owned(), path.into());
    document.insert("node".to_owned(), http.owner_name().into());
    document.insert("requestId".to_owned(), request_id.into());
    let mut response = response_of(document, status, retry);
    add_headers(error, response.headers_mut());
    if let Some(allowed) = allowed {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// Returns the response with a problem document.
pub(super) fn response_of(document: Map<String, Value>, status: StatusCode, retry: Retry) -> Answer {
    let mut response = Response::new(AnswerBody::from(Bytes::from(Value::Object(document).to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Retry::Later(seconds @ 1..) = retry {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Returns the status that a problem has in HTTP.
pub(super) fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.kind.status()).expect("kinds have statuses from 400 to 599")
}

/// An ERROR line is a broken invariant of the host. What a service did wrong, or the disk, is for whoever runs them.
fn log(error: &Error, problem: &Problem, path: &str, request: &str) {
    let code = problem.code.as_str();
    if error.is_bug() {
        tracing::error!(%error, code, path, request, "request failed by a fault of the host");
    } else if problem.kind.is_ours() && problem.retry == Retry::Never {
        tracing::warn!(%error, code, path, request, "request failed");
    } else {
        tracing::debug!(%error, code, path, request, "request refused");
    }
}

fn add_headers(error: &Error, headers: &mut HeaderMap) {
    if let Error::Framing(_) | Error::TransferCoding(_) = error {
        // Where this request ends is for each reader to guess, so no further one is read from the connection.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Error::MediaType { wanted, .. } = error {
        headers.insert(ACCEPT, HeaderValue::from_static(wanted));
    }
    if let Error::Coding(_) = error {
        // Source: RFC 9110, section 12.5.3.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(Coding::ALL_NAMES));
    }
}

/// Returns what `Allow` says beside a problem that lists the methods of its path; none for other problems.
fn allowed_by(problem: &Problem) -> Option<HeaderValue> {
    let listed = problem.members.get("allowed").filter(|_| problem.kind == Kind::NotSupported)?;
    let methods: Vec<&str> = listed.as_array()?.iter().filter_map(Value::as_str).collect();
    HeaderValue::from_str(&methods.join(", ")).ok()
}
