//! A recorded request runs once more over the recorded state, and nothing comes of it but an answer.
//!
//! Problem: a version looks wrong, and its author wants to know what the handler saw and what a mended module makes of it. Promise:
//! the handlers run that ran at first, in the same order, with the state before, the request, the time and the random number that
//! were recorded. Nothing is proposed, so no version is made, nothing is sent and no statistic moves. What a handler reads of other
//! documents it reads as they are now, and that is said.
//!
//! ```text
//!  whose? ─┬─ of another node ──► ask it
//!          └─ ours ──► version and the one before ──► module ──► create or execute, rehearsed ──► both outcomes
//! ```
//!
//! Left out: `handle-start` and `migrate` of the first time. What they changed made a version of its own, which can be run again.

use std::sync::Arc;

use bytes::Bytes;
use steward_model::module::Digest;
use steward_model::operation::Cause;
use steward_model::recording::{Recorded, RecordedAction, RecordedEffects, RecordedRequest, Recording};
use steward_model::update::Change;
use steward_model::{Action, Document, Epoch, Link, Version};
use steward_sandbox::{CallError, Module};

use super::body::Body;
use super::carried::{Answer, Question};
use super::decision::Decision;
use super::given::Given;
use super::load::Before;
use super::not_replayable::NotReplayable;
use super::rehearsal::Rehearsal;
use super::replayed::{Decided, Ended, Outcome, Replayed, Replaying, Runner};
use super::request::{Operation, Purpose};
use super::road::Road;
use super::update::Draft;
use super::wait::Waiting;
use super::{Error, Operations, create, execute, forward, guest, propose, recording};
use crate::failure;
use crate::partition::{Partition, flushed};
use crate::service::{Found, Modules, Service};

/// A version, what is known of its making, and the state that it was made of.
struct Kept {
    document: Document,
    recording: Recording,
    request: RecordedRequest,
    before: Option<Arc<Document>>,
}

impl Operations {
    /// Runs the request once more that made a version, on the node that owns the document.
    ///
    /// # Errors
    /// [`Error`] if there is no such version, its request or the state before is not kept, the module is not to be had or of another
    /// kind, or the owner does not answer. What the module makes of the request is never an error.
    pub(crate) async fn replay(
        self: &Arc<Self>,
        modules: &Arc<Modules>,
        wanted: Replaying,
    ) -> Result<Box<Replayed>, Error> {
        let service = served(self, &wanted.link)?;
        let partition = self.partitions.of(&wanted.link, service.lane());
        let read = self.own(
            format!("replay-{}", wanted.link.name()),
            Action::Get,
            wanted.link.clone(),
            Cause::Client,
            Purpose::Act,
        );
        let waiting = Waiting { operations: self, operation: &read, partition };
        loop {
            let question = || Question::Replay(partition.id(), wanted.clone());
            match forward::ask_owner(waiting, question).await? {
                Some(Answer::Replayed(replayed)) => return Ok(replayed),
                Some(Answer::Reply(_) | Answer::Committed(_) | Answer::GivenUp(_)) => return Err(Error::Broken),
                None => match self.replay_here(modules, partition, &wanted).await {
                    Ok(replayed) => return Ok(replayed),
                    Err(error) => waiting.next_owner(error).await?,
                },
            }
        }
    }

    /// Runs the request once more that made a version of a document of this node.
    ///
    /// # Errors
    /// As [`Operations::replay`], and [`Error::NotConfirmed`] if another node may be the owner by now.
    pub(super) async fn replay_here(
        self: &Arc<Self>,
        modules: &Arc<Modules>,
        partition: &Arc<Partition>,
        wanted: &Replaying,
    ) -> Result<Box<Replayed>, Error> {
        let service = served(self, &wanted.link)?;
        let read = self.own("replay".to_owned(), Action::Get, wanted.link.clone(), Cause::Client, Purpose::Act);
        let waiting = Waiting { operations: self, operation: &read, partition };
        waiting.confirmed(waiting.ask()).await?;
        // Versions are kept in the state store, which may lag behind what was acknowledged.
        flushed(partition).await?;
        let kept = kept(partition, &wanted.link, wanted.version)?;
        let service = Arc::new(runner(self, modules, &service, &kept, wanted.runner).await?);
        let rehearsal = Arc::new(Rehearsal::default());
        let operation = operation_of(self, &kept);
        let road =
            Road { operations: self, operation: &operation, service: &service, partition, rehearsal: Some(&rehearsal) };
        let ended = match decided(road, &kept).await {
            Ok(decided) => Ended::Decided(Box::new(decided)),
            Err(error) if is_of_module(&error) => Ended::Failed(Box::new(error.problem())),
            Err(error) => return Err(error),
        };
        let replayed = Outcome { module: service.module.digest(), ended };
        let (log, read) = (rehearsal.lines(), rehearsal.read());
        let recorded = recorded(&kept);
        let Kept { document, request, before, .. } = kept;
        let before = before.map(|before| Document { recording: Bytes::new(), ..Arc::unwrap_or_clone(before) });
        let (cause, principal) = (document.cause, document.principal);
        Ok(Box::new(Replayed { request, cause, principal, before, recorded, replayed, log, read }))
    }
}

/// Returns the service of a document.
fn served(operations: &Operations, link: &Link) -> Result<Arc<Service>, Error> {
    match operations.services.find(link) {
        Some(Found::Child(service)) => Ok(service),
        Some(Found::Factory(_) | Found::Stateless(_)) => Err(Error::NotFound { link: link.clone() }),
        None => Err(Error::nowhere(&operations.services, link)),
    }
}

/// Returns a version with its recording and the version before it.
fn kept(partition: &Partition, link: &Link, version: Version) -> Result<Kept, Error> {
    let store = partition.store();
    if store.document(link)?.is_none() {
        return Err(Error::NotFound { link: link.clone() });
    }
    let at = |version| store.version(link, version);
    let document = at(version)?.ok_or_else(|| Error::VersionNotFound { link: link.clone(), version })?;
    let not_recorded = || NotReplayable::NotRecorded { link: link.clone(), version };
    let recording = store.recording(&document)?.ok_or_else(not_recorded)?;
    let request = match &recording.request {
        Recorded::Whole(request) => (**request).clone(),
        Recorded::TooLarge { bytes } => {
            return Err(NotReplayable::TooLarge { link: link.clone(), version, bytes: *bytes }.into());
        }
    };
    let before = match request.asked {
        RecordedAction::Create => None,
        RecordedAction::Act(_)
        | RecordedAction::Start
        | RecordedAction::Maintain
        | RecordedAction::Expire
        | RecordedAction::Migrate
        | RecordedAction::Hear { .. } => {
            let before = version.0.checked_sub(1).map(Version).map(at).transpose()?.flatten();
            Some(Arc::new(before.ok_or_else(|| NotReplayable::BeforeNotKept { link: link.clone(), version })?))
        }
    };
    Ok(Kept { document, recording, request, before })
}

/// Returns the service as the wanted module would run it.
async fn runner(
    operations: &Operations,
    modules: &Arc<Modules>,
    service: &Service,
    kept: &Kept,
    runner: Runner,
) -> Result<Service, Error> {
    let module = match runner {
        Runner::Mounted => Arc::clone(&service.module),
        Runner::Recorded => installed(operations, modules, kept.recording.module).await?,
        Runner::Module(digest) => installed(operations, modules, digest).await?,
    };
    let unfit =
        |reason: String| NotReplayable::OtherKind { link: kept.document.link.clone(), module: module.digest(), reason };
    let descriptor = module.descriptor();
    if descriptor.kind() != kept.document.kind {
        let reason = format!("its documents are {:?}, this one is {:?}", descriptor.kind(), kept.document.kind);
        return Err(unfit(reason).into());
    }
    Ok(service.run_by(&module).map_err(|error| unfit(error.to_string()))?)
}

/// Returns a module that the group has, ready to be called.
async fn installed(operations: &Operations, modules: &Arc<Modules>, digest: Digest) -> Result<Arc<Module>, Error> {
    let state = operations.gate.state();
    let unknown = || NotReplayable::UnknownModule { digest };
    let descriptor = state.module(&digest).and_then(|module| module.descriptor().ok()).ok_or_else(unknown)?;
    let modules = Arc::clone(modules);
    // It may have to be fetched and compiled.
    let load = move || failure::contain(|| modules.load(digest, descriptor));
    Ok(tokio::task::spawn_blocking(load).await.map_err(|_| Error::Broken)?.map_err(NotReplayable::from)?)
}

/// Returns the operation that made the version, as far as handlers and host look at it.
fn operation_of(operations: &Operations, kept: &Kept) -> Operation {
    let (document, request) = (&kept.document, &kept.request);
    let (action, purpose) = match &request.asked {
        RecordedAction::Create => (Action::Post, Purpose::Act),
        RecordedAction::Act(action) => (*action, Purpose::Act),
        RecordedAction::Start => (Action::Patch, Purpose::Start),
        RecordedAction::Maintain => (Action::Patch, Purpose::Maintain),
        RecordedAction::Expire => (Action::Delete, Purpose::Expire),
        RecordedAction::Migrate => (Action::Patch, Purpose::Migrate),
        RecordedAction::Hear { tag, reply } => {
            (Action::Patch, Purpose::Answered { settled: Vec::new(), tag: tag.clone(), reply: reply.clone() })
        }
    };
    let id = format!("replay-{}@{}", document.link.name(), document.version);
    Operation {
        query: request.query.clone(),
        headers: request.headers.clone(),
        body: request.body.clone().map(Body::new),
        principal: document.principal.clone(),
        ..operations.own(id, action, document.link.clone(), document.cause, purpose)
    }
}

/// Returns what the handlers decide this time.
async fn decided(road: Road<'_>, kept: &Kept) -> Result<Decided, Error> {
    let given = Given { now: kept.request.now, seed: kept.request.seed };
    let document = match &kept.before {
        Some(before) => Some(guest::rehearsed_migration(road.service, before).await?),
        None => None,
    };
    let before = Before { document, appended: None, epoch: Epoch::ZERO };
    let decision = match kept.request.asked {
        RecordedAction::Create => create::create(road, &before, given).await?,
        RecordedAction::Act(_)
        | RecordedAction::Start
        | RecordedAction::Maintain
        | RecordedAction::Expire
        | RecordedAction::Migrate
        | RecordedAction::Hear { .. } => execute::execute(road, &before, given).await?,
    };
    propose::check_size(road.operations, road.service, &decision)?;
    Ok(outcome(road, kept, &before, decision))
}

/// Returns what a decision would have made of the document.
fn outcome(road: Road<'_>, kept: &Kept, before: &Before, decision: Decision) -> Decided {
    let Road { operation, service, .. } = road;
    let (now, recording) = (kept.document.updated, Bytes::new());
    let draft = Draft { operation, service, before, decision: &decision, recording, now, steady: now };
    let (change, document) = draft.document();
    Decided {
        makes_version: change != Change::None,
        action: document.action.as_str().to_owned(),
        state: document.body,
        state_version: document.state_version,
        expires: document.expires,
        status: decision.status.number(),
        reply: recording::reply(&decision),
        effects: RecordedEffects::of(&decision.effects),
    }
}

/// Returns what is known of the first outcome.
fn recorded(kept: &Kept) -> Outcome {
    let (document, recording) = (&kept.document, &kept.recording);
    let decided = Decided {
        makes_version: true,
        action: document.action.as_str().to_owned(),
        state: document.body.clone(),
        state_version: document.state_version,
        expires: document.expires,
        status: recording.status,
        reply: recording.reply.clone(),
        effects: recording.effects.clone(),
    };
    Outcome { module: recording.module, ended: Ended::Decided(Box::new(decided)) }
}

/// Returns true if the failure says something of the module or the request, and not of this node.
fn is_of_module(error: &Error) -> bool {
    if matches!(error, Error::Guest { error: CallError::Overloaded { .. }, .. }) {
        return false;
    }
    matches!(
        error,
        Error::Refused(_)
            | Error::RefusedBody { .. }
            | Error::Guest { .. }
            | Error::Outcome { .. }
            | Error::StateVersion { .. }
            | Error::NotSupported { .. }
            | Error::BodyMissing { .. }
            | Error::NotAnObject { .. }
            | Error::BuiltInField { .. }
            | Error::Invalid { .. }
            | Error::DocumentTooLarge { .. }
    )
}
