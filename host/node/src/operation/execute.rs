//! Fourth stage: the guest decides, or the host where the guest has no handler.

use std::sync::Arc;

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::operation::{Cause, Effect, Outcome, Request};
use steward_model::service::{Handler, ServiceOption};
use steward_model::{Action, Document, Timestamp, Version};
use steward_sandbox::{Call, CallError, Occasion};

use super::decide::{Answer, Decision, Next};
use super::load::{Before, absence, check_condition};
use super::request::{Condition, Content, Operation, Purpose, Reply, Status, entity_tag};
use super::{Error, Operations, native, propose};
use crate::partition::{Partition, flushed};
use crate::service::Service;

/// Runs the handler for `occasion` and checks what it wants sent.
async fn call(
    operations: &Operations,
    service: &Arc<Service>,
    occasion: Occasion<'_>,
    document: &[u8],
    request: &Request,
) -> Result<Outcome, Error> {
    let imports = match operations.imports.get() {
        Some(make) => make(service, &request.link),
        None => Arc::new(steward_sandbox::Silent),
    };
    let call = Call { occasion, document, request };
    let outcome = service.module.call(call, &imports).await;
    let mut outcome = outcome.map_err(|error| Error::guest(&service.path, error))?;
    if let Some(expires) = outcome.expires.filter(|expires| expires.0 < 0) {
        let reason = format!("the guest returned the expiry {}: it must be 0 (never) or later", expires.0);
        return Err(Error::Outcome { service: service.path.clone(), reason });
    }
    outcome.document = outcome.document.map(|state| native::returned(service, document, state)).transpose()?;
    outcome.effects.iter().try_for_each(|effect| check_effect(service, effect))?;
    Ok(outcome)
}

fn check_effect(service: &Service, effect: &Effect) -> Result<(), Error> {
    let path = effect.to.split('?').next().unwrap_or_default();
    let refused = |reason: String| Err(Error::Outcome { service: service.path.clone(), reason });
    if effect.to.starts_with('/') {
        return match steward_model::Link::parse(path) {
            Ok(_) => Ok(()),
            Err(error) => refused(format!("an effect cannot be sent: {error}")),
        };
    }
    let granted = &service.descriptor().capabilities.outbound;
    if outbound_allowed(granted, &effect.to) {
        return Ok(());
    }
    refused(format!(
        "an effect addresses {:?}, which the descriptor's capabilities.outbound {granted:?} does not list",
        effect.to
    ))
}

/// Returns true if `url` is an `http` URL whose host one of the patterns names.
fn outbound_allowed(patterns: &[String], url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let Some(host) = uri.host() else { return false };
    if uri.scheme_str() != Some("http") {
        return false;
    }
    let port = uri.port_u16().unwrap_or(80).to_string();
    patterns.iter().any(|pattern| {
        let (name, wanted) = pattern.rsplit_once(':').unwrap_or((pattern, ""));
        let named = match name.strip_prefix("*.") {
            Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1),
            None => name.eq_ignore_ascii_case(host),
        };
        named && (wanted.is_empty() || wanted == port)
    })
}

fn request_of(operations: &Operations, operation: &Operation, document: Option<&Document>) -> Request {
    Request {
        link: operation.link.clone(),
        query: operation.query.clone(),
        headers: operation.headers.clone(),
        body: operation.body.clone(),
        principal: operation.principal.clone(),
        cause: operation.cause,
        now: operations.clock().timestamp(),
        seed: operations.seeds.draw(),
        version: document.map_or(Version(0), |document| document.version),
        exists: document.is_some(),
        expires: document.map_or(Timestamp(0), |document| document.expires),
    }
}

/// Returns the document in the shape of the mounted module's state.
///
/// # Errors
/// [`Error::StateVersion`] if the module does not read the stored shape, or the guest's own.
pub(super) async fn migrated(service: &Arc<Service>, document: &Arc<Document>) -> Result<Arc<Document>, Error> {
    let descriptor = service.descriptor();
    let stored = document.state_version;
    if stored == descriptor.state_version {
        return Ok(Arc::clone(document));
    }
    if !descriptor.reads(stored) {
        return Err(Error::StateVersion { link: document.link.clone(), stored });
    }
    let imports: Arc<dyn steward_sandbox::Imports> = Arc::new(steward_sandbox::Silent);
    let body = service.module.migrate(&document.body, stored, &imports).await;
    let body = body.map_err(|error| Error::guest(&service.path, error))?;
    let body = native::returned(service, &[], body)?;
    Ok(Arc::new(Document { body, state_version: descriptor.state_version, ..Document::clone(document) }))
}

/// Calls one of the two handlers that run while a document is created.
///
/// # Errors
/// [`Error`] if the guest refuses or fails.
pub(super) async fn first(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    handler: Handler,
    document: &Bytes,
    expires: Option<Timestamp>,
) -> Result<Outcome, Error> {
    let occasion = if handler == Handler::HandleCreate { Occasion::Create } else { Occasion::Start };
    let request = Request { expires: expires.unwrap_or_default(), ..request_of(operations, operation, None) };
    call(operations, service, occasion, document, &request).await
}

/// Answers a read: the committed state, or what the guest makes of it.
///
/// # Errors
/// [`Error`] if there is no such document or version, or the guest refuses.
pub(super) async fn read(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    partition: &Partition,
) -> Result<Reply, Error> {
    let link = &operation.link;
    let newest = partition.read(link)?;
    // The lease is looked at after the state: a pause between the two must not let an old state out.
    partition.admits().map_err(|reason| {
        let reason = reason.to_string();
        super::locate::unavailable(operations, operation, partition.id(), reason, super::Happened::No)
    })?;
    let newest = newest.filter(|document| !document.ended_by_expiry());
    if let Some(version) = operation.version.filter(|_| newest.is_some()) {
        // The state store may lag behind what was acknowledged, renewals that forget old versions included.
        flushed(partition).await?;
        return match partition.store().version(link, version)?.or(newest_of(newest, version)) {
            Some(document) => Ok(Reply::state(Status::Ok, Arc::new(document))),
            None => Err(Error::VersionNotFound { link: link.clone(), version }),
        };
    }
    let document = match newest {
        None => return Err(Error::NotFound { link: link.clone() }),
        Some(document) if document.is_tombstone() => return Err(absence(link, Some(&document))),
        Some(document) if document.is_expired(operations.clock().wall_time()) => {
            return Err(Error::NotFound { link: link.clone() });
        }
        Some(document) => document,
    };
    if let Condition::NoneOf(tags) = &operation.condition
        && tags.contains(&entity_tag(&document))
    {
        return Ok(Reply { document: Some(document), ..Reply::empty(Status::NotModified) });
    }
    check_condition(operation, Some(&document))?;
    // Most reads need no guest; those that do are boxed, so that the others stay small.
    let document = match document.state_version == service.descriptor().state_version {
        true => document,
        false => Box::pin(migrated(service, &document)).await?,
    };
    if !service.handles(Handler::HandleGet) {
        return Ok(Reply::state(Status::Ok, document));
    }
    Box::pin(read_by_guest(operations, operation, service, document)).await
}

async fn read_by_guest(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    document: Arc<Document>,
) -> Result<Reply, Error> {
    let request = request_of(operations, operation, Some(&document));
    let outcome = call(operations, service, Occasion::Get, &document.body, &request).await?;
    if outcome.document.is_some() || !outcome.effects.is_empty() {
        let reason = "handle-get returned a new state or effects; a read changes nothing".to_owned();
        return Err(Error::Outcome { service: service.path.clone(), reason });
    }
    let decision = Decision::of_guest(outcome, UpdateAction::Patch, Status::Ok);
    let content = match decision.answer {
        Answer::Json(json) => Content::Json(json),
        Answer::State => Content::State,
        Answer::Nothing => Content::Empty,
    };
    Ok(Reply { content, headers: decision.headers, ..Reply::state(decision.status, document) })
}

/// A version that is committed may not have reached the store yet.
fn newest_of(newest: Option<Arc<Document>>, version: Version) -> Option<Document> {
    newest.filter(|document| document.version == version).map(Arc::unwrap_or_clone)
}

/// Returns true if `handle-start` has to run before another handler of the document.
pub(super) fn needs_start(
    operations: &Operations,
    operation: &Operation,
    service: &Service,
    partition: &Partition,
) -> bool {
    service.handles(Handler::HandleStart)
        && partition.admits().is_ok_and(|epoch| {
            let (reign, factory) = ((partition.id(), epoch), (&service.path, service.revision));
            operations.starts().needs_start(reign, factory, &operation.link)
        })
}

/// Runs `handle-start` if the document has not been started in this reign under this module. A handler that refuses or fails is said in the
/// log, and the document goes on: its clients would otherwise lose it to a fault of its service.
///
/// # Errors
/// Those of the log and the state store.
pub(super) async fn start_first(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    partition: &Arc<Partition>,
) -> Result<(), Error> {
    if !needs_start(operations, operation, service, partition) {
        return Ok(());
    }
    let Ok(epoch) = partition.admits() else { return Ok(()) };
    let link = &operation.link;
    let newest = partition.newest(link)?;
    let now = operations.clock().wall_time();
    let lives = |document: &Arc<Document>| !document.is_tombstone() && !document.is_expired(now);
    let Some(document) = newest.document.filter(lives) else { return Ok(()) };
    let start = Operation {
        cause: Cause::Start,
        purpose: Purpose::Start,
        body: None,
        idempotency_key: None,
        condition: Condition::None,
        ..operation.clone()
    };
    let before = Before { document: Some(migrated(service, &document).await?), appended: newest.appended, epoch };
    match execute(operations, &start, service, &before).await {
        Ok(decision) => {
            // Its commit is waited for by whoever comes next on the document.
            propose::propose(operations, &start, service, partition, before, decision).await?;
        }
        // The guest has not been asked; the next operation asks it again.
        Err(error @ Error::Guest { error: CallError::Overloaded { .. }, .. }) => return Err(error),
        Err(error) => tracing::warn!(%link, %error, "handle-start failed, the document goes on without it"),
    }
    operations.starts().started((partition.id(), epoch), (&service.path, service.revision), link);
    Ok(())
}

/// Decides what an operation does to an existing document.
///
/// # Errors
/// [`Error`] if the guest refuses or fails, or the service does not support the action.
pub(super) async fn execute(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    before: &Before,
) -> Result<Decision, Error> {
    let settled = operation.purpose.settled();
    let live = before.document.as_ref().filter(|document| !document.is_tombstone());
    let Some(document) = live else {
        return Ok(Decision { settled, ..Decision::nothing(UpdateAction::Delete) });
    };
    // Boxed, as all that is rarer than an update of a client.
    let run = |occasion| Box::pin(run_if_handled(operations, operation, service, document, occasion));
    let tolerated = |handler: &'static str, decided: Result<Decision, Error>| {
        decided.unwrap_or_else(|error| {
            tracing::warn!(link = %document.link, handler, %error, "handler failed, the host goes on without it");
            Decision::nothing(UpdateAction::Patch)
        })
    };
    match &operation.purpose {
        Purpose::Act if operation.action == Action::Delete => {
            Box::pin(delete(operations, operation, service, document)).await
        }
        Purpose::Act => act(operations, operation, service, document).await,
        // Whoever holds the turn of a document has started it if that was needed; the sweep only asks for the turn.
        Purpose::Start if operation.cause != Cause::Start => Ok(Decision::nothing(UpdateAction::Patch)),
        Purpose::Start => run(Occasion::Start).await,
        Purpose::Maintain => run(Occasion::Maintenance).await,
        // Somebody may have prolonged its life, or begun it anew, since it was found expired.
        Purpose::Expire if !document.is_expired(operations.clock().wall_time()) => {
            Ok(Decision::nothing(UpdateAction::Patch))
        }
        Purpose::Expire => {
            let stopped = tolerated("handle-stop", run(Occasion::Stop).await);
            Ok(Decision { next: Next::Expired, action: UpdateAction::Expire, expires: None, ..stopped })
        }
        Purpose::Answered { tag, reply, .. } => {
            let answered = tolerated("handle-reply", run(Occasion::Reply { tag, reply }).await);
            Ok(Decision { settled, ..answered })
        }
    }
}

async fn run_if_handled(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    document: &Document,
    occasion: Occasion<'_>,
) -> Result<Decision, Error> {
    if !service.handles(occasion.handler()) {
        return Ok(Decision::nothing(UpdateAction::Patch));
    }
    let request = request_of(operations, operation, Some(document));
    let outcome = call(operations, service, occasion, &document.body, &request).await?;
    Ok(Decision::of_guest(outcome, UpdateAction::Patch, Status::Ok))
}

async fn act(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    document: &Document,
) -> Result<Decision, Error> {
    let (occasion, action) = match operation.action {
        Action::Get => (Occasion::Get, UpdateAction::Patch),
        Action::Post => (Occasion::Post, UpdateAction::Post),
        Action::Put => (Occasion::Put, UpdateAction::Put),
        Action::Patch => (Occasion::Patch, UpdateAction::Patch),
        Action::Delete => (Occasion::Delete, UpdateAction::Delete),
    };
    if service.has(ServiceOption::Immutable) || !service.handles(occasion.handler()) {
        if service.has(ServiceOption::Immutable) {
            let (link, action) = (operation.link.clone(), operation.action);
            return Err(Error::NotSupported { link, action, allowed: native::allowed(service) });
        }
        return native::decide(operation, service, &document.body);
    }
    let request = request_of(operations, operation, Some(document));
    let outcome = call(operations, service, occasion, &document.body, &request).await?;
    Ok(Decision::of_guest(outcome, action, Status::Ok))
}

async fn delete(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    document: &Document,
) -> Result<Decision, Error> {
    let mut decision = native::decide(operation, service, &document.body)?;
    let request = request_of(operations, operation, Some(document));
    for occasion in [Occasion::Delete, Occasion::Stop] {
        if !service.handles(occasion.handler()) {
            continue;
        }
        let state = match &decision.next {
            Next::Tombstone(state) => state.clone(),
            Next::Unchanged | Next::State(_) | Next::Reborn(_) | Next::Expired => document.body.clone(),
        };
        let outcome = call(operations, service, occasion, &state, &request).await?;
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

/// Lets a stateless service answer.
///
/// # Errors
/// [`Error`] if it has no handler for the action, refuses, or wants effects: there is no document to keep them in.
pub(super) async fn stateless(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
) -> Result<Reply, Error> {
    let occasions = [
        (Action::Get, Occasion::Get),
        (Action::Post, Occasion::Post),
        (Action::Put, Occasion::Put),
        (Action::Patch, Occasion::Patch),
        (Action::Delete, Occasion::Delete),
    ];
    let handled = |(_, occasion): &&(Action, Occasion<'_>)| service.handles(occasion.handler());
    let found = occasions.iter().filter(handled).find(|(action, _)| *action == operation.action);
    let Some((_, occasion)) = found else {
        let allowed = occasions.iter().filter(handled).map(|(action, _)| *action).collect();
        return Err(Error::NotSupported { link: operation.link.clone(), action: operation.action, allowed });
    };
    let request = request_of(operations, operation, None);
    let outcome = call(operations, service, *occasion, b"{}", &request).await?;
    if outcome.document.is_some() || !outcome.effects.is_empty() {
        let reason =
            "a stateless service returned a state or effects; it has no document to commit them with".to_owned();
        return Err(Error::Outcome { service: service.path.clone(), reason });
    }
    let status = if outcome.status == 0 { Status::Ok } else { Status::Chosen(outcome.status) };
    let content = outcome.reply.map_or(Content::Empty, Content::Json);
    Ok(Reply { content, headers: outcome.headers, ..Reply::empty(status) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_reach_only_hosts_that_the_descriptor_lists() {
        let granted = ["api.example.com".to_owned(), "*.example.org:8080".to_owned()];
        for (url, allowed) in [
            ("http://api.example.com/x", true),
            ("http://api.example.com:81/x", true),
            ("http://a.example.org:8080/", true),
            ("http://a.example.org/", false),
            ("http://example.org:8080/", false),
            ("http://evilexample.org:8080/", false),
            ("ftp://api.example.com/", false),
            ("api.example.com", false),
        ] {
            assert_eq!(outbound_allowed(&granted, url), allowed, "{url}");
        }
    }
}
