//! Failures in the form in which all parts of the host pass them on: to clients, to guests, to documents whose effect
//! failed, and between nodes.
//!
//! The part that fails makes a [`Problem`]. It says what sort of "no" this is ([`Kind`]), a stable code, whether
//! something may have happened, and when to try again. It says nothing about how it is delivered: HTTP makes a problem
//! document with headers of it, the sandbox a fault, the outbox the answer to an effect.
//!
//! Source: RFC 9457; the codes of Xenon's `ServiceErrorResponse`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::operation::Fault;

/// What Xenon calls the kind of an error body.
const DOCUMENT_KIND: &str = "com:vmware:xenon:common:ServiceErrorResponse";

/// Xenon's `errorCode` of what is not there.
pub const NOT_FOUND: i32 = i32::MIN;
/// Xenon's `errorCode` of a document that is marked deleted.
pub const MARKED_DELETED: i32 = i32::MIN + 2;
/// Xenon's `errorCode` of what exists already.
pub const ALREADY_EXISTS: i32 = i32::MIN + 3;
/// Xenon's `errorCode` of a full queue.
pub const QUEUE_LIMIT: i32 = i32::MIN + 7;

/// The sort of "no": each has one status of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The request cannot be understood, or says something that cannot be.
    Invalid,
    /// Whoever asks may not do this.
    Forbidden,
    /// Nothing answers at the link, or the document does not exist.
    NotFound,
    /// The service does not take this action.
    NotSupported,
    /// The client takes none of the forms in which the answer can be written.
    NotAcceptable,
    /// The body of the request did not arrive in time.
    Late,
    /// The request contradicts the state that is there.
    Conflict,
    /// It was there and is not any more.
    Gone,
    /// The client demanded a state of the document (such as `If-Match`) in which it is not.
    PreconditionFailed,
    /// The request has more bytes than the host takes.
    TooLarge,
    /// The body has a media type or an encoding that the host does not read.
    MediaType,
    /// The request was meant for another host.
    Misdirected,
    /// The request is understood and will never be carried out as it is.
    Unprocessable,
    /// The service demands that an update names the version on which it is based, and this one does not.
    PreconditionRequired,
    /// Whoever asks, or what is asked, has used up its share for now.
    TooMany,
    /// A fault of the host or of a service.
    Internal,
    /// The request is written in a way that the host does not understand, and need not.
    NotImplemented,
    /// The host cannot do it now; it will pass by itself.
    Unavailable,
    /// A guest used up its time.
    Deadline,
    /// The disk has no room for updates.
    NoSpace,
    /// The status that a guest chose; outside 400 to 599 it counts as 400.
    Chosen(u16),
    /// The request expects something of the host that it does not do.
    Expectation,
}

/// All kinds with a number of their own, their numbers in HTTP and the names of these. The one table of statuses.
const KINDS: [(Kind, u16, &str); 21] = [
    (Kind::Invalid, 400, "Bad Request"),
    (Kind::Forbidden, 403, "Forbidden"),
    (Kind::NotFound, 404, "Not Found"),
    (Kind::NotSupported, 405, "Method Not Allowed"),
    (Kind::NotAcceptable, 406, "Not Acceptable"),
    (Kind::Late, 408, "Request Timeout"),
    (Kind::Conflict, 409, "Conflict"),
    (Kind::Gone, 410, "Gone"),
    (Kind::PreconditionFailed, 412, "Precondition Failed"),
    (Kind::TooLarge, 413, "Payload Too Large"),
    (Kind::MediaType, 415, "Unsupported Media Type"),
    (Kind::Expectation, 417, "Expectation Failed"),
    (Kind::Misdirected, 421, "Misdirected Request"),
    (Kind::Unprocessable, 422, "Unprocessable Entity"),
    (Kind::PreconditionRequired, 428, "Precondition Required"),
    (Kind::TooMany, 429, "Too Many Requests"),
    (Kind::Internal, 500, "Internal Server Error"),
    (Kind::NotImplemented, 501, "Not Implemented"),
    (Kind::Unavailable, 503, "Service Unavailable"),
    (Kind::Deadline, 504, "Gateway Timeout"),
    (Kind::NoSpace, 507, "Insufficient Storage"),
];

impl Kind {
    /// Returns every kind that has a number of its own, in the order of these.
    pub fn all() -> impl Iterator<Item = Kind> {
        KINDS.into_iter().map(|(kind, ..)| kind)
    }

    /// Returns the number by which guests and clients know it: a status of HTTP from 400 to 599.
    pub fn status(self) -> u16 {
        match self {
            Kind::Chosen(status) if (400..=599).contains(&status) => status,
            Kind::Chosen(_) => Kind::Invalid.status(),
            named => KINDS.iter().find(|(kind, ..)| *kind == named).map_or(500, |(_, status, _)| *status),
        }
    }

    /// Returns the name that HTTP gives to the status; `Refused` for a status that only guests use.
    pub fn title(self) -> &'static str {
        let status = self.status();
        KINDS.iter().find(|(_, known, _)| *known == status).map_or("Refused", |(.., title)| title)
    }

    /// Returns true if the fault is not the client's.
    pub fn is_ours(self) -> bool {
        self.status() >= 500 && self != Kind::NotImplemented
    }
}

/// When the same request may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retry {
    /// Never: the request itself has to change.
    Never,
    /// After the document has been read again.
    AfterReread,
    /// Unchanged, after this many seconds; 0: at once.
    Later(u32),
}

impl Retry {
    fn word(self) -> &'static str {
        match self {
            Retry::Never => "never",
            Retry::AfterReread => "after-reread",
            Retry::Later(0) => "same-request",
            Retry::Later(_) => "later",
        }
    }
}

/// Whether a failed operation may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// Nothing has changed.
    No,
    /// It may have happened; the same request with the same idempotency key is safe to repeat.
    Unknown,
}

impl Happened {
    fn word(self) -> &'static str {
        match self {
            Happened::No => "none",
            Happened::Unknown => "unknown",
        }
    }
}

/// One place in a body that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// A JSON pointer into the body of the request.
    pub pointer: String,
    /// One sentence for people: what was tried, and why it failed.
    pub detail: String,
}

/// One failure, told without words of HTTP; see the head of this module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What sort of "no" it is.
    pub kind: Kind,
    /// A stable name in kebab case, by which programs decide.
    pub code: String,
    /// Xenon's `errorCode`, for clients that decide by it; 0: Xenon has none.
    pub error_code: i32,
    /// When the same request may succeed.
    pub retry: Retry,
    /// Whether something may have happened; none: the kind tells that nothing has.
    pub happened: Option<Happened>,
    /// One sentence for people.
    pub detail: String,
    /// What is wrong where in the body.
    pub violations: Vec<Violation>,
    /// What programs may want to know besides, by name.
    #[serde(with = "as_text")]
    pub members: Map<String, Value>,
    /// What can be done about it, the best first.
    pub hints: Vec<String>,
}

impl Problem {
    /// Returns a problem that nothing more is known of; a fault that is not the client's has changed nothing unless
    /// [`Problem::unknown`] says otherwise.
    pub fn new(kind: Kind, code: &str, retry: Retry, detail: impl ToString) -> Problem {
        Problem {
            kind,
            code: code.to_owned(),
            error_code: 0,
            retry,
            happened: kind.is_ours().then_some(Happened::No),
            detail: detail.to_string(),
            violations: Vec::new(),
            members: Map::new(),
            hints: Vec::new(),
        }
    }

    /// Returns a problem that the same request meets again.
    pub fn never(kind: Kind, code: &str, detail: impl ToString) -> Problem {
        Problem::new(kind, code, Retry::Never, detail)
    }

    /// Returns a problem that may pass within `seconds`.
    pub fn later(kind: Kind, code: &str, seconds: u32, detail: impl ToString) -> Problem {
        Problem::new(kind, code, Retry::Later(seconds), detail)
    }

    /// Sets Xenon's `errorCode`, one of the constants of this module.
    #[must_use]
    pub fn xenon(self, error_code: i32) -> Problem {
        Problem { error_code, ..self }
    }

    /// Says that it may have happened nevertheless. Whoever repeats it then without a look may do it twice, however soon it would succeed.
    #[must_use]
    pub fn unknown(self) -> Problem {
        let retry = match self.retry {
            Retry::Later(_) => Retry::AfterReread,
            other => other,
        };
        Problem { happened: Some(Happened::Unknown), retry, ..self }
    }

    /// Adds a member to the problem document, under `name`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a place in the body that is wrong.
    #[must_use]
    pub fn at(mut self, pointer: &str, detail: &str) -> Problem {
        self.violations.push(Violation { pointer: pointer.to_owned(), detail: detail.to_owned() });
        self
    }

    /// Adds something that can be done about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hints.push(hint.into());
        self
    }

    /// Returns the problem document, without what only HTTP knows.
    pub fn document(&self) -> Map<String, Value> {
        let status = self.kind.status();
        let mut members = json!({
            "type": format!("urn:steward:error:{}", self.code),
            "title": self.kind.title(),
            "status": status,
            "detail": self.detail,
            "code": self.code,
            "retry": self.retry.word(),
            "message": self.detail,
            "statusCode": status,
            "documentKind": DOCUMENT_KIND,
            "errorCode": self.error_code,
        });
        let Value::Object(members) = &mut members else { return Map::new() };
        if let Some(happened) = self.happened {
            members.insert("outcome".to_owned(), happened.word().into());
        }
        if !self.violations.is_empty() {
            let listed = self.violations.iter().map(|v| json!({"pointer": v.pointer, "detail": v.detail}));
            members.insert("errors".to_owned(), listed.collect());
        }
        members.extend(self.members.clone());
        if !self.hints.is_empty() {
            members.insert("hints".to_owned(), self.hints.clone().into());
        }
        std::mem::take(members)
    }
}

impl From<Fault> for Problem {
    /// A refusal of a guest, by its own number and code.
    fn from(fault: Fault) -> Problem {
        let code = if fault.code.is_empty() { "refused" } else { &fault.code };
        let problem = Problem::never(Kind::Chosen(fault.status), code, &fault.message);
        if fault.pointer.is_empty() { problem } else { problem.at(&fault.pointer, &fault.message) }
    }
}

impl From<Problem> for Fault {
    /// What a guest is told that called for something.
    fn from(problem: Problem) -> Fault {
        let pointer = problem.violations.into_iter().next().map(|violation| violation.pointer).unwrap_or_default();
        Fault { status: problem.kind.status(), code: problem.code, message: problem.detail, pointer }
    }
}

/// Serializes members as one JSON text: between nodes travels a format that does not describe itself.
mod as_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
    use serde_json::{Map, Value};

    pub(super) fn serialize<S: Serializer>(members: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
        // A map of names and values always has a text.
        serde_json::to_string(members).unwrap_or_default().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_number_and_its_name() {
        for (kind, status, title) in KINDS {
            assert_eq!((kind.status(), kind.title()), (status, title));
            assert_eq!(Kind::Chosen(status).title(), title);
        }
        assert_eq!((Kind::Chosen(418).status(), Kind::Chosen(418).title()), (418, "Refused"));
        assert_eq!(Kind::Chosen(200).status(), 400, "a refusal is none that succeeds");
    }

    #[test]
    fn a_refusal_passes_through_unchanged() {
        let fault = Fault { status: 409, code: "taken".into(), message: "is taken".into(), pointer: "/name".into() };
        let problem = Problem::from(fault.clone());
        assert_eq!(problem.document()["errors"], json!([{"pointer": "/name", "detail": "is taken"}]));
        assert_eq!(Fault::from(problem), fault);
    }

    #[test]
    fn a_document_serves_readers_of_the_rfc_and_of_xenon() {
        let problem = Problem::later(Kind::Unavailable, "overloaded", 1, "too much").xenon(QUEUE_LIMIT).with("n", 3);
        let document = Value::Object(problem.document());
        assert_eq!((&document["status"], &document["statusCode"]), (&json!(503), &json!(503)));
        assert_eq!((&document["detail"], &document["message"]), (&json!("too much"), &json!("too much")));
        assert_eq!(
            (&document["retry"], &document["outcome"], &document["n"]),
            (&json!("later"), &json!("none"), &json!(3))
        );
        assert_eq!(document["errorCode"], QUEUE_LIMIT);
    }
}
