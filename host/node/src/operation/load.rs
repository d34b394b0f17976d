//! Third stage: the newest state of the document, repeats of earlier requests, preconditions.

use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;
use steward_model::operation::Cause;
use steward_model::service::ServiceOption;
use steward_model::update::{RememberedBody, RememberedReply, RequestKey};
use steward_model::{Action, Document, Epoch, Link, Position, Version};

use super::request::{Condition, Content, Operation, Purpose, Reply, Status, entity_tag};
use super::{Error, Happened, Operations, execute, locate};
use crate::partition::{Partition, flushed};
use crate::service::Service;

/// The state that an operation works on.
pub(super) struct Before {
    /// The newest state in the shape of the mounted module; a tombstone only for those who create.
    pub document: Option<Arc<Document>>,
    /// The update that the state comes from, if it may not be committed yet.
    pub appended: Option<Position>,
    /// The reign in which it was loaded: what is decided on it counts in no other.
    pub epoch: Epoch,
}

/// What became of loading.
pub(super) enum Loaded {
    /// The operation has been carried out before, or there is nothing to do.
    Answered(Reply),
    /// Go on with this.
    Newest(Before),
    /// A DELETE that is to be remembered found nothing to delete.
    Absent(Before),
}

/// The built-in fields that a client may send.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BuiltIn {
    pub document_self_link: Option<String>,
    pub document_version: Option<i64>,
    pub document_expiration_time_micros: Option<i64>,
    pub document_source_link: Option<String>,
}

/// Returns the built-in fields of a body.
///
/// # Errors
/// [`Error::BuiltInField`] if one of them has the wrong type.
pub(super) fn built_in(body: Option<&Bytes>) -> Result<BuiltIn, Error> {
    let Some(body) = body else { return Ok(BuiltIn::default()) };
    // Most bodies have none, and looking for seven bytes is cheaper than parsing.
    if !body.windows(8).any(|window| window == b"document") {
        return Ok(BuiltIn::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| Error::BuiltInField { field: "a built-in document… field", reason: error.to_string() })
}

/// Returns the digest by which a repeated request is told from another one under the same key: of everything on which its
/// outcome depends.
pub(super) fn request_digest(operation: &Operation) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    // Each part tells its length, so that no part can pass for the end of the one before.
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    part(operation.first_action.unwrap_or(operation.action).as_str().as_bytes());
    part(operation.link.as_str().as_bytes());
    part(operation.query.as_bytes());
    part(operation.principal.as_bytes());
    part(if operation.force { b"force" } else { b"" });
    let (condition, tags): (&[u8], &[String]) = match &operation.condition {
        Condition::None => (b"", &[]),
        Condition::Exists => (b"exists", &[]),
        Condition::Absent => (b"absent", &[]),
        Condition::OneOf(tags) => (b"one of", tags),
        Condition::NoneOf(tags) => (b"none of", tags),
    };
    part(condition);
    part(&(tags.len() as u64).to_be_bytes());
    tags.iter().for_each(|tag| part(tag.as_bytes()));
    part(operation.body.as_deref().unwrap_or_default());
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

/// Returns the first answer to the operation, if it has been carried out before.
///
/// # Errors
/// [`Error::KeyReused`], those of the state store, or those of waiting for the first request's commit.
pub(super) async fn replay(
    operations: &Operations,
    operation: &Operation,
    partition: &Partition,
) -> Result<Option<Reply>, Error> {
    let Some(key) = &operation.idempotency_key else { return Ok(None) };
    let Some(first) = partition.remembered(&operation.link, &RequestKey::of(key))? else { return Ok(None) };
    if first.request_digest != request_digest(operation) {
        return Err(Error::KeyReused { link: operation.link.clone() });
    }
    let appended = partition.appended(&operation.link);
    // The first request may still be lost or committed, and for its client this one is the same.
    locate::witnessed(operations, operation, partition, appended, Happened::Unknown).await?;
    replayed(operation, partition, first).await.map(Some)
}

async fn replayed(operation: &Operation, partition: &Partition, first: RememberedReply) -> Result<Reply, Error> {
    let state = match first.body {
        RememberedBody::State => made(&operation.link, partition, &first).await?,
        RememberedBody::Json(_) | RememberedBody::Empty | RememberedBody::TooLarge { .. } => None,
    };
    let content = match (&first.body, &state) {
        (RememberedBody::Json(json), _) => Content::Json(json.clone()),
        (RememberedBody::State, Some(_)) => Content::State,
        // Nobody keeps the answer besides the history of the document; when that has let go of the version, or the body was
        // too large to be kept, the status and the headers are what is left of the first answer.
        (RememberedBody::State, None) | (RememberedBody::Empty | RememberedBody::TooLarge { .. }, _) => Content::Empty,
    };
    // What a repeat shows of the document is what the first answer showed: an entity tag of now would let its client overwrite
    // what it has never seen.
    let document = Some(state.unwrap_or_else(|| Arc::new(trace(&operation.link, &first))));
    Ok(Reply { status: Status::Chosen(first.status), document, content, headers: first.headers, replayed: true })
}

/// Returns what is known of the document after the first request when its state is not: enough for the headers.
fn trace(link: &Link, first: &RememberedReply) -> Document {
    let Position { epoch, offset } = first.made;
    Document { version: first.version, epoch, offset, ..Document::bare(link.clone(), first.answered) }
}

/// Returns the document as the first request left it, if that is still kept.
async fn made(link: &Link, partition: &Partition, first: &RememberedReply) -> Result<Option<Arc<Document>>, Error> {
    let made = |document: &Document| (document.epoch, document.offset) == (first.made.epoch, first.made.offset);
    if let Some(newest) = partition.read(link)?.filter(|newest| made(newest)) {
        return Ok(Some(newest));
    }
    // The state store may lag behind what is committed.
    flushed(partition).await?;
    Ok(partition.store().version(link, first.version)?.filter(|kept| made(kept)).map(Arc::new))
}

/// Loads the document for an update.
///
/// # Errors
/// [`Error`] if there is no such document, a precondition does not hold, or its state cannot be read.
pub(super) async fn load(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    partition: &Partition,
) -> Result<Loaded, Error> {
    if let Some(reply) = replay(operations, operation, partition).await? {
        return Ok(Loaded::Answered(reply));
    }
    let epoch = locate::reign(operations, operation, partition)?;
    let newest = partition.newest(&operation.link)?;
    match operation.purpose {
        Purpose::Act | Purpose::Start | Purpose::Maintain => {}
        // These concern documents that are deleted or gone, too.
        Purpose::Expire | Purpose::Answered { .. } => {
            let document = match newest.document {
                Some(document) if !document.is_tombstone() => Some(execute::migrated(service, &document).await?),
                other => other,
            };
            return Ok(Loaded::Newest(Before { document, appended: newest.appended, epoch }));
        }
    }
    let client = operation.purpose == Purpose::Act;
    let Some(document) = present(operations, newest.document.as_ref()) else {
        let absence = absent(operation, newest.document.as_deref()).map(Loaded::Answered);
        let remembered = operation.action == Action::Delete && operation.idempotency_key.is_some();
        // The repeat of a DELETE must not delete what somebody creates meanwhile.
        let before = || Before { document: newest.document.clone(), appended: newest.appended, epoch };
        return absence.map(|answer| if client && remembered { Loaded::Absent(before()) } else { answer });
    };
    if client {
        check_condition(operation, Some(document))?;
        check_strict(operation, service, document)?;
    }
    let document = execute::migrated(service, document).await?;
    Ok(Loaded::Newest(Before { document: Some(document), appended: newest.appended, epoch }))
}

/// Returns the document if it is there: neither deleted nor expired.
fn present<'a>(operations: &Operations, document: Option<&'a Arc<Document>>) -> Option<&'a Arc<Document>> {
    document.filter(|document| !document.is_tombstone() && !document.is_expired(operations.clock.wall_time()))
}

fn absent(operation: &Operation, tombstone: Option<&Document>) -> Result<Reply, Error> {
    if operation.purpose != Purpose::Act || operation.action == Action::Delete {
        return Ok(Reply::empty(Status::Ok));
    }
    check_condition(operation, None)?;
    Err(absence(&operation.link, tombstone))
}

/// Returns what to say of a document that is not there; of an expired one nothing is left to tell.
pub(super) fn absence(link: &Link, newest: Option<&Document>) -> Error {
    match newest.filter(|newest| newest.is_tombstone() && !newest.ended_by_expiry()) {
        Some(tombstone) => Error::Deleted { link: link.clone(), version: tombstone.version },
        None => Error::NotFound { link: link.clone() },
    }
}

/// Checks what the request demands of the document.
///
/// # Errors
/// [`Error::PreconditionFailed`].
pub(super) fn check_condition(operation: &Operation, document: Option<&Arc<Document>>) -> Result<(), Error> {
    let tag = || document.map(|document| entity_tag(document));
    let holds = match &operation.condition {
        Condition::None => true,
        Condition::Exists => document.is_some(),
        Condition::Absent => document.is_none(),
        Condition::OneOf(tags) => tag().is_some_and(|tag| tags.contains(&tag)),
        Condition::NoneOf(tags) => tag().is_none_or(|tag| !tags.contains(&tag)),
    };
    if holds { Ok(()) } else { Err(Error::PreconditionFailed { link: operation.link.clone(), have: tag() }) }
}

fn check_strict(operation: &Operation, service: &Service, document: &Document) -> Result<(), Error> {
    let named_by_tag = matches!(operation.condition, Condition::OneOf(_));
    let strict = service.has(ServiceOption::StrictUpdateChecking) && operation.cause == Cause::Client;
    if !strict || named_by_tag || operation.action == Action::Delete {
        return Ok(());
    }
    let link = || operation.link.clone();
    match built_in(operation.body.as_ref())?.document_version {
        None => Err(Error::PreconditionRequired { link: link() }),
        Some(named) if u64::try_from(named) == Ok(document.version.0) => Ok(()),
        Some(named) => {
            let named = Version(u64::try_from(named).unwrap_or(u64::MAX));
            Err(Error::VersionConflict { link: link(), have: document.version, named })
        }
    }
}
