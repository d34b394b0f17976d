//! Requests to hosts outside the cluster. Which ones a guest may address was checked when it decided.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use steward_model::operation::{Effect, EffectReply, Header};
use steward_model::{Action, outbound};

use super::sent::{Sent, unanswered};
use crate::operation::{PASSING_STATUSES, Patience};
use crate::outward::{NotOutside, Outward};

/// Longest time until an answer is complete.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Headers that the host says itself of every effect, besides those that guests never say.
const OWN_HEADERS: [&str; 5] =
    ["accept-encoding", "content-encoding", "content-length", "content-type", "idempotency-key"];

/// Sends effects over HTTP.
pub(super) struct Outside {
    client: Client<Outward, Full<Bytes>>,
}

/// Why an exchange came to no answer.
enum NoAnswer {
    /// It may come to one later.
    Now(String),
    /// It never will, and the guest is told so with this status, code and reason.
    Never(u16, &'static str, String),
}

impl Outside {
    /// Returns what sends over connections of `outward`.
    pub(super) fn new(outward: Outward) -> Outside {
        Outside { client: Client::builder(TokioExecutor::new()).build(outward) }
    }

    /// Sends an effect once, with its key as `Idempotency-Key` and the id of the request that it comes from as `X-Request-Id`.
    pub(super) async fn send(&self, key: &str, id: &str, effect: &Effect) -> Sent {
        let request = match request(key, id, effect) {
            Ok(request) => request,
            Err(error) => return refused(effect, 400, "effect-malformed", &error.to_string()),
        };
        match tokio::time::timeout(ANSWER_WITHIN, self.exchange(request)).await {
            Ok(Ok((status, _, _))) if PASSING_STATUSES.contains(&status) => later(effect, format!("answered {status}")),
            Ok(Ok((status, headers, body))) => answered(effect, status, headers, body),
            Ok(Err(NoAnswer::Never(status, code, reason))) => refused(effect, status, code, &reason),
            Ok(Err(NoAnswer::Now(reason))) => later(effect, reason),
            Err(_) => later(effect, format!("no answer within {} s", ANSWER_WITHIN.as_secs())),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(u16, Vec<Header>, Option<Bytes>), NoAnswer> {
        let response = self.client.request(request).await.map_err(|error| match NotOutside::of(&error) {
            Some(refused) => NoAnswer::Never(403, refused.code(), refused.to_string()),
            // It would say the same again, and what waits behind it would wait as long.
            None if is_malformed(&error) => unreadable(format!("the answer cannot be understood: {error}")),
            None => NoAnswer::Now(format!("cannot be reached: {error}")),
        })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => unreadable(format!("the answer has more than {ANSWER_BYTES_MAX} bytes")),
            false => NoAnswer::Now(format!("answer cannot be read: {error}")),
        })?;
        let body = body.to_bytes();
        let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let value = value.to_str().ok()?.to_owned();
            Some(Header { name: name.as_str().to_owned(), value })
        };
        let headers = parts.headers.iter().filter_map(text).collect();
        // A guest takes JSON only; another text reaches it as a JSON string.
        let body = match body {
            empty if empty.is_empty() => None,
            json if serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_ok() => Some(json),
            other => Some(serde_json::Value::String(String::from_utf8_lossy(&other).into_owned()).to_string().into()),
        };
        Ok((parts.status.as_u16(), headers, body))
    }
}

/// Whoever answers does not say what can be handed to a guest.
fn unreadable(reason: String) -> NoAnswer {
    NoAnswer::Never(502, "answer-unreadable", reason)
}

/// Returns true if what came back is no answer of HTTP, or one with more headers than anybody needs.
fn is_malformed(error: &hyper_util::client::legacy::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<hyper::Error>());
    cause.is_some_and(hyper::Error::is_parse)
}

fn later(effect: &Effect, reason: String) -> Sent {
    Sent::Later { reason, patience: Patience::Long, otherwise: unanswered(&effect.to) }
}

/// Answers an effect in the place of whom it was for.
fn refused(effect: &Effect, status: u16, code: &str, reason: &str) -> Sent {
    let body = serde_json::json!({ "code": code, "message": reason });
    answered(effect, status, Vec::new(), Some(body.to_string().into()))
}

fn answered(effect: &Effect, status: u16, headers: Vec<Header>, body: Option<Bytes>) -> Sent {
    Sent::Answered(EffectReply { status, headers, body, from: effect.to.clone() })
}

fn request(key: &str, id: &str, effect: &Effect) -> Result<Request<Full<Bytes>>, http::Error> {
    let method = match effect.action {
        Action::Get => Method::GET,
        Action::Post => Method::POST,
        Action::Put => Method::PUT,
        Action::Patch => Method::PATCH,
        Action::Delete => Method::DELETE,
    };
    let mut request =
        Request::builder().method(method).uri(&effect.to).header("idempotency-key", key).header("x-request-id", id);
    if effect.body.is_some() {
        request = request.header("content-type", "application/json");
    }
    for header in effect.headers.iter().filter(|header| !is_own(&header.name)) {
        request = request.header(&header.name, &header.value);
    }
    request.body(Full::new(effect.body.clone().unwrap_or_default()))
}

fn is_own(name: &str) -> bool {
    outbound::is_hosts(name) || OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_transport_are_those_of_the_host() {
        let says = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
        let effect = Effect {
            to: "http://127.0.0.1:1/x".to_owned(),
            action: Action::Patch,
            headers: vec![
                says("host", "internal.example"),
                says("content-length", "1"),
                says("transfer-encoding", "chunked"),
                says("idempotency-key", "mine"),
                says("x-request-id", "mine"),
                says("content-type", "text/plain"),
                says("content-encoding", "gzip"),
                says("Accept-Encoding", "br"),
                says("via", "1.1 elsewhere"),
                says("forwarded", "for=10.0.0.1"),
                says("cookie", "session=1"),
                says("origin", "http://internal.example"),
                says("x-steward-owner", "me"),
                says("X-Forwarded-For", "10.0.0.1"),
                says("x-own", "kept"),
            ],
            body: Some(Bytes::from_static(b"{}")),
            delay_millis: 0,
            reply_tag: String::new(),
        };
        let request = request("/a/b@0.1.2#0", "r-1", &effect).expect("a request");
        let names: Vec<&str> = request.headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["idempotency-key", "x-request-id", "content-type", "x-own"]);
        assert_eq!(request.headers()["idempotency-key"], "/a/b@0.1.2#0");
        assert_eq!(request.headers()["content-type"], "application/json");
    }
}
