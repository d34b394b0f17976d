//! The table of statuses: the one place of the host that knows which failure has which status of HTTP.
//!
//! Every failure of a request is a value of [`Error`]; [`Error::facts`] says how clients see it: the status, a stable
//! code in kebab case, Xenon's `errorCode`, and when to try again. What else belongs into the problem document is written
//! by [`super::problem`].
//!
//! Source: RFC 9457; the codes of Xenon's `ServiceErrorResponse`.

use bytes::Bytes;
use http::{Method, StatusCode};
use steward_model::link;
use steward_model::operation::Fault;
use steward_protocol::cluster::Refused;
use steward_sandbox::{CallError, PrepareError};

use super::deployment::Breaking;
use super::problem;
use crate::cluster::ProposeError;
use crate::operation;
use crate::query::Refusal;
use crate::service::{ModulesError, SchemaError, StoreError};
use steward_model::json;
use steward_query::{odata, page, run, task};

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The operation failed.
    #[error(transparent)]
    Operation(#[from] operation::Error),
    /// The method means nothing at this path.
    #[error("{path} does not support {method}")]
    Method { method: Method, path: String, allowed: &'static str },
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
    /// The body broke off, or its coding is damaged.
    #[error("the body cannot be read: {0}")]
    BodyLost(String),
    /// The body is no JSON.
    #[error("the body is no JSON: {reason} at line {line} column {column}")]
    NotJson { reason: String, line: usize, column: usize },
    /// The body has a key that no document may have.
    #[error("the body has the key {key:?} at line {line} column {column}, which is reserved")]
    ReservedKey { key: String, line: usize, column: usize },
    /// A header cannot be understood.
    #[error("header {name} {reason}")]
    Header { name: &'static str, reason: String },
    /// A query parameter cannot be understood.
    #[error("query parameter {name} {reason}")]
    Parameter { name: &'static str, reason: String },
    /// The body is JSON of the wrong shape.
    #[error("the body {0}")]
    Body(String),
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
    /// Too many connections are open, and all of them are in use.
    #[error("{max} connections are open already, and all of them are in use")]
    Crowded { max: usize },
    /// The bodies of requests take too much memory.
    #[error("the bodies of requests under way take {max} bytes already")]
    BodiesFull { max: usize },
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
    /// A guest module is refused, or cannot be read from disk.
    #[error("{0}")]
    Module(#[from] ModulesError),
    /// The system group says no.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// The system group did not decide.
    #[error("{0}")]
    Undecided(ProposeError),
    /// The path belongs to the host.
    #[error("{path} cannot be mounted: {reason}")]
    Reserved { path: String, reason: &'static str },
    /// The schema of a module's state cannot be compiled.
    #[error("{0}")]
    Schema(#[from] SchemaError),
    /// Stored documents could not be read any more.
    #[error("{0}")]
    Breaking(Box<Breaking>),
    /// The factory never had such a revision, or none to return to.
    #[error("factory {path} {reason}")]
    NoSuchRevision { path: String, reason: String },
}

/// When the same request may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    /// Not before it is changed.
    Never,
    /// After the document has been read again.
    AfterReread,
    /// As it is, after so many seconds.
    Later(u32),
}

/// How clients see a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) status: StatusCode,
    pub(super) code: String,
    /// Xenon's `errorCode`.
    pub(super) error_code: i32,
    pub(super) retry: Retry,
}

/// A failure as a service sees it that asked by an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The status that a client of HTTP would see.
    pub(crate) status: u16,
    /// The problem document.
    pub(crate) body: Bytes,
    /// True if the same request may succeed later.
    pub(crate) passes: bool,
}

/// Returns the problem that a failed operation is to whoever asked for it inside the host.
pub(crate) fn problem_of(error: &operation::Error) -> Problem {
    let facts = of_operation(error);
    let body = problem::brief(&facts, &error.to_string()).to_string().into();
    Problem { status: facts.status.as_u16(), body, passes: matches!(facts.retry, Retry::Later(_)) }
}

/// Returns the fault that a failed operation is to a guest that called for it.
pub(crate) fn fault_of(error: &operation::Error) -> Fault {
    if let operation::Error::Refused(fault) = error {
        return fault.clone();
    }
    let facts = of_operation(error);
    Fault { status: facts.status.as_u16(), code: facts.code, message: error.to_string(), pointer: String::new() }
}

const NOT_FOUND: i32 = i32::MIN;
const MARKED_DELETED: i32 = i32::MIN + 2;
const ALREADY_EXISTS: i32 = i32::MIN + 3;
const QUEUE_LIMIT: i32 = i32::MIN + 7;

fn facts(status: StatusCode, code: &str, retry: Retry) -> Facts {
    Facts { status, code: code.to_owned(), error_code: 0, retry }
}

fn never(status: StatusCode, code: &str) -> Facts {
    facts(status, code, Retry::Never)
}

fn later(status: StatusCode, code: &str, seconds: u32) -> Facts {
    facts(status, code, Retry::Later(seconds))
}

impl Facts {
    fn xenon(self, error_code: i32) -> Facts {
        Facts { error_code, ..self }
    }
}

impl From<json::Error> for Error {
    fn from(error: json::Error) -> Error {
        match error {
            json::Error::Syntax { reason, line, column } => Error::NotJson { reason, line, column },
            json::Error::ReservedKey { key, line, column } => Error::ReservedKey { key, line, column },
        }
    }
}

impl From<ProposeError> for Error {
    fn from(error: ProposeError) -> Error {
        match error {
            ProposeError::Refused(refused) => Error::Refused(refused),
            other @ (ProposeError::TooLarge { .. }
            | ProposeError::NoMajority
            | ProposeError::NotLeader { .. }
            | ProposeError::Closed) => Error::Undecided(other),
        }
    }
}

impl Error {
    /// Returns how clients see the failure.
    pub(super) fn facts(&self) -> Facts {
        match self {
            Error::Operation(error) => of_operation(error),
            Error::Method { .. } => never(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"),
            Error::MediaType { .. } | Error::Coding(_) => {
                never(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type")
            }
            Error::NotAcceptable(_) => never(StatusCode::NOT_ACCEPTABLE, "not-acceptable"),
            Error::BodyTooLarge { .. } => never(StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large"),
            Error::BodyLate { .. } => later(StatusCode::REQUEST_TIMEOUT, "deadline", 0),
            Error::BodyLost(_) => later(StatusCode::BAD_REQUEST, "body", 0),
            Error::NotJson { .. } => never(StatusCode::BAD_REQUEST, "malformed-json"),
            Error::ReservedKey { .. } => never(StatusCode::BAD_REQUEST, "reserved-key"),
            Error::Header { .. } | Error::Parameter { .. } | Error::Path(_) => {
                never(StatusCode::BAD_REQUEST, "bad-request")
            }
            Error::Body(_) | Error::Field { .. } => never(StatusCode::BAD_REQUEST, "validation"),
            Error::NoSuchPath { .. } | Error::NoSuchRevision { .. } => {
                never(StatusCode::NOT_FOUND, "not-found").xenon(NOT_FOUND)
            }
            Error::NotOffered { .. } => never(StatusCode::NOT_FOUND, "not-offered").xenon(NOT_FOUND),
            Error::Overloaded { .. } | Error::Crowded { .. } | Error::BodiesFull { .. } => {
                later(StatusCode::SERVICE_UNAVAILABLE, "overloaded", 1)
            }
            Error::NotAvailable { .. } | Error::Unready { .. } => {
                later(StatusCode::SERVICE_UNAVAILABLE, "not-available", 1)
            }
            Error::Panicked => never(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Error::Query(refusal) => of_query(refusal),
            Error::Storage(_) => never(StatusCode::INTERNAL_SERVER_ERROR, "storage"),
            Error::Module(error) => of_module(error),
            Error::Refused(refused) => of_refused(refused),
            Error::Undecided(error) => of_undecided(error),
            Error::Schema(_) => never(StatusCode::UNPROCESSABLE_ENTITY, "module-schema"),
            Error::Reserved { .. } => never(StatusCode::CONFLICT, "deploy-path-reserved"),
            Error::Breaking(_) => never(StatusCode::CONFLICT, "deploy-breaking-state"),
        }
    }
}

fn of_operation(error: &operation::Error) -> Facts {
    use operation::Error as E;
    match error {
        // What repairs a module takes longer than a moment.
        E::NotServed { .. } => later(StatusCode::SERVICE_UNAVAILABLE, "not-available", 5),
        E::UnknownPath { .. } | E::NotFound { .. } | E::VersionNotFound { .. } => {
            never(StatusCode::NOT_FOUND, "not-found").xenon(NOT_FOUND)
        }
        E::Deleted { .. } => never(StatusCode::NOT_FOUND, "not-found").xenon(MARKED_DELETED),
        E::Exists { .. } => never(StatusCode::CONFLICT, "already-exists").xenon(ALREADY_EXISTS),
        E::CreateDeleted { .. } => never(StatusCode::CONFLICT, "marked-deleted").xenon(MARKED_DELETED),
        E::NotSupported { .. } => never(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"),
        E::PreconditionFailed { .. } => {
            facts(StatusCode::PRECONDITION_FAILED, "precondition-failed", Retry::AfterReread)
        }
        E::PreconditionRequired { .. } => {
            facts(StatusCode::PRECONDITION_REQUIRED, "precondition-required", Retry::AfterReread)
        }
        E::VersionConflict { .. } => facts(StatusCode::CONFLICT, "conflict", Retry::AfterReread),
        E::BodyMissing { .. } | E::NotAnObject { .. } | E::BuiltInField { .. } | E::Link(_) | E::ForeignLink { .. } => {
            never(StatusCode::BAD_REQUEST, "validation")
        }
        // The status that the SDKs choose: clients need not know whether the host or the guest checks a body.
        E::Invalid { .. } => never(StatusCode::BAD_REQUEST, "validation"),
        E::DocumentTooLarge { .. } => never(StatusCode::UNPROCESSABLE_ENTITY, "document-too-large"),
        E::UpdateTooLarge { .. } => never(StatusCode::PAYLOAD_TOO_LARGE, "update-too-large"),
        E::KeyReused { .. } => never(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused"),
        E::Refused(fault) => {
            let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
            let code = if fault.code.is_empty() { "refused" } else { &fault.code };
            never(status, code)
        }
        E::Guest { error, .. } => of_guest(error),
        E::Outcome { .. } => never(StatusCode::INTERNAL_SERVER_ERROR, "guest-outcome"),
        E::StateVersion { .. } => never(StatusCode::INTERNAL_SERVER_ERROR, "state-version"),
        E::QueueFull { .. } => later(StatusCode::SERVICE_UNAVAILABLE, "overloaded", 1).xenon(QUEUE_LIMIT),
        E::Busy(_) => later(StatusCode::SERVICE_UNAVAILABLE, "overloaded", 1),
        E::Behind(_) => later(StatusCode::SERVICE_UNAVAILABLE, "not-available", 1),
        E::NoQuorum { .. } => later(StatusCode::SERVICE_UNAVAILABLE, "no-quorum", 1),
        E::Unavailable { .. } | E::Lost(_) | E::Superseded { .. } => {
            later(StatusCode::SERVICE_UNAVAILABLE, "not-available", 1)
        }
        E::NoSpace(_) => later(StatusCode::INSUFFICIENT_STORAGE, "no-space", 30),
        E::Stopping => later(StatusCode::SERVICE_UNAVAILABLE, "stopping", 5),
        // Damage stays until the store is made anew; anything else passes, and the store comes back by itself.
        E::Storage(error) if error.is_damage() => never(StatusCode::INTERNAL_SERVER_ERROR, "storage"),
        E::Storage(_) => later(StatusCode::SERVICE_UNAVAILABLE, "storage", 1),
        E::Query(refusal) => of_query(refusal),
        E::Broken => never(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

fn of_guest(error: &CallError) -> Facts {
    let status = match error {
        CallError::Refused(fault) => StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST),
        CallError::Deadline { .. } => StatusCode::GATEWAY_TIMEOUT,
        CallError::Overloaded { .. } => return later(StatusCode::SERVICE_UNAVAILABLE, "overloaded", 1),
        CallError::Trap { .. }
        | CallError::Memory { .. }
        | CallError::StackOverflow { .. }
        | CallError::OutputTooLarge { .. }
        | CallError::TooManyEffects { .. }
        | CallError::NotJson { .. }
        | CallError::NotAnObject
        | CallError::Status { .. }
        | CallError::Effect { .. }
        | CallError::NotText { .. }
        | CallError::MissingHandler { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    never(status, error.code())
}

fn of_page(error: &page::Error) -> Facts {
    match error {
        page::Error::Expired => never(StatusCode::GONE, "page-expired"),
        page::Error::Damaged | page::Error::OtherQuery | page::Error::TooLong(_) => {
            never(StatusCode::BAD_REQUEST, "query")
        }
    }
}

fn of_listing(error: &odata::Error) -> Facts {
    match error {
        odata::Error::Page(page) => of_page(page),
        odata::Error::Encoding(_)
        | odata::Error::Unsupported(_)
        | odata::Error::Dollar(_)
        | odata::Error::Repeated(_)
        | odata::Error::Value { .. }
        | odata::Error::TopAndLimit
        | odata::Error::Filter(_) => never(StatusCode::BAD_REQUEST, "query"),
    }
}

fn of_task(error: &task::Error) -> Facts {
    match error {
        task::Error::Page(page) => of_page(page),
        task::Error::Shape(_) | task::Error::Specification(_) => never(StatusCode::BAD_REQUEST, "query"),
    }
}

fn of_query(refusal: &Refusal) -> Facts {
    match refusal {
        Refusal::Listing(error) => of_listing(error),
        Refusal::Task(error) => of_task(error),
        Refusal::Page(error) => of_page(error),
        Refusal::Run(run::Error::Source(_)) => never(StatusCode::INTERNAL_SERVER_ERROR, "storage"),
        Refusal::Run(run::Error::Deadline { .. }) => later(StatusCode::SERVICE_UNAVAILABLE, "deadline", 1),
        Refusal::Run(run::Error::Scanned { .. } | run::Error::Held { .. }) => {
            never(StatusCode::UNPROCESSABLE_ENTITY, "query-too-large")
        }
        Refusal::Behind(_) => later(StatusCode::SERVICE_UNAVAILABLE, "not-available", 1),
        Refusal::Broken => never(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

fn of_module(error: &ModulesError) -> Facts {
    match error {
        ModulesError::Refused(PrepareError::Busy { .. }) => later(StatusCode::SERVICE_UNAVAILABLE, "overloaded", 5),
        ModulesError::Refused(refused) => never(StatusCode::UNPROCESSABLE_ENTITY, refused.code()),
        ModulesError::Store(StoreError::Missing { .. }) => never(StatusCode::INTERNAL_SERVER_ERROR, "module-missing"),
        ModulesError::Store(StoreError::Damaged { .. }) => never(StatusCode::INTERNAL_SERVER_ERROR, "module-damaged"),
        ModulesError::Store(StoreError::File { .. }) => never(StatusCode::INTERNAL_SERVER_ERROR, "module-file"),
    }
}

fn of_undecided(error: &ProposeError) -> Facts {
    match error {
        ProposeError::Refused(refused) => of_refused(refused),
        ProposeError::TooLarge { .. } => never(StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large"),
        ProposeError::NoMajority => later(StatusCode::SERVICE_UNAVAILABLE, "no-quorum", 1),
        ProposeError::NotLeader { .. } => later(StatusCode::SERVICE_UNAVAILABLE, "not-available", 1),
        ProposeError::Closed => later(StatusCode::SERVICE_UNAVAILABLE, "stopping", 5),
    }
}

fn of_refused(refused: &Refused) -> Facts {
    let conflict = |code| facts(StatusCode::CONFLICT, code, Retry::AfterReread);
    match refused {
        Refused::UnknownNode { .. } | Refused::UnknownModule { .. } | Refused::NotMounted { .. } => {
            never(StatusCode::NOT_FOUND, "not-found").xenon(NOT_FOUND)
        }
        Refused::QuorumZero | Refused::QuorumOutOfReach { .. } => never(StatusCode::BAD_REQUEST, "validation"),
        Refused::ModuleMounted { .. } => conflict("module-mounted"),
        Refused::PathTaken { .. } => conflict("already-exists").xenon(ALREADY_EXISTS),
        Refused::StaleRevision { .. } => conflict("conflict"),
        Refused::ServiceDiffers { .. } => conflict("deploy-service-differs"),
        Refused::Overlap { .. } => conflict("deploy-path-overlap"),
        Refused::NoGenesis
        | Refused::GenesisExists
        | Refused::GenesisInvalid(_)
        | Refused::StaleBoot { .. }
        | Refused::WrongStatus { .. }
        | Refused::NotAvailable { .. }
        | Refused::Observer { .. }
        | Refused::NotAssigned { .. }
        | Refused::StaleEpoch { .. }
        | Refused::StaleVersion { .. }
        | Refused::NotInSync { .. }
        | Refused::AlreadyPrimary { .. }
        | Refused::PrimaryLeftOut { .. }
        | Refused::HoldsReplicas { .. } => conflict("conflict"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use steward_model::{Link, Version};

    fn status_and_code(error: impl Into<Error>) -> (u16, String) {
        let facts = error.into().facts();
        (facts.status.as_u16(), facts.code)
    }

    fn link() -> Link {
        Link::parse("/core/examples/one").expect("a valid link")
    }

    #[test]
    fn refusal_of_a_guest_keeps_its_own_status_and_code() {
        let fault = Fault { status: 418, code: "teapot".into(), message: "no coffee".into(), pointer: String::new() };
        assert_eq!(status_and_code(operation::Error::Refused(fault)), (418, "teapot".into()));
    }

    #[test]
    fn codes_of_xenon_stay_what_its_clients_know() {
        let exists = Error::from(operation::Error::Exists { link: link() }).facts();
        let deleted = Error::from(operation::Error::Deleted { link: link(), version: Version(3) }).facts();
        let unknown = Error::from(operation::Error::NotFound { link: link() }).facts();
        assert_eq!(
            [exists.error_code, deleted.error_code, unknown.error_code],
            [-2_147_483_645, -2_147_483_646, i32::MIN]
        );
    }

    #[test]
    fn what_passes_by_itself_may_be_tried_later() {
        let facts = Error::from(operation::Error::QueueFull { link: link(), limit: 9 }).facts();
        assert_eq!((facts.status.as_u16(), facts.retry), (503, Retry::Later(1)));
        assert_eq!(status_and_code(operation::Error::NoSpace("full".into())), (507, "no-space".into()));
    }
}
