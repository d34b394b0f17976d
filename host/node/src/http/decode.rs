//! From HTTP to operations. Headers are looked at once, bodies are read no further than they may go.

use std::borrow::Cow;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use hyper::body::Body;
use percent_encoding::percent_decode_str;
use serde::de::IgnoredAny;
use steward_model::operation::{Cause, Header};
use steward_model::{Action, Link, Version};

use super::Http;
use super::error::Error;
use crate::operation::{Condition, Operation, Purpose};

/// Longest time that a client may ask to be waited for.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);

/// Longest name of a request that a client may choose, and longest idempotency key, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Objects and arrays that may be inside one another; what is deeper could not be queried or merged later.
const DEPTH_MAX: usize = 100;

/// How a body says it is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Media {
    /// It does not say.
    #[default]
    Unsaid,
    /// `application/json`.
    Json,
    /// `application/merge-patch+json`.
    MergePatch,
    /// `application/wasm`.
    Wasm,
    /// Something else.
    Other,
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Coding {
    /// Not at all.
    #[default]
    Identity,
    /// In a way that this host reads.
    Compressed,
    /// In another way.
    Unknown,
}

/// What the headers of a request say, as far as this host listens to them.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The name of the request; empty if the client gave it none.
    pub(super) id: String,
    pub(super) media: Media,
    pub(super) coding: Coding,
    pub(super) condition: Condition,
    pub(super) idempotency_key: Option<String>,
    /// How long the client wants to be waited for.
    pub(super) wait: Option<Duration>,
    /// The client does not want the state back: `Prefer: return=minimal`.
    pub(super) minimal: bool,
    /// The pragma `xn-force-index-update`.
    pub(super) force: bool,
    /// The client takes nothing but server-sent events.
    pub(super) events_only: bool,
    /// What guests see.
    pub(super) guest: Vec<Header>,
}

impl Head {
    /// Reads the headers of a request. What was read before a fault is kept, the name of the request among it.
    ///
    /// # Errors
    /// [`Error::Header`] names the header that cannot be understood.
    pub(super) fn read(&mut self, headers: &HeaderMap) -> Result<(), Error> {
        let mut fault = None;
        for (name, value) in headers {
            let read = match name.as_str() {
                "accept" => {
                    self.events_only = value.as_bytes() == b"text/event-stream";
                    Ok(())
                }
                "content-type" => {
                    self.media = media(value);
                    Ok(())
                }
                "content-encoding" => {
                    self.coding = coding(value);
                    Ok(())
                }
                "if-match" => self.if_match(value),
                "if-none-match" => self.if_none_match(value),
                "idempotency-key" => self.key(value),
                "prefer" => self.prefer(value),
                "x-request-id" => {
                    self.name(value, true);
                    Ok(())
                }
                "x-xenon-ctx-id" => {
                    self.name(value, false);
                    Ok(())
                }
                _ => Ok(()),
            };
            self.show_guest(name.as_str(), value);
            fault = fault.or(read.err());
        }
        fault.map_or(Ok(()), Err)
    }

    fn show_guest(&mut self, name: &str, value: &HeaderValue) {
        let seen = name.starts_with("x-") || name == "pragma" || name == "accept-language";
        let Some(value) = seen.then(|| value.to_str().ok()).flatten() else { return };
        if name == "pragma" {
            self.force |= value.split([',', ';']).any(|directive| directive.trim() == "xn-force-index-update");
        }
        self.guest.push(Header { name: name.to_owned(), value: value.to_owned() });
    }

    fn name(&mut self, value: &HeaderValue, prevails: bool) {
        let Some(name) = value.to_str().ok().filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len())) else { return };
        if prevails || self.id.is_empty() {
            name.clone_into(&mut self.id);
        }
    }

    fn key(&mut self, value: &HeaderValue) -> Result<(), Error> {
        let key = value.to_str().ok().filter(|key| (1..=NAME_BYTES_MAX).contains(&key.len()));
        let reason = || format!("must have 1 to {NAME_BYTES_MAX} visible characters");
        let key = key.ok_or_else(|| Error::Header { name: "Idempotency-Key", reason: reason() })?;
        self.idempotency_key = Some(key.to_owned());
        Ok(())
    }

    fn if_match(&mut self, value: &HeaderValue) -> Result<(), Error> {
        // Only strong tags match here; a weak one can match nothing, so it is left out.
        let read = tags("If-Match", value, |weak| !weak)?;
        match (&mut self.condition, read) {
            (Condition::OneOf(tags), Tags::Listed(more)) => tags.extend(more),
            (_, Tags::Listed(tags)) => self.condition = Condition::OneOf(tags),
            (_, Tags::Any) => self.condition = Condition::Exists,
        }
        Ok(())
    }

    fn if_none_match(&mut self, value: &HeaderValue) -> Result<(), Error> {
        let read = tags("If-None-Match", value, |_| true)?;
        match (&mut self.condition, read) {
            // If-Match is looked at first, and then alone: source RFC 9110, section 13.2.2.
            (Condition::OneOf(_) | Condition::Exists, _) => {}
            (Condition::NoneOf(tags), Tags::Listed(more)) => tags.extend(more),
            (Condition::None | Condition::Absent, Tags::Listed(tags)) => self.condition = Condition::NoneOf(tags),
            (Condition::None | Condition::Absent | Condition::NoneOf(_), Tags::Any) => {
                self.condition = Condition::Absent;
            }
        }
        Ok(())
    }

    fn prefer(&mut self, value: &HeaderValue) -> Result<(), Error> {
        let text = value.to_str().unwrap_or_default();
        for preference in text.split([',', ';']).map(str::trim) {
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            match (name.trim(), value.trim().trim_matches('"')) {
                ("wait", seconds) => {
                    let reason = format!("has wait={seconds}, which is no number of seconds");
                    let seconds = seconds.parse().map_err(|_| Error::Header { name: "Prefer", reason })?;
                    self.wait = Some(Duration::from_secs(seconds).min(WAIT_MAX));
                }
                ("return", "minimal") => self.minimal = true,
                // Preferences that are not understood are ignored: source RFC 7240, section 2.
                _ => {}
            }
        }
        Ok(())
    }
}

fn media(value: &HeaderValue) -> Media {
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is = |wanted: &str| essence.eq_ignore_ascii_case(wanted);
    if is("application/json") {
        Media::Json
    } else if is("application/merge-patch+json") {
        Media::MergePatch
    } else if is("application/wasm") {
        Media::Wasm
    } else {
        Media::Other
    }
}

fn coding(value: &HeaderValue) -> Coding {
    match value.to_str().unwrap_or("?").trim() {
        "" | "identity" => Coding::Identity,
        "gzip" | "zstd" => Coding::Compressed,
        _ => Coding::Unknown,
    }
}

enum Tags {
    Any,
    Listed(Vec<String>),
}

/// Reads a list of entity tags. Tags without quotes are accepted, for the sake of people with a shell.
fn tags(name: &'static str, value: &HeaderValue, take: impl Fn(bool) -> bool) -> Result<Tags, Error> {
    let refused = || Error::Header { name, reason: "is no list of entity tags such as \"1-7\"".to_owned() };
    let text = value.to_str().map_err(|_| refused())?.trim();
    if text == "*" {
        return Ok(Tags::Any);
    }
    let mut listed = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        let (weak, opaque) = tag.strip_prefix("W/").map_or((false, tag), |opaque| (true, opaque));
        let opaque =
            opaque.strip_prefix('"').map_or(Some(opaque), |rest| rest.strip_suffix('"')).ok_or_else(refused)?;
        if take(weak) {
            listed.push(opaque.to_owned());
        }
    }
    Ok(Tags::Listed(listed))
}

/// Reads a body to its end, and no further than `max` bytes.
///
/// # Errors
/// [`Error::BodyTooLarge`] as soon as that is known, [`Error::BodyLost`] if the body breaks off.
pub(super) async fn collect<B>(mut body: B, max: usize) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let announced = body.size_hint().lower();
    if announced > max as u64 {
        return Err(Error::BodyTooLarge { max });
    }
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::BodyLost(error.to_string()))?;
        let Ok(chunk) = frame.into_data() else { continue };
        let held = rest.as_ref().map_or(first.len(), BytesMut::len);
        if held + chunk.len() > max {
            return Err(Error::BodyTooLarge { max });
        }
        match &mut rest {
            Some(rest) => rest.extend_from_slice(&chunk),
            // Most bodies come in one piece, which need not be copied.
            None if first.is_empty() => first = chunk,
            None => {
                let whole = usize::try_from(announced).unwrap_or(0).max(first.len() + chunk.len());
                let mut joined = BytesMut::with_capacity(whole);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(&chunk);
                rest = Some(joined);
            }
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

/// Returns the body if there is one, checked to be JSON of the media type that the headers say.
///
/// # Errors
/// [`Error::MediaType`] if it is said to be something else, [`Error::NotJson`] with line and column if it is no JSON.
pub(super) fn json(head: &Head, headers: &HeaderMap, body: Bytes) -> Result<Option<Bytes>, Error> {
    if body.is_empty() {
        return Ok(None);
    }
    if !matches!(head.media, Media::Json | Media::MergePatch) {
        return Err(unexpected(headers, "application/json"));
    }
    check_json(&body)?;
    Ok(Some(body))
}

/// Returns the error of a body of another type than `wanted`.
pub(super) fn unexpected(headers: &HeaderMap, wanted: &'static str) -> Error {
    let stated = headers.get(CONTENT_TYPE).map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned());
    let found = stated.unwrap_or_else(|| "of no stated type".to_owned());
    Error::MediaType { found, wanted }
}

fn check_json(body: &[u8]) -> Result<(), Error> {
    // What follows a fault in the encoding could not be told to people anyway, so that is looked at first.
    if let Err(error) = std::str::from_utf8(body) {
        let (line, column) = place(&body[..error.valid_up_to()]);
        return Err(Error::NotJson { reason: "a byte that is no UTF-8".to_owned(), line, column });
    }
    serde_json::from_slice::<IgnoredAny>(body).map_err(|error| not_json(&error))?;
    match too_deep(body) {
        Some(at) => {
            let (line, column) = place(&body[..at]);
            Err(Error::NotJson {
                reason: format!("more than {DEPTH_MAX} objects and arrays inside one another"),
                line,
                column,
            })
        }
        None => Ok(()),
    }
}

/// Returns where valid JSON becomes deeper than it may be.
fn too_deep(body: &[u8]) -> Option<usize> {
    let opens = |byte: &&u8| matches!(byte, b'{' | b'[');
    // Few brackets cannot be deep, and counting is much quicker than following them.
    if body.iter().filter(opens).count() <= DEPTH_MAX {
        return None;
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in body.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth -= 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Some(at);
        }
    }
    None
}

/// Returns the error of a text that `serde_json` cannot read.
pub(super) fn not_json(error: &serde_json::Error) -> Error {
    let told = error.to_string();
    let reason = told.rsplit_once(" at line ").map_or(told.as_str(), |(reason, _)| reason).to_owned();
    Error::NotJson { reason, line: error.line(), column: error.column() }
}

fn place(before: &[u8]) -> (usize, usize) {
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    (line, column)
}

/// Returns the value of a query parameter; empty if it has none.
///
/// # Errors
/// [`Error::Parameter`] if the value is no UTF-8 when its percent signs are decoded.
pub(super) fn parameter<'a>(query: &'a str, name: &'static str) -> Result<Option<Cow<'a, str>>, Error> {
    for pair in query.split('&') {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        if found == name || percent_decode_str(found).eq(name.bytes()) {
            let refused = |_| Error::Parameter { name, reason: "is no UTF-8".to_owned() };
            return percent_decode_str(value).decode_utf8().map(Some).map_err(refused);
        }
    }
    Ok(None)
}

/// Returns the value of a query parameter that is a number.
///
/// # Errors
/// [`Error::Parameter`] if it is something else.
pub(super) fn number(query: &str, name: &'static str) -> Result<Option<u64>, Error> {
    if query.is_empty() {
        return Ok(None);
    }
    let Some(text) = parameter(query, name)? else { return Ok(None) };
    let refused = |_| Error::Parameter { name, reason: format!("is {text:?}: write a number from 0") };
    text.parse().map(Some).map_err(refused)
}

/// Returns the operation that a request stands for.
///
/// # Errors
/// [`Error::Parameter`] if the version that is asked for is no number.
pub(super) fn operation(
    http: &Http,
    head: &mut Head,
    action: Action,
    link: Link,
    query: &str,
    body: Option<Bytes>,
) -> Result<Operation, Error> {
    let version = if action == Action::Get { number(query, "documentVersion")?.map(Version) } else { None };
    let operations = http.operations();
    let wait = head.wait.unwrap_or(operations.limits().wait);
    Ok(Operation {
        id: head.id.clone(),
        action,
        link,
        query: query.to_owned(),
        headers: std::mem::take(&mut head.guest),
        body,
        principal: String::new(),
        cause: Cause::Client,
        purpose: Purpose::Act,
        deadline: operations.clock().now().plus(wait),
        condition: std::mem::take(&mut head.condition),
        idempotency_key: head.idempotency_key.take(),
        version,
        force: head.force,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    fn head(headers: &[(&'static str, &str)]) -> Result<Head, Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("a header value"));
        }
        let mut head = Head::default();
        head.read(&map).map(|()| head)
    }

    #[test]
    fn entity_tags_are_read_with_and_without_quotes() {
        let one_of = |tags: &[&str]| Condition::OneOf(tags.iter().map(|tag| (*tag).to_owned()).collect());
        let condition = |name, value: &str| head(&[(name, value)]).expect("headers").condition;
        assert_eq!(condition("if-match", "\"1-7\", \"2-8\""), one_of(&["1-7", "2-8"]));
        assert_eq!(condition("if-match", "1-7"), one_of(&["1-7"]));
        assert_eq!(condition("if-match", "W/\"1-7\""), one_of(&[]));
        assert_eq!(condition("if-match", "*"), Condition::Exists);
        assert_eq!(condition("if-none-match", "*"), Condition::Absent);
        assert_eq!(condition("if-none-match", "W/\"1-7\""), Condition::NoneOf(vec!["1-7".into()]));
        assert!(head(&[("if-match", "\"1-7")]).is_err());
    }

    #[test]
    fn guests_see_only_headers_that_are_meant_for_them() {
        let read =
            head(&[("x-tenant", "a"), ("authorization", "secret"), ("pragma", "xn-no-fwd, xn-force-index-update")]);
        let read = read.expect("headers");
        let names: Vec<&str> = read.guest.iter().map(|header| header.name.as_str()).collect();
        assert_eq!(names, ["x-tenant", "pragma"]);
        assert!(read.force);
    }

    #[test]
    fn preferences_and_names_are_read() {
        let read = head(&[("prefer", "wait=5, return=minimal, x=y"), ("x-xenon-ctx-id", "b"), ("x-request-id", "a")]);
        let read = read.expect("headers");
        assert_eq!((read.wait, read.minimal, read.id.as_str()), (Some(Duration::from_secs(5)), true, "a"));
        assert!(head(&[("prefer", "wait=soon")]).is_err());
        assert!(head(&[("idempotency-key", "")]).is_err());
    }

    #[test]
    fn faults_in_json_have_a_place() {
        let place = |text: &[u8]| match check_json(text) {
            Err(Error::NotJson { line, column, .. }) => Some((line, column)),
            Ok(()) | Err(_) => None,
        };
        assert_eq!(place(b"{\"a\": 1,\n \"b\" 2}"), Some((2, 6)));
        assert_eq!(place(b"{\"a\": \"\n\xff\"}"), Some((2, 1)));
        assert_eq!(place(b"{} {}"), Some((1, 4)));
        assert_eq!(place(b" {\"a\": [1, 2]} "), None);
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes();
        assert_eq!(place(&nested(DEPTH_MAX)), None);
        assert_eq!(place(&nested(DEPTH_MAX + 1)), Some((1, DEPTH_MAX + 1)));
        assert_eq!(place(format!("[{}]", "[],\"\\\"[\",".repeat(200) + "1").as_bytes()), None);
    }

    #[test]
    fn bodies_of_other_types_are_refused() {
        let body = || Bytes::from_static(b"{}");
        let none = HeaderMap::new();
        let read = head(&[("content-type", "application/x-www-form-urlencoded")]).expect("headers");
        assert!(matches!(json(&read, &none, body()), Err(Error::MediaType { .. })));
        assert!(matches!(json(&Head::default(), &none, body()), Err(Error::MediaType { .. })));
        assert!(matches!(json(&Head::default(), &none, Bytes::new()), Ok(None)));
        let read = head(&[("content-type", "Application/JSON; charset=utf-8")]).expect("headers");
        assert!(matches!(json(&read, &none, body()), Ok(Some(_))));
    }

    #[tokio::test]
    async fn bodies_are_read_no_further_than_they_may_go() {
        let whole = collect(Full::new(Bytes::from_static(b"12345")), 5).await;
        assert_eq!(whole.expect("fits"), "12345");
        assert!(matches!(
            collect(Full::new(Bytes::from_static(b"123456")), 5).await,
            Err(Error::BodyTooLarge { max: 5 })
        ));
        let pieces = |count: usize| {
            let frames =
                std::iter::repeat_n(Bytes::from_static(b"ab"), count).map(|chunk| Ok::<_, String>(Frame::data(chunk)));
            StreamBody::new(futures_util::stream::iter(frames))
        };
        assert_eq!(collect(pieces(3), 6).await.expect("fits"), "ababab");
        assert!(matches!(collect(pieces(usize::MAX), 6).await, Err(Error::BodyTooLarge { .. })));
    }

    #[test]
    fn parameters_are_found_by_name() {
        assert_eq!(number("a=1&documentVersion=3", "documentVersion").expect("a number"), Some(3));
        assert_eq!(parameter("%24x=a%20b", "$x").expect("UTF-8").as_deref(), Some("a b"));
        assert_eq!(parameter("expand", "expand").expect("UTF-8").as_deref(), Some(""));
        assert!(number("documentVersion=-1", "documentVersion").is_err());
        assert_eq!(number("", "documentVersion").expect("nothing"), None);
    }
}
