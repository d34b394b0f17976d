//! What is asked when a recorded request is to run once more, and what comes of it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use steward_model::codec::bytes_run;
use steward_model::module::Digest;
use steward_model::operation::Cause;
use steward_model::problem::Problem;
use steward_model::recording::{RecordedEffects, RecordedRequest};
use steward_model::update::RememberedBody;
use steward_model::{Document, Link, Timestamp, Version};

use super::rehearsal::LogLine;

/// Which module runs a recorded request.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Runner {
    /// The one that answers now.
    Mounted,
    /// The one that made the version.
    Recorded,
    /// This one, which is installed.
    Module(Digest),
}

/// What is to run once more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Replaying {
    pub link: Link,
    /// The version whose request it is.
    pub version: Version,
    pub runner: Runner,
}

/// A recorded request, and its two outcomes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Replayed {
    pub request: RecordedRequest,
    /// Why its service was called.
    pub cause: Cause,
    /// Who asked, or empty.
    pub principal: String,
    /// The state before, as it is stored; none: the document was created.
    pub before: Option<Document>,
    /// What became of it at first.
    pub recorded: Outcome,
    /// What becomes of it now.
    pub replayed: Outcome,
    /// What the handler logged now.
    pub log: Vec<LogLine>,
    /// What the handler read now, of documents as they are now: links, and `query`.
    pub read: Vec<String>,
}

/// One outcome, and who made it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The module that ran, or under which the host decided.
    pub module: Digest,
    pub ended: Ended,
}

/// How a request ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ended {
    /// Something was decided.
    Decided(Box<Decided>),
    /// The handler refused, failed, or decided what it may not.
    Failed(Box<Problem>),
}

/// What was decided.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Decided {
    /// True if the document got a new version by it.
    pub makes_version: bool,
    /// What clients are told that made the version.
    pub action: String,
    /// The state afterwards.
    #[serde(with = "bytes_run")]
    pub state: Bytes,
    /// The shape of it.
    pub state_version: u32,
    /// When the document expires; zero: never.
    pub expires: Timestamp,
    /// Status of the answer, as a number of HTTP.
    pub status: u16,
    /// Body of the answer.
    pub reply: RememberedBody,
    /// What was to be sent.
    pub effects: RecordedEffects,
}
