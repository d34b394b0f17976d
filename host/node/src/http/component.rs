//! Requests for HTTP components: handed over as they come, answered as the component does.
//!
//! A component is mounted below a prefix that it does not know. It sees paths without the prefix, and the prefix in the header
//! `x-forwarded-prefix`, as behind any reverse proxy. All services answer from one origin, so what would speak for the others,
//! or for the host, does not pass: cookies in either direction, rules of the whole origin, headers of the connection.

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use steward_sandbox::CallError;

use super::answer_body::AnswerBody;
use super::encode::{Answer, NOT_FOR_GUESTS_BELOW};
use super::error::Error;
use super::host_request::HostRequest;
use super::streamed::Streamed;
use super::{Http, headers, utility};
use crate::operation;
use crate::service::Service;

/// Headers of an answer that a component cannot set.
const NOT_FOR_COMPONENTS: [&str; 15] = [
    "alt-svc",
    "clear-site-data",
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "public-key-pins",
    "service-worker-allowed",
    "set-cookie",
    "strict-transport-security",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// Beginning of the headers by which the host says what other origins may do.
const CORS: &str = "access-control-";

/// Where a component finds the prefix of its paths.
static PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Returns the component that answers a request for `path`, as the request line has it; none if none does.
pub(super) fn at(http: &Http, path: &str) -> Option<Arc<Service>> {
    let component = http.operations().services().http_above(path)?;
    (!utility::tell_what_is_left(http, path)).then_some(component)
}

/// Lets a component answer.
///
/// # Errors
/// [`Error`] if it does not begin to.
pub(super) async fn answer(http: &Arc<Http>, service: &Arc<Service>, asked: Box<HostRequest>) -> Result<Answer, Error> {
    let under_way = http.under_way()?;
    let HostRequest { parts, head, body } = *asked;
    let method = parts.method.clone();
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = below(&parts.uri, service.path.as_str());
    *request.headers_mut() = shown(parts.headers, service.path.as_str(), &head.id);
    let client_max = http.parts.bounds.idle_span;
    let answered = http.operations().exchange(service, head.id, request, client_max).await?;
    let (mut parts, body) = answered.into_parts();
    if parts.status.is_informational() {
        let status = parts.status.as_u16();
        let error = operation::Error::guest(&service.path, CallError::Status { status });
        operation::guest_failed(service, &error);
        return Err(error.into());
    }
    remove(&mut parts.headers, is_not_for_components);
    let left = headers::content_length(&parts.headers);
    let is_bodiless = method == Method::HEAD || parts.status.as_u16() == 204 || parts.status.as_u16() == 304;
    let left = if is_bodiless { Some(0) } else { left };
    let streamed = Streamed::new(body, left, Arc::clone(service), under_way);
    Ok(Response::from_parts(parts, AnswerBody::Streamed(Box::new(streamed))))
}

/// Returns the URI with its path as the component sees it: without the segments of its prefix, however they are written.
fn below(uri: &Uri, prefix: &str) -> Uri {
    let after = uri.path().match_indices('/').nth(prefix.matches('/').count());
    let rest = after.map_or("/", |(at, _)| &uri.path()[at..]);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("{rest}{query}")).ok();
    Uri::from_parts(parts).unwrap_or_default()
}

/// Returns what a component sees of the headers of a request.
fn shown(mut all: HeaderMap, prefix: &str, id: &str) -> HeaderMap {
    all.remove(http::header::COOKIE);
    for (name, value) in [(&PREFIX, prefix), (&headers::REQUEST_ID, id)] {
        // A self-link has no character that a header cannot have, and neither has the name of a request.
        if let Ok(value) = HeaderValue::from_str(value) {
            all.insert(name, value);
        }
    }
    all
}

fn is_not_for_components(name: &str) -> bool {
    NOT_FOR_COMPONENTS.contains(&name)
        || name.starts_with(CORS)
        || NOT_FOR_GUESTS_BELOW.iter().any(|below| name.starts_with(below))
}

fn remove(headers: &mut HeaderMap, is_unwanted: impl Fn(&str) -> bool) {
    let unwanted: Vec<HeaderName> = headers.keys().filter(|name| is_unwanted(name.as_str())).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_sees_paths_without_its_prefix() {
        let seen = |uri: &str| below(&uri.parse().expect("a URI"), "/apps/x").to_string();
        for (asked, shown) in [
            ("/apps/x", "/"),
            ("/apps/x/", "/"),
            ("/apps/x?q=1", "/?q=1"),
            ("/apps/x/a//b/%2F?q", "/a//b/%2F?q"),
            ("/%61pps/x/a", "/a"),
            ("/apps/x/?a/b", "/?a/b"),
            ("http://node:1/apps/x/a", "http://node:1/a"),
        ] {
            assert_eq!(seen(asked), shown, "{asked}");
        }
    }

    #[test]
    fn components_say_nothing_for_the_host_or_for_others() {
        let all = [
            "content-type",
            "etag",
            "set-cookie",
            "transfer-encoding",
            "access-control-allow-origin",
            "x-own",
            "x-steward-owner",
        ];
        let mut said: HeaderMap =
            all.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("a"))).collect();
        remove(&mut said, is_not_for_components);
        let mut left: Vec<&str> = said.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-type", "etag", "x-own"]);
        said.insert("cookie", HeaderValue::from_static("a=b"));
        said.insert("x-forwarded-prefix", HeaderValue::from_static("/other"));
        let seen = shown(said, "/apps/x", "r-1");
        assert!(
            !seen.contains_key("cookie") && seen["x-forwarded-prefix"] == "/apps/x" && seen["x-request-id"] == "r-1"
        );
    }
}
