//! The stage that decides the first state of a child: for the POST of a factory it is what `execute` is for an update.

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::operation::{Cause, Request};
use steward_model::service::Handler;
use steward_model::{Document, Timestamp};
use steward_sandbox::Occasion;

use super::body::built_in;
use super::decision::{Decision, Next};
use super::given::Given;
use super::load::Before;
use super::request::Status;
use super::road::Road;
use super::{Error, guest, native};

/// Decides the first state of a child: the body, what `handle-create` makes of it, and then `handle-start`.
///
/// # Errors
/// [`Error`] if the body does not fit, or a handler refuses.
pub(super) async fn create(road: Road<'_>, before: &Before, given: Given) -> Result<Decision, Error> {
    let Road { operation, service, .. } = road;
    let sent = built_in(operation.body.as_ref())?;
    let expires = sent.expiry()?;
    let usual = if service.descriptor().task { Status::Accepted } else { Status::Created };
    let mut decision = if service.handles(Handler::HandleCreate) {
        let state = match &operation.body {
            Some(body) => Bytes::from(body.state()?.to_string()),
            None => Bytes::from_static(b"{}"),
        };
        let (state, outcome) = guest::admitted(road.asking(), state, &request(road, given, expires)).await?;
        Decision { next: Next::State(state), ..Decision::of_guest(outcome, UpdateAction::Post, usual) }
    } else {
        native::created(native::state_of(operation, service)?, usual)
    };
    decision.creates = true;
    decision.expires = decision.expires.or(expires);
    // Where a state came from is not for clients to say.
    decision.source = sent.source.filter(|_| operation.cause != Cause::Client);
    if service.handles(Handler::HandleStart)
        && let Next::State(state) = &decision.next
    {
        let request = request(road, given.next(), decision.expires);
        let outcome = guest::call(road.asking(), Occasion::Start, state, &request).await?;
        if let Some(state) = outcome.document {
            decision.next = Next::State(state);
        }
        decision.effects.extend(outcome.effects);
        decision.expires = outcome.expires.or(decision.expires);
    }
    let forgets = operation.force || operation.cause != Cause::Client;
    let expired = |document: &Document| !document.is_tombstone() || document.ended_by_expiry();
    if let Next::State(state) = &decision.next
        && before.document.as_ref().is_some_and(|document| forgets || expired(document))
    {
        decision.next = Next::Reborn(state.clone());
    }
    Ok(decision)
}

/// Returns what the two handlers are told that run while a document is created.
fn request(road: Road<'_>, given: Given, expires: Option<Timestamp>) -> Request {
    Request { expires: expires.unwrap_or_default(), ..guest::request_of(road.operation, None, given) }
}
