//! Why an operation was refused or failed.

use steward_model::link;
use steward_model::operation::Fault;
use steward_model::problem::{Happened, Problem, Violation};
use steward_model::{Action, Epoch, Link, PartitionId, Position, Version};
use steward_replication::pending::TooMany;
use steward_sandbox::CallError;

use super::freshness::{Copied, tag_of};
use super::not_replayable::NotReplayable;
use super::patience::Patience;
use crate::partition::{Behind, Lost, NotConfirmed, Partition, ProposeError, TurnError};
use crate::query::Refusal;
use crate::service::{Absent, ServiceTable};

/// How many copies of a partition count now, and how many an update needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copies {
    pub available: u64,
    pub quorum: u32,
}

impl Copies {
    /// Returns how a partition stands.
    pub(crate) fn of(partition: &Partition) -> Copies {
        let row = partition.status().replica.row;
        row.map_or(Copies { available: 0, quorum: 1 }, |row| Copies {
            available: row.in_sync.len() as u64,
            quorum: row.write_quorum,
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No service is mounted at the path or above it.
    #[error("nothing is at {link}")]
    UnknownPath {
        link: Link,
        /// A factory with a similar path.
        nearest: Option<Link>,
    },
    /// The factory at the path or above it is known, and this node cannot serve it now.
    #[error("{factory} is not served on this node now: {reason}")]
    NotServed { factory: Link, reason: String },
    /// The factory has no such child.
    #[error("{link} does not exist")]
    NotFound { link: Link },
    /// The document has expired.
    #[error("{link} has expired, and none of its versions is kept")]
    Expired { link: Link },
    /// The document does not keep this version, or never had it.
    #[error("{link} has no version {version} any more, or not yet")]
    VersionNotFound { link: Link, version: Version },
    /// The request that made the version cannot run once more.
    #[error(transparent)]
    NotReplayable(#[from] NotReplayable),
    /// The document was deleted.
    #[error("{link} is marked deleted since version {version}")]
    Deleted {
        link: Link,
        /// The version of its tombstone.
        version: Version,
    },
    /// A document of this link exists already.
    #[error("{link} exists already")]
    Exists { link: Link },
    /// A document of this link existed and was deleted.
    #[error(
        "{link} was deleted, at version {version}: create it anew with documentVersion {} or higher, or with the header Pragma: xn-force-index-update",
        version.0.saturating_add(1)
    )]
    CreateDeleted {
        link: Link,
        /// The version of its tombstone.
        version: Version,
    },
    /// The service does not do this.
    #[error("{link} does not support {}", action.as_str())]
    NotSupported {
        link: Link,
        action: Action,
        /// What can be asked.
        allowed: Vec<Action>,
    },
    /// A precondition of the request does not hold.
    #[error("{link} is at {}, the request demands otherwise", have.as_deref().unwrap_or("no version: it does not exist"))]
    PreconditionFailed { link: Link, have: Option<String> },
    /// The service wants every update to name the version that it changes.
    #[error("{link} is updated only with the version that the update is based on: send documentVersion or If-Match")]
    PreconditionRequired { link: Link },
    /// The body names another version than the current one.
    #[error("{link} is at version {have}, the request names version {named}")]
    VersionConflict { link: Link, have: Version, named: Version },
    /// The request needs a body.
    #[error("{} {link} needs a JSON object as its body", action.as_str())]
    BodyMissing { link: Link, action: Action },
    /// The body is JSON, but not an object.
    #[error("the body must be a JSON object, it is {found}")]
    NotAnObject { found: &'static str },
    /// A built-in field of the body has a value that cannot be.
    #[error("{field} {reason}")]
    BuiltInField { field: &'static str, reason: String },
    /// The body does not fit the schema of the service.
    #[error("{}", not_valid(violations.len()))]
    Invalid { violations: Vec<Violation> },
    /// The name of a child is no name.
    #[error("the child's self-link cannot be: {0}")]
    Link(#[from] link::Error),
    /// The self-link in the body lies elsewhere.
    #[error("documentSelfLink {link} is not directly below {factory}")]
    ForeignLink {
        link: String,
        /// The factory that was asked.
        factory: Link,
    },
    /// The new state is larger than a document of the service may be.
    #[error("the new state has {bytes} bytes, a document may have {max}")]
    DocumentTooLarge { bytes: usize, max: usize },
    /// The same idempotency key was used for another request.
    #[error("the idempotency key was used for another request to {link}")]
    KeyReused { link: Link },
    /// The guest said no.
    #[error("{0}")]
    Refused(Fault),
    /// The guest said no to the body, which does not fit at other places either.
    #[error("{}", fault.message)]
    RefusedBody {
        /// What the guest said.
        fault: Fault,
        /// What else is wrong.
        further: Vec<Violation>,
    },
    /// The guest failed, or what it returned cannot be used.
    #[error("service {service}: {error}")]
    Guest { service: Link, error: CallError },
    /// The guest decided something that it may not.
    #[error("service {service}: {reason}")]
    Outcome {
        service: Link,
        /// What, and what is allowed.
        reason: String,
    },
    /// The stored state has a shape that the mounted module does not read.
    #[error("{link} is stored as state version {stored}, the mounted module does not read that")]
    StateVersion {
        link: Link,
        /// The shape it is stored in.
        stored: u32,
    },
    /// Another module answers by now than the one that the operation began on.
    #[error("the service at {path} was at revision {revision} when the operation began, and is not any more")]
    Superseded {
        path: Link,
        /// The revision that the operation began on.
        revision: u64,
    },
    /// Too many operations wait for the document.
    #[error("{link} has {limit} operations waiting already")]
    QueueFull {
        link: Link,
        /// How many may wait.
        limit: usize,
    },
    /// What the operation needs did not come in time.
    #[error("waited {seconds} s for partition {partition}: {reason}")]
    Unavailable {
        partition: PartitionId,
        reason: String,
        /// How long it waited.
        seconds: u64,
        /// Whether the operation may have happened.
        happened: Happened,
        /// How the partition stood then.
        copies: Copies,
    },
    /// Another node orders the updates of the document.
    #[error("{link} belongs to node {owner}")]
    Elsewhere {
        link: Link,
        partition: PartitionId,
        /// The name of the owner.
        owner: String,
        /// How the owner is reached.
        address: String,
        /// The reign of the owner.
        epoch: Epoch,
    },
    /// The copy of this node has not come as far as the reader has seen.
    #[error(
        "waited {seconds} s for {link} at {}, the copy of this node in partition {partition} is at {}", tag_of(*named), tag_of(*shows)
    )]
    CopyBehind {
        link: Link,
        partition: PartitionId,
        /// What the reader has seen.
        named: Position,
        /// Up to where the copy is committed.
        shows: Position,
        /// How long the read waited.
        seconds: u64,
    },
    /// What the reader names as seen is nothing that the log of the document's partition has at this place.
    #[error("the log of {link} has another record in the place of {}", tag_of(*named))]
    NotInLog {
        link: Link,
        /// What the reader names.
        named: Position,
    },
    /// A copy has said no, which may know less than the owner.
    #[error("{error}")]
    OfCopy { error: Box<Error>, copied: Copied },
    /// It is not certain any more that this node orders the updates of the document; nothing has happened.
    #[error("{0}")]
    NotConfirmed(#[from] NotConfirmed),
    /// The owner of the document has said no.
    #[error("{}", problem.detail)]
    Remote {
        problem: Box<Problem>,
        /// How long an effect that met this is tried again.
        patience: Patience,
    },
    /// Fewer nodes are available than the quorum asks for.
    #[error("waited {seconds} s for the quorum: {available} of the {quorum} nodes that it needs are available")]
    NoQuorum {
        /// How many nodes are available.
        available: u32,
        quorum: u32,
        /// How long the operation waited.
        seconds: u64,
    },
    /// More nodes shall hold the update than the group has.
    #[error("{wanted} nodes shall hold the update, the group has {nodes}")]
    TooFewNodes {
        /// How many are wanted.
        wanted: u32,
        /// How many there are, available or not.
        nodes: u32,
    },
    /// The update is committed, and fewer members hold it than its client wants.
    #[error(
        "waited {seconds} s for more copies of {link}: the update is committed, {held} of the {wanted} wanted copies hold it"
    )]
    TooFewCopies {
        link: Link,
        /// How many are known to hold it.
        held: usize,
        wanted: usize,
        /// How long the answer was held back for that.
        seconds: u64,
    },
    /// The update does not fit into the log, with its effects and its remembered answer.
    #[error("the update takes about {bytes} bytes with its effects and its remembered answer, {most} are possible")]
    UpdateTooLarge {
        /// About its bytes.
        bytes: u64,
        /// How many are possible.
        most: u64,
    },
    /// The update would add more effects than there may be.
    #[error("{0}")]
    TooManyEffects(TooMany),
    /// The node takes no update at this moment.
    #[error("{0}")]
    Busy(ProposeError),
    /// The update was in the log when the reign ended.
    #[error("{0}")]
    Lost(#[from] Lost),
    /// A query has no answer.
    #[error("{0}")]
    Query(#[from] Refusal),
    /// The disk is full.
    #[error("{0}")]
    NoSpace(String),
    /// What is asked for needs a state store that is up to date.
    #[error("{0}")]
    Behind(#[from] Behind),
    /// The host is stopping.
    #[error("this node is stopping and takes no new requests")]
    Stopping,
    /// The state store failed.
    #[error("the state store of this node failed: {0}")]
    Storage(#[from] steward_storage::documents::Error),
    /// A bug of ours: the task that ran the operation ended without an answer.
    #[error("the operation ended unexpectedly; this is a fault of the host")]
    Broken,
}

impl Error {
    /// Returns the error of what had begun: it may have happened in part, or yet happen.
    pub(super) fn begun(self) -> Error {
        match self {
            Error::Unavailable { partition, reason, seconds, happened: _, copies } => {
                Error::Unavailable { partition, reason, seconds, happened: Happened::Unknown, copies }
            }
            other => other,
        }
    }

    /// Returns the error of a path at which nothing answers.
    pub(crate) fn nowhere(services: &ServiceTable, link: &Link) -> Error {
        match services.absent(link) {
            Some(Absent { path, reason, .. }) => Error::NotServed { factory: path, reason },
            None => Error::UnknownPath { link: link.clone(), nearest: services.nearest(link) },
        }
    }

    /// Returns the error of a turn that could not be had.
    pub(crate) fn turn(link: &Link, error: TurnError) -> Error {
        match error {
            TurnError::QueueFull { limit } => Error::QueueFull { link: link.clone(), limit },
        }
    }

    /// Returns the error of an update that was not taken.
    pub(crate) fn propose(error: ProposeError) -> Error {
        match error {
            ProposeError::NoSpace(reason) => Error::NoSpace(reason),
            ProposeError::NotAdmitted { partition, .. } => Error::NotConfirmed(NotConfirmed(partition)),
            ProposeError::TooLarge { bytes, most } => Error::UpdateTooLarge { bytes, most },
            ProposeError::TooManyEffects(too_many) => Error::TooManyEffects(too_many),
            ProposeError::Behind { .. } | ProposeError::TooFewFollow { .. } | ProposeError::Stopping => {
                Error::Busy(error)
            }
        }
    }

    /// Returns the error of a guest call.
    pub(crate) fn guest(service: &Link, error: CallError) -> Error {
        match error {
            CallError::Refused(fault) => Error::Refused(fault),
            other => Error::Guest { service: service.clone(), error: other },
        }
    }
}

fn not_valid(fields: usize) -> String {
    match fields {
        1 => "1 field of the body is not valid".to_owned(),
        _ => format!("{fields} fields of the body are not valid"),
    }
}
