//! Repeats: a request that was carried out before gets its first answer again. Nothing happens a second time.

use std::sync::Arc;

use steward_model::problem::Happened;
use steward_model::update::{RememberedBody, RememberedReply};
use steward_model::{Document, Link, Position};

use super::Error;
use super::request::{Content, Operation, Reply, Status, Tags};
use super::wait::Waiting;
use crate::partition::{Partition, flushed};

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
    for demanded in [&operation.condition.matching, &operation.condition.none_matching] {
        let (kind, tags): (&[u8], &[String]) = match demanded {
            None => (b"", &[]),
            Some(Tags::Any) => (b"any", &[]),
            Some(Tags::Listed(tags)) => (b"listed", tags),
        };
        part(kind);
        part(&(tags.len() as u64).to_be_bytes());
        tags.iter().for_each(|tag| part(tag.as_bytes()));
    }
    part(operation.body.as_ref().map_or(&[], |body| body.text()));
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

/// Returns the first answer to the operation, if it has been carried out before.
///
/// # Errors
/// [`Error::KeyReused`], those of the state store, or those of waiting for the first request's commit.
pub(super) async fn replay(waiting: Waiting<'_>) -> Result<Option<Reply>, Error> {
    let Waiting { operation, partition, .. } = waiting;
    let Some(key) = &operation.idempotency_key else { return Ok(None) };
    let Some(first) = partition.remembered(&operation.link, key)? else { return Ok(None) };
    if first.request_digest != request_digest(operation) {
        return Err(Error::KeyReused { link: operation.link.clone() });
    }
    let appended = partition.appended(&operation.link);
    // The first request may still be lost or committed, and for its client this one is the same.
    waiting.committed(appended, Happened::Unknown).await?;
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
    // A DELETE that found nothing was answered without a document.
    let was_there = first.made != Position::default();
    let document = state.or_else(|| was_there.then(|| Arc::new(trace(&operation.link, &first))));
    let status = Status::Chosen(first.status);
    Ok(Reply { document, content, headers: first.headers, replayed: true, ..Reply::empty(status) })
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
