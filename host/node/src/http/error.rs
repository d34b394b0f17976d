//! Why a request does not get the answer that it asked for: the failures of operations and queries, and those of HTTP
//! itself.
//!
//! Every failure of a request is a value of [`Error`]; [`Error::problem`] turns it into the problem that clients are
//! told.

use http::Method;
use steward_model::problem::{Kind, NOT_FOUND, Problem};
use steward_model::{Link, json, link, strict};
use steward_protocol::cluster::Refused;

use super::coding::Coding;
use crate::cluster::ProposeError;
use crate::deployment;
use crate::operation::{self, Unreadable, served};
use crate::query::Refusal;

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The operation failed.
    #[error(transparent)]
    Operation(#[from] operation::Error),
    /// The method means nothing at this path.
    #[error("{} does not support {method}", if path.is_empty() { "this host" } else { path })]
    Method {
        method: Method,
        path: String,
        /// What there is instead, as `Allow` lists it.
        allowed: String,
        /// What else helps.
        hint: Option<String>,
    },
    /// The body has a type that is not understood.
    #[error("the body is {found}, {wanted} is understood here")]
    MediaType { found: String, wanted: &'static str },
    /// The body is compressed in a way that is not understood.
    #[error("the body has the content coding {0:?}, gzip, zstd and identity are understood")]
    Coding(String),
    /// The client takes only what this host does not send.
    #[error("answers are application/json, and the request takes only {0}")]
    NotAcceptable(String),
    /// The body is too large.
    #[error("the body has more than {max} bytes")]
    BodyTooLarge { max: usize },
    /// The body did not arrive.
    #[error("the body did not arrive within {seconds} s")]
    BodyLate { seconds: u64 },
    /// The body broke off.
    #[error("the body cannot be read: {0}")]
    BodyLost(String),
    /// The body is not in the coding in which it is said to be.
    #[error("the body is not what Content-Encoding: {} says: {reason}", coding.name())]
    BodyDamaged { coding: Coding, reason: String },
    /// The request expects of the host what it does not know.
    #[error("the request expects {0:?}; what is met here is 100-continue, said once")]
    Expectation(String),
    /// The body is no JSON.
    #[error("the body is no JSON: {reason} at line {line} column {column}")]
    NotJson { reason: String, line: usize, column: usize },
    /// The body has a number that cannot be kept.
    #[error(
        "the body has the number {number} at line {line} column {column}, which is out of range: {}",
        json::NUMBERS
    )]
    Number { number: String, line: usize, column: usize },
    /// The body has a key that no document may have.
    #[error("the body has the key {key:?} at line {line} column {column}, which is reserved")]
    ReservedKey { key: String, line: usize, column: usize },
    /// The body is framed in a way that other readers of the same bytes could take for another one.
    #[error("header Transfer-Encoding {0}")]
    Framing(String),
    /// The body is in a transfer coding that is not understood.
    #[error("the transfer coding {0:?} is not understood")]
    TransferCoding(String),
    /// A header cannot be understood.
    #[error("header {name} {reason}")]
    Header { name: &'static str, reason: String },
    /// A header by which the document is to be judged cannot be understood.
    #[error(transparent)]
    Demand(#[from] Unreadable),
    /// The request was meant for another host.
    #[error("the request is for {host}, and this node is not called so")]
    Misdirected { host: String },
    /// The request was meant for another scheme.
    #[error("the request is for an address that begins with {scheme}:, and this node is not reached so")]
    OtherScheme { scheme: String },
    /// The target of the request is none of its method.
    #[error("the target {target:?} is neither a path nor an address in full")]
    Target { target: String },
    /// A page of a foreign origin wants to change something.
    #[error("a page of {origin} may not change anything here")]
    ForeignOrigin { origin: String },
    /// The quorum could not be met by all nodes together.
    #[error("a quorum of {wanted} cannot be met: the group has {peers} node{}", if *peers == 1 { "" } else { "s" })]
    QuorumBeyond { wanted: u32, peers: usize },
    /// A query parameter cannot be understood.
    #[error("query parameter {name} {reason}")]
    Parameter { name: &'static str, reason: String },
    /// Nobody reads a query parameter of this name here.
    #[error("there is no query parameter {name} here")]
    UnknownParameter { name: String, known: Vec<&'static str> },
    /// The body is JSON of the wrong shape.
    #[error("the body {0}")]
    Body(String),
    /// The body is JSON of the wrong shape, at a place that is known.
    #[error("the body has the wrong shape: {0}")]
    Shape(#[from] strict::Fault),
    /// A field of the body cannot be understood.
    #[error("{pointer} {reason}")]
    Field { pointer: String, reason: String },
    /// The path is no self-link.
    #[error("{0}")]
    Path(#[from] link::Error),
    /// Nothing is at the path.
    #[error("nothing is at {path}")]
    NoSuchPath { path: String, nearest: Option<String> },
    /// The path is known, but this version of the host has nothing there.
    #[error("{path} is not there yet: this version of the host has no {what}")]
    NotOffered { path: String, what: &'static str },
    /// Something is at the path, and of its kind nothing such is kept.
    #[error("{link} is {is}, which has no {what}")]
    NotKept { link: Link, is: &'static str, what: &'static str },
    /// Too many connections are open, and all of them are in use.
    #[error("{max} connections are open already, and all of them are in use")]
    Crowded { max: usize },
    /// The bodies of requests take too much memory.
    #[error("the bodies of requests under way take {max} bytes already")]
    BodiesFull { max: usize },
    /// Answers that nobody has taken yet take too much memory.
    #[error("answers that clients have not taken yet hold {max} bytes together already")]
    AnswersFull { max: usize },
    /// Too many requests are under way.
    #[error("{max} requests are under way already")]
    Overloaded { max: usize },
    /// What was asked about does not serve now.
    #[error("{subject} is not available: {reason}")]
    NotAvailable { subject: String, reason: String },
    /// The node is not ready for requests; with what was checked if the client wants to know.
    #[error("{reason}")]
    Unready { reason: String, checks: Option<Vec<serde_json::Value>> },
    /// The code that handled the request broke.
    #[error("the request ended unexpectedly; this is a fault of the host")]
    Panicked,
    /// A query has no answer.
    #[error(transparent)]
    Query(#[from] Refusal),
    /// The state store failed.
    #[error("the state store of this node failed: {0}")]
    Storage(#[from] steward_storage::documents::Error),
    /// A change of what is deployed, or of the group, is refused or failed.
    #[error(transparent)]
    Deployment(#[from] deployment::Error),
}

impl From<json::Error> for Error {
    fn from(error: json::Error) -> Error {
        match error {
            json::Error::Syntax { reason, line, column } => Error::NotJson { reason, line, column },
            json::Error::Number { number, line, column } => Error::Number { number, line, column },
            json::Error::ReservedKey { key, line, column } => Error::ReservedKey { key, line, column },
        }
    }
}

impl From<ProposeError> for Error {
    fn from(error: ProposeError) -> Error {
        deployment::Error::from(error).into()
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Error {
        deployment::Error::from(refused).into()
    }
}

impl Error {
    /// Returns true if an invariant of the host is broken: operators should report that.
    pub(super) fn is_bug(&self) -> bool {
        matches!(
            self,
            Error::Panicked
                | Error::Operation(operation::Error::Broken | operation::Error::Query(Refusal::Broken))
                | Error::Query(Refusal::Broken)
                | Error::Deployment(deployment::Error::Broken | deployment::Error::Operation(operation::Error::Broken))
        )
    }

    /// Returns the failure as everybody speaks of it.
    pub(super) fn problem(&self) -> Problem {
        let never = |kind, code| Problem::never(kind, code, self);
        let later = |kind, code, seconds| Problem::later(kind, code, seconds, self);
        match self {
            Error::Operation(error) => error.problem(),
            Error::Query(refusal) => refusal.problem(),
            Error::Method { allowed, hint, .. } => {
                with_methods(never(Kind::NotSupported, "method-not-allowed"), allowed, hint.as_deref())
            }
            Error::MediaType { wanted, .. } => {
                never(Kind::MediaType, "unsupported-media-type").hint(format!("send the header Content-Type: {wanted}"))
            }
            Error::Coding(_) => {
                never(Kind::MediaType, "unsupported-media-type").hint("send the body without Content-Encoding")
            }
            Error::NotAcceptable(_) => never(Kind::NotAcceptable, "not-acceptable")
                .hint("send Accept: application/json; server-sent events are not there yet"),
            Error::BodyTooLarge { max } => never(Kind::TooLarge, "payload-too-large")
                .hint(format!("send {max} bytes or less, or start the host with a higher limit")),
            Error::BodyLate { .. } => later(Kind::Late, "deadline", 0),
            Error::BodyLost(_) => later(Kind::Invalid, "body", 0),
            Error::BodyDamaged { .. } => never(Kind::Invalid, "content-coding")
                .hint("code the whole body so, in one part or several, with nothing behind; or leave the header out"),
            Error::Expectation(_) => never(Kind::Expectation, "expectation").hint("leave the header Expect out"),
            Error::NotJson { line, column, .. } => at_place(never(Kind::Invalid, "malformed-json"), *line, *column),
            Error::Number { number, line, column } => at_place(never(Kind::Invalid, "number-range"), *line, *column)
                .with("number", number.as_str())
                .hint("send larger numbers as texts"),
            Error::ReservedKey { key, line, column } => {
                at_place(never(Kind::Invalid, "reserved-key"), *line, *column).with("key", key.as_str())
            }
            Error::Framing(_) => never(Kind::Invalid, "bad-request").hint(FRAMING),
            Error::TransferCoding(_) => never(Kind::NotImplemented, "transfer-coding").hint(FRAMING),
            Error::Header { .. }
            | Error::Demand(_)
            | Error::Parameter { .. }
            | Error::Path(_)
            | Error::Target { .. } => never(Kind::Invalid, "bad-request"),
            Error::QuorumBeyond { wanted, peers } => {
                beyond(never(Kind::Conflict, "quorum-beyond-group"), *wanted, *peers)
            }
            Error::Misdirected { host } => of_other_name(never(Kind::Misdirected, "misdirected"), host),
            Error::OtherScheme { scheme } => of_other_scheme(never(Kind::Misdirected, "misdirected"), scheme),
            Error::ForeignOrigin { origin } => never(Kind::Forbidden, "foreign-origin")
                .with("origin", origin.as_str())
                .hint(format!("start the node with --cors-origin {origin} if its pages may")),
            Error::UnknownParameter { name, known } => unread(never(Kind::Invalid, "bad-request"), name, known),
            Error::Body(_) => never(Kind::Invalid, "validation"),
            Error::Field { pointer, reason } | Error::Shape(strict::Fault { pointer, reason }) => {
                never(Kind::Invalid, "validation").at(pointer, reason)
            }
            Error::NoSuchPath { nearest, .. } => {
                never(Kind::NotFound, "not-found").xenon(NOT_FOUND).hint(served(nearest.as_deref()))
            }
            Error::NotOffered { .. } => never(Kind::NotFound, "not-offered").xenon(NOT_FOUND),
            Error::NotKept { what, .. } => of_documents(never(Kind::NotFound, "not-found").xenon(NOT_FOUND), what),
            Error::Crowded { .. } | Error::Overloaded { .. } | Error::BodiesFull { .. } | Error::AnswersFull { .. } => {
                overload(later(Kind::Unavailable, "overloaded", 1), self)
            }
            Error::NotAvailable { .. } => later(Kind::Unavailable, "not-available", 1),
            Error::Unready { checks, .. } => {
                with_checks(later(Kind::Unavailable, "not-available", 1), checks.as_deref())
            }
            Error::Panicked => never(Kind::Internal, "internal").unknown(),
            Error::Storage(_) => never(Kind::Internal, "storage"),
            Error::Deployment(error) => error.problem(),
        }
    }
}

/// Adds what helps against a bound that too much at once has met.
fn overload(problem: Problem, error: &Error) -> Problem {
    match error {
        Error::Overloaded { .. } => problem.hint("start the node with a higher --requests"),
        Error::BodiesFull { .. } => problem
            .hint("send less at once, or when others have been answered")
            .hint("or start the node with a higher --body-bytes"),
        Error::AnswersFull { .. } => {
            problem.hint("ask for less at once: $limit, $select").hint("or start the node with a higher --answer-bytes")
        }
        _ => problem,
    }
}

/// How the end of a body is said.
const FRAMING: &str =
    "send Transfer-Encoding: chunked once, or Content-Length; compression is said in Content-Encoding";

/// Adds where in a body something is.
fn at_place(problem: Problem, line: usize, column: usize) -> Problem {
    problem.with("line", line).with("column", column)
}

fn of_other_name(problem: Problem, host: &str) -> Problem {
    let problem = problem.with("host", host).hint("call the node by its address or by the name in its --public-uri");
    problem.hint(format!("or start it with --host-names {host}"))
}

fn of_other_scheme(problem: Problem, scheme: &str) -> Problem {
    problem.with("scheme", scheme).hint("ask for the path alone, or for http://NAME:PORT/PATH")
}

/// Adds the methods that there are at a path to a problem with another one.
fn with_methods(problem: Problem, allowed: &str, hint: Option<&str>) -> Problem {
    let problem = problem.with("allowed", allowed.split(", ").collect::<Vec<_>>());
    if let Some(hint) = hint { problem.hint(hint) } else { problem }
}

fn with_checks(problem: Problem, checks: Option<&[serde_json::Value]>) -> Problem {
    if let Some(checks) = checks { problem.with("checks", checks) } else { problem }
}

fn of_documents(problem: Problem, what: &str) -> Problem {
    problem.hint(format!("documents of factories have it: GET <factory>/<name>/{what}"))
}

fn beyond(problem: Problem, wanted: u32, peers: usize) -> Problem {
    let problem = problem.with("quorum", wanted).with("peers", peers).hint(format!("take {peers} or less, or auto"));
    problem.hint("send \"force\": true (steward quorum N --force) if nodes will join: no update is made until then")
}

fn unread(problem: Problem, name: &str, known: &[&str]) -> Problem {
    problem.with("parameter", name).hint(match known.is_empty() {
        true => "leave it out: no parameter is read here".to_owned(),
        false => format!("parameters that are read here: {}", known.join(", ")),
    })
}
