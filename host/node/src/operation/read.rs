//! The stage that answers a read: the committed state, or what the guest makes of it.

use std::sync::Arc;

use steward_model::document::UpdateAction;
use steward_model::service::Handler;
use steward_model::{Document, Version};
use steward_sandbox::Occasion;

use super::Error;
use super::decision::{Answer, Decision};
use super::freshness::Freshness;
use super::given::Given;
use super::guest;
use super::precondition::{absence, is_known};
use super::request::{Content, Reply, Status};
use super::road::Road;
use crate::partition::flushed;

/// Answers a read: the committed state, or what the guest makes of it.
///
/// # Errors
/// [`Error`] if there is no such document or version, or the guest refuses.
pub(super) async fn read(road: Road<'_>) -> Result<Reply, Error> {
    let Road { operations, operation, service, partition, .. } = road;
    let link = &operation.link;
    let newest = match operation.freshness {
        Freshness::Newest => {
            // Asked before the state is read, so that the answer is on its way meanwhile.
            let asked = road.waiting().ask();
            let newest = partition.read(link)?;
            road.waiting().confirmed(asked).await?;
            newest
        }
        Freshness::Copy { .. } => partition.read(link)?,
    };
    let now = operations.clock.wall_time();
    // Its versions go with it, whether somebody has removed them yet or not.
    if newest.as_deref().is_some_and(|document| document.has_expired(now)) {
        return Err(Error::Expired { link: link.clone() });
    }
    if let Some(version) = operation.version.filter(|_| newest.is_some()) {
        // The state store may lag behind what was acknowledged, renewals that forget old versions included.
        flushed(partition).await?;
        let found = partition.store().version(link, version)?.or(newest_of(newest, version));
        let found = found.ok_or_else(|| Error::VersionNotFound { link: link.clone(), version })?;
        return Ok(match is_known(operation, Some(&found))? {
            true => not_modified(Arc::new(found)),
            false => Reply::state(Status::Ok, Arc::new(found)),
        });
    }
    let document = match newest {
        None => return Err(Error::NotFound { link: link.clone() }),
        Some(document) if document.is_tombstone() => return Err(absence(link, Some(&document), now)),
        Some(document) => document,
    };
    if is_known(operation, Some(&document))? {
        return Ok(not_modified(document));
    }
    // Most reads need no guest; those that do are boxed, so that the others stay small.
    let document = match document.state_version == service.descriptor().state_version {
        true => document,
        false => Box::pin(guest::migrated(service, &document)).await?,
    };
    if !service.handles(Handler::HandleGet) {
        return Ok(Reply::state(Status::Ok, document));
    }
    Box::pin(read_by_guest(road, document)).await
}

async fn read_by_guest(road: Road<'_>, document: Arc<Document>) -> Result<Reply, Error> {
    let asking = road.asking();
    let request = guest::request_of(asking.operation, Some(&document), Given::drawn(asking.operations));
    let outcome = guest::call(asking, Occasion::Get, &document.body, &request).await?;
    if outcome.document.is_some() || !outcome.effects.is_empty() {
        let reason = "handle-get returned a new state or effects; a read changes nothing".to_owned();
        return Err(Error::Outcome { service: road.service.path.clone(), reason });
    }
    let decision = Decision::of_guest(outcome, UpdateAction::Patch, Status::Ok);
    let content = match decision.answer {
        Answer::Json(json) => Content::Json(json),
        Answer::State => Content::State,
        Answer::Nothing => Content::Empty,
    };
    Ok(Reply { content, headers: decision.headers, ..Reply::state(decision.status, document) })
}

fn not_modified(document: Arc<Document>) -> Reply {
    Reply { document: Some(document), ..Reply::empty(Status::NotModified) }
}

/// A version that is committed may not have reached the store yet.
fn newest_of(newest: Option<Arc<Document>>, version: Version) -> Option<Document> {
    newest.filter(|document| document.version == version).map(Arc::unwrap_or_clone)
}
