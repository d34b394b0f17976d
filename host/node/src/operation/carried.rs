//! An operation, and what comes back, in the form in which they travel between nodes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use steward_model::codec::{Format, bytes_run};
use steward_model::operation::{Cause, Header};
use steward_model::problem::Problem;
use steward_model::update::RequestKey;
use steward_model::{Action, Document, Epoch, Link, Moment, Offset, PartitionId, Version};

use super::Error;
use super::body::Body;
use super::freshness::{Copied, Freshness};
use super::locate::Addressee;
use super::patience::Patience;
use super::replayed::{Replayed, Replaying};
use super::request::{Condition, Content, Operation, Purpose, Reply, Status, Wait};
use crate::partition::{Senders, Wanted};

/// An operation that somebody asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Carried {
    id: String,
    root: Option<String>,
    action: Action,
    link: Link,
    /// The operation was asked of the factory above the link.
    creates: bool,
    query: String,
    headers: Vec<Header>,
    body: Option<Run>,
    principal: String,
    cause: Cause,
    /// How long somebody waits for it: the clocks of two nodes have nothing in common.
    within: Duration,
    condition: Condition,
    idempotency_key: Option<RequestKey>,
    version: Option<Version>,
    freshness: Freshness,
    wanted: Option<Wanted>,
    first_action: Option<Action>,
    force: bool,
    /// It is for the shape of the document, and not for what the action says.
    migrates: bool,
}

/// What a node asks the owner of a partition.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    /// To carry out an operation.
    Operation(Box<Carried>),
    /// Up to where the partition is committed.
    Committed(PartitionId),
    /// To send nothing any more of what documents of the partition have to send, all of it or what has the tag.
    GiveUp(PartitionId, Senders, Option<String>),
    /// To run the request once more that made a version of a document. The document lies in the partition.
    Replay(PartitionId, Replaying),
}

impl Format for Question {
    const NAME: &'static str = "question to an owner";
    // The second can ask to give effects up; the third says who has chosen the key of a request; the fourth asks for replays, the fifth
    // for the effects of whole factories.
    const VERSION: u8 = 5;
    const READABLE_FROM: u8 = 5;
}

/// Bytes that are written as one run.
#[derive(Debug, Serialize, Deserialize)]
struct Run(#[serde(with = "bytes_run")] Bytes);

impl Carried {
    /// Returns an operation as it travels to a node that has `within` for it.
    pub(super) fn new(operation: &Operation, addressee: Addressee, within: Duration) -> Carried {
        let operation = operation.clone();
        Carried {
            id: operation.id,
            root: operation.root,
            action: operation.action,
            link: operation.link,
            creates: addressee == Addressee::Factory,
            query: operation.query,
            headers: operation.headers,
            body: operation.body.map(|body| Run(body.text().clone())),
            principal: operation.principal,
            cause: operation.cause,
            within,
            condition: operation.condition,
            idempotency_key: operation.idempotency_key,
            version: operation.version,
            freshness: operation.freshness,
            wanted: operation.wanted,
            first_action: operation.first_action,
            force: operation.force,
            migrates: operation.purpose == Purpose::Migrate,
        }
    }

    /// Returns the operation as it goes on here, where it is `now`.
    pub(super) fn operation(self, now: Moment) -> Operation {
        let factory = if self.creates { self.link.parent() } else { None };
        let (link, child) = match factory {
            Some(factory) => (factory, Some(self.link)),
            None => (self.link, None),
        };
        Operation {
            id: self.id,
            root: self.root,
            action: self.action,
            link,
            query: self.query,
            headers: self.headers,
            body: self.body.map(|run| Body::new(run.0)),
            principal: self.principal,
            cause: self.cause,
            purpose: if self.migrates { Purpose::Migrate } else { Purpose::Act },
            deadline: now.plus(self.within),
            wait: Wait { span: self.within, said: false },
            condition: self.condition,
            idempotency_key: self.idempotency_key,
            version: self.version,
            freshness: self.freshness,
            wanted: self.wanted,
            first_action: self.first_action,
            force: self.force,
            child,
            handed_on: true,
        }
    }
}

/// What an owner says to a question.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Brought {
    /// What was asked for.
    Answer(Answer),
    /// The operation failed.
    Failed {
        problem: Problem,
        /// How long an effect that met this is tried again.
        patience: Patience,
    },
    /// This node is not the owner. Nothing has happened.
    NotOwner {
        /// The reign of which this node knows: whoever asks waits until it knows of that one, too.
        epoch: Epoch,
    },
}

impl Format for Brought {
    const NAME: &'static str = "answer of an owner";
    // The second has the cause in its document, the third replays.
    const VERSION: u8 = 3;
    const READABLE_FROM: u8 = 3;
}

/// What an owner was asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// How the operation ended.
    Reply(Box<Answered>),
    /// Everything through this offset was committed when the question came.
    Committed(Option<Offset>),
    /// So many effects are not sent any more.
    GivenUp(usize),
    /// What became of a request that was run once more.
    Replayed(Box<Replayed>),
}

/// A reply.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answered {
    status: Status,
    document: Option<Document>,
    content: Content,
    headers: Vec<Header>,
    replayed: bool,
    owner: String,
    copy: Option<Copied>,
}

impl Answer {
    /// Returns the reply of the node called `here`, which owns the document unless the reply says otherwise.
    pub(super) fn reply(reply: Reply, here: &str) -> Answer {
        let owner = reply.answered_by(here).to_owned();
        let Reply { status, document, content, headers, replayed, owner: _, copy } = reply;
        // What it was made of stays where it is kept.
        let document = document.map(|document| Document { recording: Bytes::new(), ..Arc::unwrap_or_clone(document) });
        Answer::Reply(Box::new(Answered { status, document, content, headers, replayed, owner, copy }))
    }
}

impl Brought {
    /// Returns how an outcome is told.
    pub(super) fn of(outcome: Result<Answer, Error>) -> Brought {
        match outcome {
            Ok(answer) => Brought::Answer(answer),
            Err(Error::Elsewhere { epoch, .. }) => Brought::NotOwner { epoch },
            // The next owner answers: the node that was asked first finds it.
            Err(Error::NotConfirmed(_)) => Brought::NotOwner { epoch: Epoch::default() },
            Err(error) => Brought::Failed { problem: error.problem(), patience: error.patience() },
        }
    }
}

impl From<Box<Answered>> for Reply {
    fn from(answered: Box<Answered>) -> Reply {
        let Answered { status, document, content, headers, replayed, owner, copy } = *answered;
        let (document, owner) = (document.map(Arc::new), Some(owner.into()));
        Reply { status, document, content, headers, replayed, owner, copy }
    }
}
