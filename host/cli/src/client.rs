//! The client: one call to a host, its answer, and plain words when there is no answer.
//!
//! Several hosts may be named. They are tried in order; the next one is tried only if no connection was made to the one
//! before. So nothing is ever sent twice.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, LengthLimitError, Limited, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use indicatif::ProgressBar;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use steward_model::digits::are_digits;
use steward_model::{Exact, json};
use steward_node::config::quantity::show_size;

use super::error::{Exit, Failure, refusal};

/// The host that is asked unless another one is named.
pub(super) const USUAL_HOST: &str = "http://127.0.0.1:8000";

/// How another host is named.
const NAMING: &str = "name a host that runs: -H http://NAME:PORT, or STEWARD_URL";

/// Longest time to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes that are handed to the connection at once, and the grain of the progress shown.
const CHUNK_BYTES: usize = 64 * 1024;

/// The header by which an answer names the node that gave it.
const OWNER: HeaderName = HeaderName::from_static("x-steward-owner");

/// Most bytes of an answer: some times what a host sends at once, and less than what would take the memory of a machine from others.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// What cannot stand in a request line; `%` can, as people may have encoded the path themselves.
const PATH_FORBIDDEN: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`');

/// What is encoded in the value of a query parameter that this program builds.
const VALUE_FORBIDDEN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b',').remove(b'*');

type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// Talks to the first of some hosts that can be reached.
pub(super) struct Client {
    hosts: Vec<String>,
    timeout: Duration,
    http: legacy::Client<HttpConnector, Body>,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// What a host answered, whatever its status.
#[derive(Debug)]
pub(super) struct Answer {
    /// The request as people write it, `PATCH /core/counters/c1`.
    pub asked: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// Creates a request without a body. `path` may have a query part.
    ///
    /// # Errors
    /// A failure of usage if `path` is no absolute path.
    pub(super) fn new(method: Method, path: &str) -> Result<Call, Failure> {
        if !path.starts_with('/') {
            let failure = Failure::usage(format!("{path:?} is not a path: a path begins with a slash"));
            return Err(match path.split_once("://") {
                Some((_, rest)) => {
                    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                    failure.hint(format!("name the host apart: -H http://{host} /{path}"))
                }
                None => failure.hint(format!("did you mean /{path}?")),
            });
        }
        let path = utf8_percent_encode(path, PATH_FORBIDDEN).to_string();
        Ok(Call { method, path, headers: Vec::new(), body: Bytes::new() })
    }

    /// Creates a GET of a path that this program knows.
    ///
    /// # Panics
    /// If `path` does not begin with a slash.
    pub(super) fn get(path: &str) -> Call {
        Call::new(Method::GET, path).expect("paths in this program begin with a slash")
    }

    /// Adds a query parameter; without a value if `value` is empty.
    #[must_use]
    pub(super) fn query(mut self, name: &str, value: &str) -> Call {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(name);
        if !value.is_empty() {
            self.path.push('=');
            self.path.extend(utf8_percent_encode(value, VALUE_FORBIDDEN));
        }
        self
    }

    /// Adds a header.
    ///
    /// # Errors
    /// A failure of usage if a header cannot have this value.
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Result<Call, Failure> {
        let value = HeaderValue::from_str(value)
            .map_err(|_| Failure::usage(format!("{value:?} cannot be sent as header {name}")))?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// Sets a JSON body.
    #[must_use]
    pub(super) fn json(self, body: &Value) -> Call {
        self.bytes(Bytes::from(body.to_string()), "application/json")
    }

    /// Sets a JSON body that people have written, numbers as they wrote them.
    #[must_use]
    pub(super) fn exact(self, body: &Exact) -> Call {
        self.bytes(Bytes::from(body.to_string()), "application/json")
    }

    /// Sets a body of another type.
    #[must_use]
    pub(super) fn bytes(mut self, body: Bytes, content_type: &'static str) -> Call {
        self.body = body;
        self.headers.push((CONTENT_TYPE, HeaderValue::from_static(content_type)));
        self
    }

    /// Returns the request as people write it.
    pub(super) fn asked(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn request(&self, host: &str, sent: &ProgressBar) -> Result<http::Request<Body>, Failure> {
        let refused =
            |error: &dyn std::fmt::Display| Failure::usage(format!("cannot ask {host}{}: {error}", self.path));
        let uri: Uri = format!("{host}{}", self.path).parse().map_err(|error| refused(&error))?;
        let chunks: Vec<Bytes> = (0..self.body.len())
            .step_by(CHUNK_BYTES)
            .map(|from| self.body.slice(from..self.body.len().min(from + CHUNK_BYTES)))
            .collect();
        let sent = sent.clone();
        let frames = chunks.into_iter().map(move |chunk| {
            sent.inc(chunk.len() as u64);
            Ok(Frame::data(chunk))
        });
        let mut request = http::Request::new(StreamBody::new(stream::iter(frames)).boxed_unsync());
        *request.method_mut() = self.method.clone();
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(&authority).map_err(|error| refused(&error))?);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        headers.extend(self.headers.iter().cloned());
        Ok(request)
    }
}

impl Client {
    /// Creates a client of these hosts, `http://NAME:PORT` each; the scheme may be left out.
    ///
    /// # Errors
    /// A failure of usage if a host is no http address.
    pub(super) fn new(hosts: &[String], timeout: Duration) -> Result<Client, Failure> {
        let hosts = hosts.iter().map(|host| normal_host(host)).collect::<Result<_, _>>()?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        Ok(Client { hosts, timeout, http: legacy::Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Returns the host that is asked first.
    pub(super) fn host(&self) -> &str {
        self.hosts.first().map_or("", String::as_str)
    }

    /// Returns how long this client waits for an answer.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a request and returns the answer, whatever its status.
    ///
    /// # Errors
    /// A failure if no host can be reached, the connection breaks, or the answer takes too long.
    pub(super) async fn send(&self, call: &Call) -> Result<Answer, Failure> {
        self.send_watched(call, &ProgressBar::hidden()).await
    }

    /// Sends a request and tells `sent` how many bytes of the body are under way.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(super) async fn send_watched(&self, call: &Call, sent: &ProgressBar) -> Result<Answer, Failure> {
        match tokio::time::timeout(self.timeout, self.try_hosts(call, sent)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.too_late(call)),
        }
    }

    /// Sends a request and returns the answer if it is a success.
    ///
    /// # Errors
    /// As [`Client::send`]; also if the host refuses.
    pub(super) async fn ask(&self, call: &Call) -> Result<Answer, Failure> {
        self.send(call).await?.accept()
    }

    async fn try_hosts(&self, call: &Call, sent: &ProgressBar) -> Result<Answer, Failure> {
        let mut unreachable = Vec::new();
        for host in &self.hosts {
            match self.http.request(call.request(host, sent)?).await {
                Ok(response) => return received(host, call, response).await,
                Err(error) if error.is_connect() => unreachable.push((host, root_cause(&error))),
                Err(error) => return Err(broken(host, call, &error)),
            }
        }
        Err(nothing_listens(&unreachable))
    }

    fn too_late(&self, call: &Call) -> Failure {
        let waited = jiff::SignedDuration::try_from(self.timeout).unwrap_or(jiff::SignedDuration::MAX);
        let failure =
            Failure::new(Exit::NotReady, "timeout", format!("no answer from {} within {waited:#}", self.host()))
                .detail(call.asked())
                .hint("wait longer: --timeout 2m");
        if call.method == Method::GET { failure } else { failure.detail("it may have happened or not") }
    }
}

impl Answer {
    /// Returns the answer if it is a success.
    ///
    /// # Errors
    /// The host's refusal as a failure.
    pub(super) fn accept(self) -> Result<Answer, Failure> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(refusal(&self.asked, self.status, &self.body))
    }

    /// Returns the body as JSON; null if it is empty.
    ///
    /// # Errors
    /// A failure if the host sent something else.
    pub(super) fn json(&self) -> Result<Value, Failure> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        json::plain(&self.body).map_err(|error| self.not_json(&error))
    }

    /// Returns the body as JSON whose numbers are written as the host has them; null if it is empty.
    ///
    /// # Errors
    /// As [`Answer::json`].
    pub(super) fn exact(&self) -> Result<Exact, Failure> {
        if self.body.is_empty() {
            return Ok(Exact::Null);
        }
        Exact::read(&self.body).map_err(|error| self.not_json(&error))
    }

    fn not_json(&self, error: &serde_json::Error) -> Failure {
        Failure::new(Exit::Failed, "not-json", "the answer is not JSON")
            .detail(error.to_string())
            .detail(self.asked.clone())
            .hint(format!("is this a steward host? {NAMING}"))
    }

    /// Returns a header as text; empty if it is absent.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

async fn received(host: &str, call: &Call, response: http::Response<hyper::body::Incoming>) -> Result<Answer, Failure> {
    let (parts, body) = response.into_parts();
    let body = match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_long(host, call)),
        Err(error) => return Err(broken(host, call, &*error)),
    };
    // Every answer of a host names the node that gave it.
    if !parts.headers.contains_key(OWNER) {
        return Err(foreign(host, call, parts.status));
    }
    Ok(Answer { asked: call.asked(), status: parts.status, headers: parts.headers, body })
}

fn normal_host(text: &str) -> Result<String, Failure> {
    let refused = |reason: &str| Failure::usage(format!("{text:?} {reason}")).hint(NAMING);
    let text = text.strip_suffix('/').unwrap_or(text);
    // A number alone is the port of a host on this machine, not the name of one.
    let local = format!("127.0.0.1:{text}");
    let text = if are_digits(text) { local.as_str() } else { text };
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: Uri = full.parse().map_err(|_| refused("is not an address"))?;
    match uri.scheme_str() {
        Some("http") if uri.host().is_some_and(|name| !name.is_empty()) && uri.query().is_none() => {}
        Some("https") => return Err(refused("asks for TLS, which is not supported")),
        Some(_) | None => return Err(refused("is not an http address")),
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(refused("names a user, and hosts know none"));
    }
    if !matches!(uri.path(), "" | "/") {
        let path = uri.path();
        return Err(refused(&format!("is more than a host: {path} is for the command, as in steward get {path}")));
    }
    // Resolvers take any number for an address, `0xA811` and `43025.1` too; whoever writes one has meant something else.
    let name = uri.host().unwrap_or_default();
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.to_ascii_lowercase().starts_with("0x");
    if is_number && name.parse::<std::net::Ipv4Addr>().is_err() {
        return Err(refused("is neither a name nor an address, such as 10.0.0.1"));
    }
    // The parser takes any number for a port; a name with one that cannot be would only not be found.
    let port = uri.authority().and_then(|authority| authority.as_str().rsplit_once(':')).map(|(_, port)| port);
    match port.filter(|port| !port.ends_with(']')) {
        Some(port) if !port.parse().is_ok_and(|port: u16| port > 0) => {
            Err(refused(&format!("names port {port:?}: ports are numbers from 1 to 65535")))
        }
        Some(_) | None => Ok(full.trim_end_matches('/').to_owned()),
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn broken(host: &str, call: &Call, error: &dyn std::error::Error) -> Failure {
    let failure =
        Failure::new(Exit::Unreachable, "connection-lost", format!("connection to {host} broke before the answer"))
            .detail(root_cause(error))
            .detail(call.asked());
    if call.method == Method::GET { failure } else { failure.detail("it may have happened or not") }
}

fn foreign(host: &str, call: &Call, status: StatusCode) -> Failure {
    Failure::new(
        Exit::Failed,
        "not-steward",
        format!("{host} answers with {}, and not as a steward host", status.as_u16()),
    )
    .detail(call.asked())
    .hint(format!("is this a steward host? {NAMING}"))
}

fn too_long(host: &str, call: &Call) -> Failure {
    let most = show_size(ANSWER_BYTES_MAX as u64);
    Failure::new(Exit::Failed, "answer-too-long", format!("{host} answers with more than {most}, and did not end"))
        .detail(call.asked())
        .hint("ask for less at once: --limit, or a filter")
        .hint(format!("is this a steward host? {NAMING}"))
}

fn nothing_listens(tried: &[(&String, String)]) -> Failure {
    let names: Vec<_> = tried.iter().map(|(host, _)| host.as_str()).collect();
    let mut failure =
        Failure::new(Exit::Unreachable, "unreachable", format!("nothing listens on {}", names.join(", ")));
    failure.details = tried.iter().map(|(host, cause)| format!("{host}: {cause}")).collect();
    failure
        .hint(format!("start a node: {}", start_at(tried.first().map_or("", |(host, _)| host))))
        .hint(format!("or {NAMING}"))
}

/// Returns the command that starts a node which answers at `host`, if that is on this machine.
fn start_at(host: &str) -> String {
    let uri = host.parse::<Uri>().unwrap_or_default();
    let is_here = ["127.0.0.1", "localhost", "[::1]"].contains(&uri.host().unwrap_or_default());
    match uri.port_u16() {
        Some(port) if is_here && host != USUAL_HOST => format!("steward start --port {port}"),
        Some(_) | None => "steward start".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_may_be_written_short() {
        for text in ["8000", "8000/", "127.0.0.1:8000", "http://127.0.0.1:8000", "http://127.0.0.1:8000/"] {
            assert_eq!(normal_host(text).expect("valid"), "http://127.0.0.1:8000");
        }
        for text in ["", "99999", "https://a", "ftp://a", "http://", "a b"] {
            assert_eq!(normal_host(text).expect_err("must be refused").exit, Exit::Usage, "{text}");
        }
        for (text, told) in [
            ("user@host:8000", "names a user"),
            ("http://user:word@host", "names a user"),
            ("host:8000/core", "is more than a host"),
            ("http://host/health/ready", "is more than a host"),
            ("0xA811", "is neither a name nor an address"),
            ("43025.1", "is neither a name nor an address"),
            ("1.2.3.4.5:80", "is neither a name nor an address"),
        ] {
            let refused = normal_host(text).expect_err("must be refused");
            assert!(refused.exit == Exit::Usage && refused.message.contains(told), "{text}: {}", refused.message);
        }
        for text in ["0", "99999", "host:99999", "http://host:65536", "host:0", "[::1]:99999"] {
            let refused = normal_host(text).expect_err("must be refused");
            assert!(refused.message.ends_with("ports are numbers from 1 to 65535"), "{text}: {}", refused.message);
        }
        for text in ["host", "host:65535", "[::1]", "[::1]:1", "http://host"] {
            assert!(normal_host(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn paths_are_encoded_and_parameters_added() {
        let call = Call::get("/core/a b?x=1").query("$filter", "name eq 'ä&b'").query("expand", "");
        assert_eq!(call.asked(), "GET /core/a%20b?x=1&$filter=name%20eq%20%27%C3%A4%26b%27&expand");
    }

    #[test]
    fn path_without_a_slash_is_refused_with_what_was_meant() {
        let refused = Call::new(Method::GET, "core/counters").expect_err("must be refused");
        assert_eq!(refused.hints, ["did you mean /core/counters?"]);
        let refused = Call::new(Method::GET, "http://h:1/core").expect_err("must be refused");
        assert_eq!(refused.hints, ["name the host apart: -H http://h:1 /core"]);
    }

    #[tokio::test]
    async fn next_host_is_tried_only_if_nothing_listens() {
        // Bound, so that nobody else listens there meanwhile, and not listening.
        let silent = tokio::net::TcpSocket::new_v4().expect("a socket");
        silent.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = silent.local_addr().expect("an address");
        let client = Client::new(&[address.to_string()], Duration::from_secs(5)).expect("valid");
        let failure = client.ask(&Call::get("/")).await.expect_err("nothing listens");
        assert_eq!((failure.exit, failure.code.as_str()), (Exit::Unreachable, "unreachable"));
        assert!(failure.details[0].contains("refused"), "{failure:?}");
    }
}
