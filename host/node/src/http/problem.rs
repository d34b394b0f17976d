//! Problem documents: how a failure is told to clients.
//!
//! One document serves two readers. Those who know RFC 9457 find `type`, `title`, `status`, `detail`, `instance`; those
//! who know Xenon find `message`, `statusCode`, `documentKind`, `errorCode`. Programs decide by `code`, `retry` and
//! `outcome`; people mend by `hints`.

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::Full;
use serde_json::{Map, Value, json};
use steward_model::{Action, Link, PartitionId};
use steward_protocol::cluster::Refused;

use super::Http;
use super::error::{Error, Facts, Retry};
use crate::cluster::ProposeError;
use crate::operation::{self, Error as E, Happened};
use crate::query::Refusal;
use steward_query::{filter, odata, task};

/// What Xenon calls the kind of an error body.
const KIND: &str = "com:vmware:xenon:common:ServiceErrorResponse";

/// Returns the response that tells a client why its request for `path` is not answered as asked.
pub(super) fn respond(http: &Http, error: &Error, path: &str, request_id: &str) -> Response<Full<Bytes>> {
    let facts = error.facts();
    if facts.status.is_server_error() && facts.retry == Retry::Never {
        tracing::error!(%error, code = facts.code, path, request_id, "request failed");
    } else {
        tracing::debug!(%error, code = facts.code, path, request_id, "request refused");
    }
    let mut problem = brief(&facts, &error.to_string());
    if let Value::Object(members) = &mut problem {
        members.insert("instance".to_owned(), path.into());
        members.insert("node".to_owned(), http.owner_name().into());
        members.insert("requestId".to_owned(), request_id.into());
        add_members(http, error, members);
        let hints = hints(error);
        if !hints.is_empty() {
            members.insert("hints".to_owned(), hints.into());
        }
    }
    let mut response = Response::new(Full::new(Bytes::from(problem.to_string())));
    *response.status_mut() = facts.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Retry::Later(seconds @ 1..) = facts.retry {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    add_headers(error, headers);
    response
}

/// Returns what every problem document says.
pub(super) fn brief(facts: &Facts, detail: &str) -> Value {
    json!({
        "type": format!("urn:steward:error:{}", facts.code),
        "title": facts.status.canonical_reason().unwrap_or("Refused"),
        "status": facts.status.as_u16(),
        "detail": detail,
        "code": facts.code,
        "retry": retry_word(facts.retry),
        "message": detail,
        "statusCode": facts.status.as_u16(),
        "documentKind": KIND,
        "errorCode": facts.error_code,
    })
}

/// Returns what a plan says about a failure that has not happened yet.
pub(super) fn summary(error: &Error) -> Value {
    let mut summary = json!({"code": error.facts().code, "detail": error.to_string(), "hints": hints(error)});
    if let (Value::Object(members), Error::Breaking(breaking)) = (&mut summary, error) {
        members.extend(breaking.members());
    }
    summary
}

fn retry_word(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "never",
        Retry::AfterReread => "after-reread",
        Retry::Later(0) => "same-request",
        Retry::Later(_) => "later",
    }
}

fn add_headers(error: &Error, headers: &mut HeaderMap) {
    if let Error::Method { allowed, .. } = error {
        headers.insert(ALLOW, HeaderValue::from_static(allowed));
    }
    if let Error::Operation(E::NotSupported { allowed, .. }) = error
        && let Ok(value) = HeaderValue::from_str(&methods(allowed))
    {
        headers.insert(ALLOW, value);
    }
    if let Error::MediaType { wanted, .. } = error {
        headers.insert(ACCEPT, HeaderValue::from_static(wanted));
    }
}

/// Returns methods of HTTP for actions, as `Allow` lists them.
pub(super) fn methods(allowed: &[Action]) -> String {
    let mut methods = Vec::with_capacity(allowed.len() + 2);
    for action in allowed {
        methods.push(action.as_str());
        if *action == Action::Get {
            methods.push("HEAD");
        }
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

fn add_members(http: &Http, error: &Error, members: &mut Map<String, Value>) {
    if let Some(happened) = outcome(error) {
        let word = match happened {
            Happened::No => "none",
            Happened::Unknown => "unknown",
        };
        members.insert("outcome".to_owned(), word.into());
    }
    if let Error::Operation(error) = error {
        return add_members_of_operation(http, error, members);
    }
    if let Error::NotJson { line, column, .. } | Error::ReservedKey { line, column, .. } = error {
        members.extend([("line".to_owned(), json!(line)), ("column".to_owned(), json!(column))]);
    }
    if let Error::ReservedKey { key, .. } = error {
        members.insert("key".to_owned(), json!(key));
    }
    if let Error::Unready { checks: Some(checks), .. } = error {
        members.insert("checks".to_owned(), json!(checks));
    }
    if let Error::Field { pointer, reason } = error {
        members.insert("errors".to_owned(), json!([{"pointer": pointer, "detail": reason}]));
    }
    if let Error::Breaking(breaking) = error {
        members.extend(breaking.members());
    }
    if let Error::Query(refusal) = error {
        add_place(refusal, members);
    }
}

/// Adds where a query is wrong.
fn add_place(refusal: &Refusal, members: &mut Map<String, Value>) {
    if let Refusal::Listing(odata::Error::Filter(filter::Error::Syntax { position, .. })) = refusal {
        members.insert("position".to_owned(), json!(position));
    }
    if let Refusal::Task(task::Error::Specification(error)) = refusal {
        members.insert("errors".to_owned(), json!([{"pointer": error.pointer, "detail": error.reason}]));
    }
}

fn add_members_of_operation(http: &Http, error: &operation::Error, members: &mut Map<String, Value>) {
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    if let E::Invalid { violations } = error {
        let listed = violations.iter().map(|v| json!({"pointer": v.pointer, "detail": v.detail}));
        set("errors", listed.collect());
    }
    if let E::Refused(fault) = error {
        set("detail", fault.message.clone().into());
        set("message", fault.message.clone().into());
        if !fault.pointer.is_empty() {
            set("errors", json!([{"pointer": fault.pointer, "detail": fault.message}]));
        }
    }
    if let E::Unavailable { partition, .. } = error {
        let (available, quorum) = counts(http, *partition);
        set("available", available.into());
        set("quorum", quorum.into());
        set("partition", partition.to_string().into());
        if available < u64::from(quorum) {
            set("code", "no-quorum".into());
            set("type", "urn:steward:error:no-quorum".into());
        }
    }
    if let E::NoQuorum { available, quorum, .. } = error {
        set("available", (*available).into());
        set("quorum", (*quorum).into());
    }
    if let E::VersionConflict { have, .. } = error {
        set("currentVersion", have.0.into());
    }
    if let E::PreconditionFailed { have, .. } = error {
        set("currentETag", have.clone().into());
    }
}

/// Returns how many copies of a partition count now, and how many are needed.
fn counts(http: &Http, partition: PartitionId) -> (u64, u32) {
    let row = http.operations().table().get(partition).status().replica.row;
    row.map_or((0, 1), |row| (row.in_sync.len() as u64, row.write_quorum))
}

/// Returns whether the request may have had an effect, where a client cannot know it from the status.
fn outcome(error: &Error) -> Option<Happened> {
    if let Error::Operation(E::Unavailable { happened, .. }) = error {
        return Some(*happened);
    }
    let unknown = matches!(
        error,
        Error::Panicked
            | Error::Operation(E::Lost(_) | E::Broken)
            | Error::Undecided(ProposeError::NoMajority | ProposeError::Closed)
    );
    if unknown {
        return Some(Happened::Unknown);
    }
    error.facts().status.is_server_error().then_some(Happened::No)
}

/// Returns what a client can do about it, the best first.
fn hints(error: &Error) -> Vec<String> {
    if let Error::Operation(error) = error {
        return hints_of_operation(error).into_iter().collect();
    }
    if let Error::NoSuchPath { nearest, .. } = error {
        return vec![served(nearest.as_deref())];
    }
    if let Error::MediaType { wanted, .. } = error {
        return vec![format!("send the header Content-Type: {wanted}")];
    }
    if let Error::Coding(_) = error {
        return vec!["send the body without Content-Encoding".to_owned()];
    }
    if let Error::NotAcceptable(_) = error {
        return vec!["send Accept: application/json; server-sent events are not there yet".to_owned()];
    }
    if let Error::BodyTooLarge { max } = error {
        return vec![format!("send {max} bytes or less, or start the host with a higher limit")];
    }
    if let Error::Breaking(_) = error {
        return vec![
            "let the module read the stored state: list its version in readsStateVersions and export migrate"
                .to_owned(),
            "or keep both: mount the new module at another path".to_owned(),
        ];
    }
    if let Error::Refused(Refused::StaleRevision { .. }) = error {
        return vec!["look at the factory again and repeat with its revision in expectedRevision".to_owned()];
    }
    Vec::new()
}

fn served(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("the nearest path that is served is {nearest}; GET / lists them all"),
        None => "GET / lists what is served".to_owned(),
    }
}

fn hints_of_operation(error: &operation::Error) -> Option<String> {
    if let E::UnknownPath { nearest, .. } = error {
        return Some(served(nearest.as_ref().map(Link::as_str)));
    }
    let hint = if matches!(error, E::PreconditionFailed { .. } | E::VersionConflict { .. }) {
        "read the document again and repeat the change with its ETag in If-Match"
    } else if matches!(error, E::Invalid { .. }) {
        "GET …/template shows the schema of the service"
    } else if matches!(error, E::KeyReused { .. }) {
        "use a new Idempotency-Key for each new request"
    } else if matches!(error, E::StateVersion { .. }) {
        "deploy a module whose readsStateVersions lists the stored version and that exports migrate"
    } else if matches!(error, E::Unavailable { happened: Happened::Unknown, .. } | E::Lost(_) | E::Broken) {
        "read the document before a retry, or retry with the same Idempotency-Key"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_actions_become_methods() {
        assert_eq!(methods(&[Action::Get, Action::Delete]), "GET, HEAD, DELETE, OPTIONS");
        assert_eq!(methods(&[]), "OPTIONS");
    }
}
