//! Creating children: the POST of a factory.

use std::sync::Arc;

use steward_model::document::UpdateAction;
use steward_model::operation::Cause;
use steward_model::service::{Handler, ServiceOption};
use steward_model::{Document, Link, Version};
use uuid::Uuid;

use super::decide::{Decision, Next};
use super::load::{self, Before, built_in};
use super::{Error, Operation, Operations, Reply, Status, execute, locate, native};
use crate::partition::Partition;
use crate::service::Service;

/// What a POST finds at the link of the child.
pub(super) enum Loaded {
    /// The POST has been carried out before.
    Answered(Reply),
    /// A document, and the service makes a PUT of such a POST.
    Exists,
    /// Nothing, or a tombstone that may be overwritten.
    Free(Before),
}

/// Returns the link of the child that a POST to a factory creates: what the body says, else a new name. A request with an
/// idempotency key gets a name made of the key, so that a repeat finds the same child.
///
/// # Errors
/// [`Error::Link`] or [`Error::ForeignLink`] if the body names a child that cannot be.
pub(super) fn child_link(operation: &Operation, service: &Service) -> Result<Link, Error> {
    let factory = &service.path;
    let named = built_in(operation.body.as_ref())?.document_self_link.filter(|link| !link.is_empty());
    let Some(named) = named else {
        let name = match &operation.idempotency_key {
            Some(key) => blake3::hash(key.as_bytes()).to_hex()[..32].to_owned(),
            None => Uuid::now_v7().simple().to_string(),
        };
        return Ok(factory.child(&name)?);
    };
    if !named.starts_with('/') {
        return Ok(factory.child(&named)?);
    }
    let link = Link::parse(&named)?;
    if link.parent().as_ref() == Some(factory) {
        return Ok(factory.child(link.name())?);
    }
    // "/name" is accepted as a name too, as Xenon does.
    match named[1..].contains('/') {
        true => Err(Error::ForeignLink { link: named, factory: factory.clone() }),
        false => Ok(factory.child(&named[1..])?),
    }
}

/// Loads what a creation finds.
///
/// # Errors
/// [`Error`] if the link is taken and the service does not replace, or if a precondition does not hold.
pub(super) async fn load(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    partition: &Partition,
) -> Result<Loaded, Error> {
    let link = || operation.link.clone();
    if steward_model::link::UTILITY_SUFFIXES.contains(&operation.link.name()) {
        let reason = format!("ends with {:?}, a name that every service keeps for itself", operation.link.name());
        return Err(Error::BuiltInField { field: "documentSelfLink", reason });
    }
    if let Some(reply) = load::replay(operations, operation, partition).await? {
        return Ok(Loaded::Answered(reply));
    }
    let epoch = locate::reign(operations, operation, partition)?;
    let newest = partition.newest(&operation.link)?;
    let Some(document) = newest.document else {
        load::check_condition(operation, None)?;
        return Ok(Loaded::Free(Before { document: None, appended: None, epoch }));
    };
    let gone = document.is_tombstone() || document.is_expired(operations.clock().wall_time());
    if !gone {
        load::check_condition(operation, Some(&document))?;
        let replaces = service.has(ServiceOption::IdempotentPost) && !service.has(ServiceOption::Immutable);
        return if replaces { Ok(Loaded::Exists) } else { Err(Error::Exists { link: link() }) };
    }
    load::check_condition(operation, None)?;
    let named = built_in(operation.body.as_ref())?.document_version;
    let higher = named.and_then(|named| u64::try_from(named).ok()).is_some_and(|named| named > document.version.0);
    let deleted = document.is_tombstone() && !document.ended_by_expiry();
    if deleted && !operation.force && !higher {
        return Err(Error::CreateDeleted { link: link(), version: document.version });
    }
    Ok(Loaded::Free(Before { document: Some(document), appended: newest.appended, epoch }))
}

/// Decides the first state of a child: the body, what `handle-create` makes of it, and then `handle-start`.
///
/// # Errors
/// [`Error`] if the body does not fit, or a handler refuses.
pub(super) async fn create(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    before: &Before,
) -> Result<Decision, Error> {
    let usual = if service.descriptor().task { Status::Accepted } else { Status::Created };
    let expires = native::expiry_of(operation)?;
    let mut decision = if service.handles(Handler::HandleCreate) {
        let given = match &operation.body {
            Some(body) => serde_json::Value::Object(native::stripped(native::object(body)?)).to_string().into(),
            None => bytes::Bytes::from_static(b"{}"),
        };
        let outcome = execute::first(operations, operation, service, Handler::HandleCreate, &given, expires).await?;
        // What the guest leaves as it came is the client's, and has to fit as if no guest had seen it.
        let state = match &outcome.document {
            Some(state) => state.clone(),
            None => native::unaltered(service, given)?,
        };
        Decision { next: Next::State(state), ..Decision::of_guest(outcome, UpdateAction::Post, usual) }
    } else {
        native::created(native::state_of(operation, service)?, usual)
    };
    decision.creates = true;
    decision.expires = decision.expires.or(expires);
    decision.source = built_in(operation.body.as_ref())?.document_source_link;
    if service.handles(Handler::HandleStart)
        && let Next::State(state) = &decision.next
    {
        let now = decision.expires;
        let outcome = execute::first(operations, operation, service, Handler::HandleStart, state, now).await?;
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

/// Returns the version that a creation makes.
pub(super) fn first_version(before: &Before) -> Version {
    before.document.as_ref().map_or(Version(0), |document| document.version.next())
}
