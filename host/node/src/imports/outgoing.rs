//! Requests that HTTP components send to hosts outside the cluster: at once, for what they send is no effect of a document.

use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use steward_model::outbound;
use steward_sandbox::{Broken, Stream};

use crate::outward::{NotOutside, Outward};

/// Sends requests; cheap to clone, and all clones share their connections.
#[derive(Clone)]
pub(super) struct Outgoing {
    client: Client<Outward, Stream>,
}

/// Returns the request as it goes out.
///
/// # Errors
/// [`Broken::HttpRequestDenied`] if no pattern of `granted` names its host, others if it cannot be sent by this host.
pub(super) fn checked(granted: &[String], id: &str, mut request: Request<Stream>) -> Result<Request<Stream>, Broken> {
    if !is_granted(granted, request.uri()) {
        return Err(Broken::HttpRequestDenied);
    }
    if request.uri().scheme_str() != Some("http") {
        return Err(Broken::TlsProtocolError);
    }
    if request.method() == Method::CONNECT {
        return Err(Broken::HttpRequestMethodInvalid);
    }
    let headers = request.headers_mut();
    let own: Vec<_> = headers.keys().filter(|name| outbound::is_hosts(name.as_str())).cloned().collect();
    for name in own {
        headers.remove(name);
    }
    if let Ok(id) = http::HeaderValue::try_from(id) {
        headers.insert("x-request-id", id);
    }
    Ok(request)
}

fn is_granted(granted: &[String], uri: &Uri) -> bool {
    let port = outbound::port_of(uri.scheme_str(), uri.port_u16());
    uri.host().is_some_and(|host| outbound::allows(granted, host, port))
}

impl Outgoing {
    /// Returns what sends over connections of `outward`.
    pub(super) fn new(outward: Outward) -> Outgoing {
        Outgoing { client: Client::builder(TokioExecutor::new()).build(outward) }
    }

    /// Sends a request and returns the answer when its head is there.
    ///
    /// # Errors
    /// [`Broken`] says why there is none.
    pub(super) async fn send(&self, request: Request<Stream>) -> Result<Response<Stream>, Broken> {
        let answer = self.client.request(request).await.map_err(|error| broken(&error))?;
        let cut = |error| {
            tracing::debug!(%error, "answer to a request of a guest broke off");
            Broken::ConnectionTerminated
        };
        Ok(answer.map(|body| body.map_err(cut).boxed_unsync()))
    }
}

fn broken(error: &Error) -> Broken {
    tracing::debug!(%error, "request of a guest was not answered");
    if NotOutside::of(error).is_some() {
        return Broken::HttpRequestDenied;
    }
    if error.is_connect() { Broken::ConnectionRefused } else { Broken::HttpProtocolError }
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use super::*;

    fn request(uri: &str) -> Request<Stream> {
        let body = Empty::new().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync();
        let headed = Request::builder().uri(uri).header("x-own", "kept").header("cookie", "a=b");
        headed.header("content-type", "text/plain").body(body).expect("a request")
    }

    #[test]
    fn only_granted_hosts_are_asked_and_nothing_is_said_in_the_name_of_the_host() {
        let granted = ["api.example.com".to_owned()];
        let sent = checked(&granted, "r-1", request("http://api.example.com/x")).expect("it is granted");
        let names: Vec<&str> = sent.headers().keys().map(http::HeaderName::as_str).collect();
        assert_eq!(names, ["x-own", "content-type", "x-request-id"]);
        for uri in ["http://other.example.com/", "http://api.example.com.evil.org/", "/x"] {
            assert!(matches!(checked(&granted, "r-1", request(uri)), Err(Broken::HttpRequestDenied)), "{uri}");
        }
        let secure = checked(&granted, "r-1", request("https://api.example.com/x"));
        assert!(matches!(secure, Err(Broken::TlsProtocolError)));
    }
}
