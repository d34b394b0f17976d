//! From HTTP to operations: the headers, which are read in one pass, and the query part of the URI.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use http::header::{EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;
use steward_model::digits::{are_digits, digits};
use steward_model::operation::{Cause, Header};
use steward_model::update::RequestKey;
use steward_model::{Action, Link, Version};

use super::coding::Coding;
use super::error::Error;
use super::{Http, headers, preference};
use crate::operation::{Body, Demands, Freshness, Operation, Purpose, Wait};
use crate::partition::Wanted;

/// Longest time that a client may ask to be waited for.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);

/// Longest name of a request that a client may choose, and longest idempotency key, in bytes.
const NAME_BYTES_MAX: usize = 255;

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

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Coded {
    /// Not at all.
    #[default]
    Plain,
    /// In a way that this host reads.
    By(Coding),
    /// In another way.
    Unknown,
}

impl Coded {
    /// Returns how a body is coded to which both were done. Two codings, one on the other, are no way that this host reads.
    fn then(self, next: Coded) -> Coded {
        match (self, next) {
            (Coded::Plain, only) | (only, Coded::Plain) => only,
            (Coded::By(_) | Coded::Unknown, Coded::By(_) | Coded::Unknown) => Coded::Unknown,
        }
    }
}

/// How much of a state the client wants back: `Prefer: return=…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Returned {
    /// All of it.
    #[default]
    State,
    /// What it does not know: nothing, if its update has done what it wanted.
    Minimal,
}

/// What the headers of a request say, as far as this host listens to them.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The name of the request; empty if the client gave it none.
    pub(super) id: String,
    pub(super) media: Media,
    pub(super) coding: Coded,
    /// What must be true of the document, and whether a deleted one is forgotten.
    pub(super) demands: Demands,
    pub(super) idempotency_key: Option<String>,
    /// How long the client wants to be waited for.
    pub(super) wait: Option<Duration>,
    /// How much of the state the client wants back.
    pub(super) returned: Returned,
    /// What a reader has seen elsewhere, as it stands there.
    pub(super) at_least: Option<String>,
    /// How many nodes shall hold an update before it is answered.
    pub(super) wanted: Option<Wanted>,
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
        let mut fault = framing(headers).and_then(|()| expectation(headers)).err();
        for (name, value) in headers {
            let read = match name.as_str() {
                "accept" => {
                    self.events_only = value.as_bytes() == b"text/event-stream";
                    Ok(())
                }
                "content-type" => self.content_type(value),
                "content-encoding" => {
                    self.coding = self.coding.then(coded(value));
                    Ok(())
                }
                demanding @ ("if-match" | "if-none-match" | "pragma") => self.demands(demanding, value),
                "idempotency-key" => self.key(value),
                "prefer" => self.prefer(value),
                headers::AT_LEAST => {
                    self.at_least = Some(String::from_utf8_lossy(value.as_bytes()).into_owned());
                    Ok(())
                }
                headers::WANTED => self.copies(value),
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
        self.guest.push(Header { name: name.to_owned(), value: value.to_owned() });
    }

    fn content_type(&mut self, value: &HeaderValue) -> Result<(), Error> {
        if self.media != Media::Unsaid {
            let reason = "is there twice: send one type".to_owned();
            return Err(Error::Header { name: "Content-Type", reason });
        }
        self.media = media(value);
        Ok(())
    }

    fn name(&mut self, value: &HeaderValue, prevails: bool) {
        let Some(name) = value.to_str().ok().filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len())) else { return };
        if prevails || self.id.is_empty() {
            name.clone_into(&mut self.id);
        }
    }

    fn key(&mut self, value: &HeaderValue) -> Result<(), Error> {
        if self.idempotency_key.is_some() {
            let reason = "is there twice: send one key".to_owned();
            return Err(Error::Header { name: "Idempotency-Key", reason });
        }
        let key = value.to_str().ok().filter(|key| (1..=NAME_BYTES_MAX).contains(&key.len()));
        let reason = || format!("must have 1 to {NAME_BYTES_MAX} visible characters");
        let key = key.ok_or_else(|| Error::Header { name: "Idempotency-Key", reason: reason() })?;
        self.idempotency_key = Some(key.to_owned());
        Ok(())
    }

    fn copies(&mut self, value: &HeaderValue) -> Result<(), Error> {
        let text = value.to_str().unwrap_or_default().trim();
        self.wanted = Some(match text {
            "x-xenon-all" | "all" => Wanted::All,
            number => {
                let reason =
                    || format!("is {text:?}: write how many nodes shall hold the update, from 1, or x-xenon-all");
                let refused = || Error::Header { name: headers::WANTED, reason: reason() };
                let count = digits(number).and_then(|count| u32::try_from(count).ok()).and_then(NonZeroU32::new);
                Wanted::Members(count.ok_or_else(refused)?)
            }
        });
        Ok(())
    }

    fn demands(&mut self, name: &str, value: &HeaderValue) -> Result<(), Error> {
        // A tag may have bytes of any other character set (RFC 9110, section 8.8.3). It matches nothing, and the others count.
        self.demands.read(name, &String::from_utf8_lossy(value.as_bytes())).map_err(Error::Demand)
    }

    fn prefer(&mut self, value: &HeaderValue) -> Result<(), Error> {
        for (name, value) in preference::all(value.to_str().unwrap_or_default()) {
            match (name.to_ascii_lowercase().as_str(), value) {
                // Of several the first one counts.
                ("wait", _) if self.wait.is_some() => {}
                ("wait", seconds) => {
                    if !are_digits(seconds) {
                        let reason = format!("has wait={seconds}, which is no number of seconds");
                        return Err(Error::Header { name: "Prefer", reason });
                    }
                    self.wait = Some(digits(seconds).map_or(WAIT_MAX, Duration::from_secs).min(WAIT_MAX));
                }
                ("return", "minimal") => self.returned = Returned::Minimal,
                // Preferences that are not understood are ignored: source RFC 7240, section 2.
                _ => {}
            }
        }
        Ok(())
    }
}

/// Refuses bodies in other transfer codings than `chunked`, and those that say it twice. The library takes what ends in
/// `chunked`, and another reader on the way may have seen another end of the body. Source: RFC 9112, section 6.1.
fn framing(headers: &HeaderMap) -> Result<(), Error> {
    let mut said = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(first) = said.next() else { return Ok(()) };
    let lines = std::iter::once(first).chain(said);
    let codings: Vec<_> =
        lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect();
    match codings.iter().find(|coding| !coding.eq_ignore_ascii_case(b"chunked")) {
        Some(unknown) => Err(Error::TransferCoding(String::from_utf8_lossy(unknown).into_owned())),
        None if codings.len() > 1 => Err(Error::Framing("names chunked twice".to_owned())),
        None => Ok(()),
    }
}

/// Refuses expectations that nobody meets: whoever has one waits for its answer. Source: RFC 9110, section 10.1.1.
fn expectation(headers: &HeaderMap) -> Result<(), Error> {
    let mut said = headers.get_all(EXPECT).iter();
    // The library asks for the body only if this stands there alone.
    let unmet = |first: &&HeaderValue| !first.is_empty() && !first.as_bytes().eq_ignore_ascii_case(b"100-continue");
    match said.next().filter(unmet).or_else(|| said.next()) {
        Some(value) => Err(Error::Expectation(String::from_utf8_lossy(value.as_bytes()).into_owned())),
        None => Ok(()),
    }
}

fn media(value: &HeaderValue) -> Media {
    let text = value.to_str().unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    // JSON has one character set (RFC 8259, section 8.1), and ASCII is a part of it.
    let foreign = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let set = value.trim().trim_matches('"');
        let known = ["utf-8", "utf8", "us-ascii"].iter().any(|known| set.eq_ignore_ascii_case(known));
        name.trim().eq_ignore_ascii_case("charset") && !known
    };
    if parts.any(foreign) {
        return Media::Other;
    }
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

fn coded(value: &HeaderValue) -> Coded {
    let one = |name: &str| match name.trim() {
        // An empty member of a list is none: source RFC 9110, section 5.6.1.
        "" => Coded::Plain,
        identity if identity.eq_ignore_ascii_case("identity") => Coded::Plain,
        name => Coding::named(name).map_or(Coded::Unknown, Coded::By),
    };
    value.to_str().unwrap_or("?").split(',').map(one).fold(Coded::Plain, Coded::then)
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

/// Returns whether a query parameter is set: by its name alone, or with the value `true`.
///
/// # Errors
/// [`Error::Parameter`] if its value is neither `true` nor `false`.
pub(super) fn is_set(query: &str, name: &'static str) -> Result<bool, Error> {
    match parameter(query, name)?.as_deref() {
        None | Some("false") => Ok(false),
        Some("" | "true") => Ok(true),
        Some(other) => {
            let reason = format!("is {other:?}: write true or false, or the name alone");
            Err(Error::Parameter { name, reason })
        }
    }
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
    let refused = || Error::Parameter { name, reason: format!("is {text:?}: write a number from 0") };
    digits(&text).map(Some).ok_or_else(refused)
}

/// Returns the value of a query parameter that is a number within bounds, or `default` if it is not there.
///
/// # Errors
/// [`Error::Parameter`] if it is something else.
pub(super) fn number_within(
    query: &str,
    name: &'static str,
    bounds: RangeInclusive<u64>,
    default: u64,
) -> Result<u64, Error> {
    let Some(text) = parameter(query, name)? else { return Ok(default) };
    let refused = || {
        let (min, max) = (bounds.start(), bounds.end());
        Error::Parameter { name, reason: format!("is {text:?}: write a number from {min} to {max}") }
    };
    digits(&text).filter(|number| bounds.contains(number)).ok_or_else(refused)
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
) -> Result<Box<Operation>, Error> {
    let version = if action == Action::Get { number(query, "documentVersion")?.map(Version) } else { None };
    let operations = http.operations();
    let wait = Wait { span: head.wait.unwrap_or(operations.limits().wait), said: head.wait.is_some() };
    Ok(Box::new(Operation {
        id: std::mem::take(&mut head.id),
        root: None,
        action,
        link,
        query: query.to_owned(),
        headers: std::mem::take(&mut head.guest),
        body: body.map(Body::new),
        principal: String::new(),
        cause: Cause::Client,
        purpose: Purpose::Act,
        deadline: operations.clock().now().plus(wait.span),
        wait,
        condition: std::mem::take(&mut head.demands.condition),
        idempotency_key: head.idempotency_key.take().map(|key| RequestKey::of(&key)),
        version,
        freshness: Freshness::Newest,
        wanted: head.wanted,
        first_action: None,
        force: head.demands.force,
        child: None,
        handed_on: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &[(&'static str, &str)]) -> Result<Head, Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).expect("a header value"));
        }
        let mut head = Head::default();
        head.read(&map).map(|()| head)
    }

    #[test]
    fn guests_see_only_headers_that_are_meant_for_them() {
        let read =
            head(&[("x-tenant", "a"), ("authorization", "secret"), ("pragma", "xn-no-fwd, xn-force-index-update")]);
        let read = read.expect("headers");
        let names: Vec<&str> = read.guest.iter().map(|header| header.name.as_str()).collect();
        assert_eq!(names, ["x-tenant", "pragma"]);
        assert!(read.demands.force);
        assert!(head(&[("if-match", "\"1-7")]).is_err());
    }

    #[test]
    fn preferences_and_names_are_read() {
        let read = head(&[("prefer", "wait=5, return=minimal, x=y"), ("x-xenon-ctx-id", "b"), ("x-request-id", "a")]);
        let read = read.expect("headers");
        assert_eq!((read.wait, read.id.as_str()), (Some(Duration::from_secs(5)), "a"));
        assert_eq!(read.returned, Returned::Minimal);
        for faulty in ["soon", "+1", "-1", "1.5", ""] {
            assert!(head(&[("prefer", &format!("wait={faulty}"))]).is_err(), "{faulty:?}");
        }
        let long = head(&[("prefer", "handling=\"a,wait=1\", wait=99999999999999999999999")]).expect("a long time");
        assert_eq!(long.wait, Some(WAIT_MAX));
        let wanted = |value| head(&[("x-xenon-rpl-quorum", value)]).map(|head| head.wanted).ok().flatten();
        assert_eq!(wanted("3"), NonZeroU32::new(3).map(Wanted::Members));
        assert_eq!([wanted("x-xenon-all"), wanted("all")], [Some(Wanted::All); 2]);
        assert_eq!([wanted("0"), wanted("-1"), wanted("most")], [None; 3]);
        assert!(head(&[("idempotency-key", "")]).is_err());
        assert!(head(&[("idempotency-key", "a"), ("idempotency-key", "a")]).is_err());
    }

    #[test]
    fn a_body_is_chunked_once_or_not_at_all() {
        assert!(head(&[("transfer-encoding", "Chunked")]).is_ok());
        let read = |lines: &[&str]| head(&lines.iter().map(|line| ("transfer-encoding", *line)).collect::<Vec<_>>());
        for twice in [&["chunked, chunked"][..], &["chunked", "chunked"]] {
            assert!(matches!(read(twice), Err(Error::Framing(_))), "{twice:?}");
        }
        for unknown in [&["gzip, chunked"][..], &["gzip", "chunked"], &["chunked, identity"], &[""]] {
            assert!(matches!(read(unknown), Err(Error::TransferCoding(_))), "{unknown:?}");
        }
    }

    #[test]
    fn json_has_one_character_set() {
        let media = |value| head(&[("content-type", value)]).expect("headers").media;
        for (value, read) in [
            ("application/json; charset=UTF-8", Media::Json),
            ("application/json;charset=\"utf-8\"; x=y", Media::Json),
            ("application/json; charset=utf-16", Media::Other),
            ("application/merge-patch+json; Charset=latin1", Media::Other),
            ("application/json; charset", Media::Other),
        ] {
            assert_eq!(media(value), read, "{value}");
        }
    }

    #[test]
    fn parameters_are_found_by_name() {
        assert_eq!(number("a=1&documentVersion=3", "documentVersion").expect("a number"), Some(3));
        assert_eq!(parameter("%24x=a%20b", "$x").expect("UTF-8").as_deref(), Some("a b"));
        assert_eq!(parameter("expand", "expand").expect("UTF-8").as_deref(), Some(""));
        let expands = |query| is_set(query, "expand").ok();
        let queries = ["$limit=1", "expand", "expand=true", "expand=false", "expand=x"];
        assert_eq!(queries.map(expands), [Some(false), Some(true), Some(true), Some(false), None]);
        assert!(number("documentVersion=-1", "documentVersion").is_err());
        assert_eq!(number("", "documentVersion").expect("nothing"), None);
    }
}
