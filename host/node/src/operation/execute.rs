//! The stage that decides: the guest does, or the host where the guest has no handler.

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::operation::{Cause, Request};
use steward_model::service::{Handler, ServiceOption};
use steward_model::{Action, Document};
use steward_sandbox::Occasion;

use super::body::built_in;
use super::decision::{Decision, Next};
use super::given::Given;
use super::load::Before;
use super::request::{Purpose, Status};
use super::road::Road;
use super::{Error, guest, native};

/// The status by which an SDK says that a service has no handler for what comes.
const NO_HANDLER: u16 = 501;

/// Decides what an operation does to an existing document.
///
/// # Errors
/// [`Error`] if the guest refuses or fails, or the service does not support the action.
pub(super) async fn execute(road: Road<'_>, before: &Before, given: Given) -> Result<Decision, Error> {
    let operation = road.operation;
    let settled = operation.purpose.settled();
    let live = before.document.as_ref().filter(|document| !document.is_tombstone());
    let Some(document) = live else {
        return Ok(Decision { settled, ..Decision::nothing(UpdateAction::Delete) });
    };
    // Boxed to keep the future of an update small; this branch is rare.
    let run = |occasion| Box::pin(run_if_handled(road, document, occasion, given));
    let tolerated = |handler: &'static str, decided: Result<Decision, Error>| match decided {
        // A tag may be there only for cancelling a timer by it. Whoever has handlers for other tags says so then.
        Err(Error::Refused(fault)) if road.rehearsal.is_none() && fault.status == NO_HANDLER => {
            tracing::debug!(link = %document.link, handler, %fault, "nobody handles this");
            Ok(Decision::nothing(UpdateAction::Patch))
        }
        // Whoever rehearses wants to see the failure.
        Err(error) if road.rehearsal.is_none() => {
            tracing::warn!(link = %document.link, handler, %error, "handler failed, the host goes on without it");
            Ok(Decision::nothing(UpdateAction::Patch))
        }
        decided => decided,
    };
    match &operation.purpose {
        Purpose::Act if operation.action == Action::Delete => Box::pin(delete(road, document, given)).await,
        Purpose::Act => act(road, document, given).await,
        // Whoever holds the turn of a document has started it if that was needed; the sweep only asks for the turn.
        Purpose::Start if operation.cause != Cause::Start => Ok(Decision::nothing(UpdateAction::Patch)),
        Purpose::Start => run(Occasion::Start).await,
        // It was loaded in the newest shape.
        Purpose::Migrate => {
            Ok(Decision { next: Next::State(document.body.clone()), ..Decision::nothing(UpdateAction::Patch) })
        }
        Purpose::Maintain => run(Occasion::Maintenance).await,
        // Somebody may have prolonged its life, or begun it anew, since it was found expired.
        Purpose::Expire if !document.is_expired(road.operations.clock.wall_time()) => {
            Ok(Decision::nothing(UpdateAction::Patch))
        }
        Purpose::Expire => {
            let stopped = tolerated("handle-stop", run(Occasion::Stop).await)?;
            Ok(Decision { next: Next::Expired, action: UpdateAction::Expire, expires: None, ..stopped })
        }
        Purpose::Answered { tag, reply, .. } => {
            let answered = tolerated("handle-reply", run(Occasion::Reply { tag, reply }).await)?;
            Ok(Decision { settled, ..answered })
        }
    }
}

async fn run_if_handled(
    road: Road<'_>,
    document: &Document,
    occasion: Occasion<'_>,
    given: Given,
) -> Result<Decision, Error> {
    if !road.service.handles(occasion.handler()) {
        return Ok(Decision::nothing(UpdateAction::Patch));
    }
    let request = guest::request_of(road.operation, Some(document), given);
    let outcome = guest::call(road.asking(), occasion, &document.body, &request).await?;
    Ok(Decision::of_guest(outcome, UpdateAction::Patch, Status::Ok))
}

async fn act(road: Road<'_>, document: &Document, given: Given) -> Result<Decision, Error> {
    let Road { operation, service, .. } = road;
    if service.has(ServiceOption::Immutable) {
        let (link, action) = (operation.link.clone(), operation.action);
        return Err(Error::NotSupported { link, action, allowed: service.actions() });
    }
    match service.descriptor().decides(operation.action) {
        None => return native::decide(operation, service, &document.body),
        // Boxed to keep the future of an update small: few are replacements.
        Some(Handler::HandleCreate) => return Box::pin(replace(road, document, given)).await,
        Some(_) => (),
    }
    let (occasion, action) = match operation.action {
        Action::Get => (Occasion::Get, UpdateAction::Patch),
        Action::Post => (Occasion::Post, UpdateAction::Post),
        Action::Put => (Occasion::Put, UpdateAction::Put),
        Action::Patch => (Occasion::Patch, UpdateAction::Patch),
        Action::Delete => (Occasion::Delete, UpdateAction::Delete),
    };
    // The fields of the host are for the host to judge, whatever the guest makes of them.
    let sent = built_in(operation.body.as_ref())?.expiry()?;
    let request = guest::request_of(road.operation, Some(document), given);
    let outcome = guest::call(road.asking(), occasion, &document.body, &request).await?;
    let decided = Decision::of_guest(outcome, action, Status::Ok);
    // Whoever accepts an update accepts the expiry in its body, unless the guest says another one.
    let accepts = operation.action != Action::Get && decided.status.number() < 400;
    let expires = decided.expires.or(sent.filter(|_| accepts));
    Ok(Decision { expires, ..decided })
}

/// Decides on a PUT as on a creation: a state that could not be created cannot replace one either.
async fn replace(road: Road<'_>, document: &Document, given: Given) -> Result<Decision, Error> {
    let body = native::body_of(road.operation)?;
    let expires = body.built_in()?.expiry()?;
    let state = Bytes::from(body.state()?.to_string());
    let told = guest::request_of(road.operation, Some(document), given);
    let request = Request { expires: expires.unwrap_or(document.expires), ..told };
    let (state, outcome) = guest::admitted(road.asking(), state, &request).await?;
    let decided = Decision::of_guest(outcome, UpdateAction::Put, Status::Ok);
    Ok(Decision { next: Next::State(state), expires: decided.expires.or(expires), ..decided })
}

async fn delete(road: Road<'_>, document: &Document, given: Given) -> Result<Decision, Error> {
    let Road { operation, service, .. } = road;
    let mut decision = native::decide(operation, service, &document.body)?;
    let request = guest::request_of(road.operation, Some(document), given);
    for occasion in [Occasion::Delete, Occasion::Stop] {
        if !service.handles(occasion.handler()) {
            continue;
        }
        let state = match &decision.next {
            Next::Tombstone(state) => state.clone(),
            Next::Unchanged | Next::State(_) | Next::Reborn(_) | Next::Expired => document.body.clone(),
        };
        let outcome = guest::call(road.asking(), occasion, &state, &request).await?;
        decision.next = Next::Tombstone(outcome.document.clone().unwrap_or(state));
        let said = Decision::of_guest(outcome, UpdateAction::Delete, Status::Ok);
        decision.effects.extend(said.effects);
        decision.headers.extend(said.headers);
        decision.expires = said.expires.or(decision.expires);
        if occasion == Occasion::Delete {
            (decision.status, decision.answer) = (said.status, said.answer);
        }
    }
    Ok(decision)
}
