//! What a new version carries of the request that made it, where the node records: see [`steward_model::recording`].

use bytes::Bytes;
use steward_model::codec;
use steward_model::recording::{Recorded, RecordedAction, RecordedEffects, RecordedRequest, Recording};
use steward_model::update::RememberedBody;

use super::body::Body;
use super::decision::{Answer, Decision, NO_DOCUMENT, Next};
use super::given::Given;
use super::request::{Operation, Purpose};
use super::road::Road;

/// Returns the recording of an operation, encoded; empty if the node does not record or no version is made.
pub(super) fn of(road: Road<'_>, decision: &Decision, given: Given) -> Bytes {
    let makes_none = decision.next == Next::Unchanged && decision.expires.is_none();
    if !road.operations.limits.records_requests || makes_none {
        return Bytes::new();
    }
    let recording = Recording {
        module: road.service.module.digest(),
        request: Recorded::of(request(road.operation, decision.creates, given)),
        status: decision.status.number(),
        reply: reply(decision),
        effects: RecordedEffects::of(&decision.effects),
    };
    codec::encode(&recording).into()
}

/// Returns the body of the answer, as far as it is kept.
pub(super) fn reply(decision: &Decision) -> RememberedBody {
    match &decision.answer {
        Answer::State => RememberedBody::State,
        Answer::Json(json) => RememberedBody::of_json(json),
        Answer::Nothing => RememberedBody::of_json(&NO_DOCUMENT),
    }
}

fn request(operation: &Operation, creates: bool, given: Given) -> RecordedRequest {
    let asked = match &operation.purpose {
        Purpose::Act if creates => RecordedAction::Create,
        Purpose::Act => RecordedAction::Act(operation.action),
        Purpose::Start => RecordedAction::Start,
        Purpose::Maintain => RecordedAction::Maintain,
        Purpose::Expire => RecordedAction::Expire,
        Purpose::Migrate => RecordedAction::Migrate,
        Purpose::Answered { tag, reply, .. } => RecordedAction::Hear { tag: tag.clone(), reply: reply.clone() },
    };
    RecordedRequest {
        asked,
        query: operation.query.clone(),
        headers: operation.headers.clone(),
        body: operation.body.as_ref().map(Body::text).cloned(),
        now: given.now,
        seed: given.seed,
    }
}
