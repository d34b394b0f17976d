//! What a handler sees of the world, and what it asks the world to do.

use std::panic::Location;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::effect::Effect;
use crate::fault::{Fault, Result, refused};
use crate::host::{self, Level};
use crate::reply::text_of;
use crate::request::{Action, Cause, Request};

/// The request at hand, and the effects that this call asked for.
///
/// Effects are collected and go out after the commit, in order, each after the one before it has been settled. If the
/// handler refuses, none of them goes out.
#[derive(Debug)]
pub struct Context {
    request: Request,
    random: u64,
    pub(crate) effects: Vec<Effect>,
    pub(crate) expires_micros: Option<i64>,
    // Bodies are written when the effect is made, but the methods stay pleasant: a failure refuses the whole call.
    broken: Option<Fault>,
}

impl Context {
    /// Begins a call. Handlers get theirs from the SDK.
    pub(crate) fn new(request: Request) -> Context {
        Context { random: request.seed, request, effects: Vec::new(), expires_micros: None, broken: None }
    }

    /// Returns all that the host told about the request.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns the document's self-link; for a stateless service the path that was asked for.
    pub fn link(&self) -> &str {
        &self.request.link
    }

    /// Returns the last segment of the self-link.
    pub fn key(&self) -> &str {
        self.request.link.rsplit('/').next().unwrap_or_default()
    }

    /// Returns why the handler runs.
    pub fn cause(&self) -> Cause {
        self.request.cause
    }

    /// Returns who asks: a self-link of a user, or an empty text.
    pub fn principal(&self) -> &str {
        &self.request.principal
    }

    /// Returns the document's version before this request.
    pub fn version(&self) -> u64 {
        self.request.version
    }

    /// Returns false in the create handler and in the start handler that follows it, true everywhere else.
    pub fn exists(&self) -> bool {
        self.request.exists
    }

    /// Returns the current time in microseconds since the Unix epoch. It stands still during a call.
    pub fn now_micros(&self) -> i64 {
        self.request.now_micros
    }

    /// Returns the first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value.as_str())
    }

    /// Returns the value of a parameter of the query, as it was sent (percent signs and all).
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.request.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// Returns a number that nobody can guess, another one at each call. Recorded with the request, as the clock is.
    pub fn random(&mut self) -> u64 {
        // SplitMix64 over the host's seed. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators".
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Patches this document itself, after the commit: the next step of a task.
    pub fn self_patch(&mut self, body: &impl Serialize) -> &mut Effect {
        let link = self.request.link.clone();
        self.patch(link, body)
    }

    /// Posts to a factory (or a URL), which creates a document there.
    pub fn create(&mut self, factory: impl Into<String>, body: &impl Serialize) -> &mut Effect {
        self.with_body(Action::Post, factory.into(), body)
    }

    /// Patches another document.
    pub fn patch(&mut self, link: impl Into<String>, body: &impl Serialize) -> &mut Effect {
        self.with_body(Action::Patch, link.into(), body)
    }

    /// Replaces another document.
    pub fn put(&mut self, link: impl Into<String>, body: &impl Serialize) -> &mut Effect {
        self.with_body(Action::Put, link.into(), body)
    }

    /// Deletes another document, or this one.
    pub fn delete(&mut self, link: impl Into<String>) -> &mut Effect {
        self.send(Effect::new(Action::Delete, link, None))
    }

    /// Gives up what this document has to send with the tag, such as a timer that is not needed any more; with the state of this call,
    /// or not at all. What is being sent at this moment may arrive all the same.
    pub fn cancel(&mut self, tag: &str) {
        let to = format!("{}/effects?tag={}", self.request.link, percent_encoded(tag));
        self.send(Effect::new(Action::Delete, to, None));
    }

    /// Sends any effect.
    pub fn send(&mut self, effect: Effect) -> &mut Effect {
        let index = self.effects.len();
        self.effects.push(effect);
        &mut self.effects[index]
    }

    /// Lets the document expire that long from now.
    pub fn expire_in(&mut self, span: Duration) {
        let span = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        self.expires_micros = Some(self.request.now_micros.saturating_add(span));
    }

    /// Lets the document expire at a moment, in microseconds since the Unix epoch; 0: never.
    pub fn expire_at_micros(&mut self, moment: i64) {
        self.expires_micros = Some(moment);
    }

    /// Returns when the document will expire, in microseconds since the Unix epoch; 0: never. What a client asks for on
    /// creation is in it.
    pub fn expires_micros(&self) -> i64 {
        self.expires_micros.unwrap_or(self.request.expires_micros)
    }

    /// Writes a line to the host's log. Its field `at` says where in the sources this is called.
    #[track_caller]
    pub fn log(&self, level: Level, message: &str) {
        host::log(level, message, &located(&serde_json::Value::Null, Location::caller()));
    }

    /// Writes a line with fields, which must be a JSON object, to the host's log. It has the field `at` besides, as that of
    /// [`Context::log`], unless there is one.
    #[track_caller]
    pub fn log_with(&self, level: Level, message: &str, fields: &serde_json::Value) {
        host::log(level, message, &located(fields, Location::caller()));
    }

    /// Returns the committed state of another document. Waits, and holds this document's turn meanwhile.
    ///
    /// # Errors
    /// The other service's fault; or status 502 if its state is no `T`.
    pub fn read<T: DeserializeOwned>(&self, link: &str) -> Result<T> {
        let text = host::read(link)?;
        serde_json::from_str(&text)
            .map_err(|error| refused(502, "answer-unreadable", format!("cannot read the state of {link}: {error}")))
    }

    /// Runs a direct query and returns the finished query task. Waits, and holds this document's turn meanwhile.
    ///
    /// # Errors
    /// The fault with which the query was refused.
    pub fn query(&self, spec: &serde_json::Value) -> Result<serde_json::Value> {
        let text = host::query(&spec.to_string())?;
        serde_json::from_str(&text)
            .map_err(|error| refused(502, "answer-unreadable", format!("cannot read the query's results: {error}")))
    }

    /// Adds a value to a statistic of this document, see `/stats`.
    pub fn stat(&self, name: &str, value: f64) {
        host::stat(name, value);
    }

    /// Returns the fault of an effect whose body could not be written.
    pub(crate) fn broken(&mut self) -> Option<Fault> {
        self.broken.take()
    }

    fn with_body(&mut self, action: Action, to: String, body: &impl Serialize) -> &mut Effect {
        let body = match text_of(body) {
            Ok(body) => Some(body),
            Err(fault) => {
                self.broken.get_or_insert(fault);
                None
            }
        };
        self.send(Effect::new(action, to, body))
    }
}

/// Returns the fields of a line of the log, with the place in the sources.
fn located(fields: &serde_json::Value, at: &Location<'_>) -> String {
    let mut all = serde_json::Map::new();
    all.insert("at".to_owned(), format!("{}:{}", at.file(), at.line()).into());
    match fields {
        serde_json::Value::Object(own) => all.extend(own.clone()),
        serde_json::Value::Null => {}
        // What is no object is passed on as it is; the host shows it.
        other => return other.to_string(),
    }
    serde_json::Value::Object(all).to_string()
}

/// Returns the text as it stands in the query part of a link.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_line_of_the_log_says_where_it_comes_from_unless_it_says_so_itself() {
        let here = Location::caller();
        let at = format!("{}:{}", file!(), here.line());
        let fields = |fields: Value| serde_json::from_str::<Value>(&located(&fields, here)).expect("JSON");
        assert_eq!(fields(Value::Null), json!({ "at": at }));
        assert_eq!(fields(json!({ "by": 5 })), json!({ "at": at, "by": 5 }));
        assert_eq!(fields(json!({ "at": "a.yaml:3" })), json!({ "at": "a.yaml:3" }));
        assert_eq!(fields(json!([1])), json!([1]));
    }
}
