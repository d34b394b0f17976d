//! The stage that reads the newest state of the document, looks for the first answer to a repeated request, and checks the
//! preconditions.

use std::sync::Arc;

use steward_model::service::ServiceOption;
use steward_model::{Action, Document, Epoch, Position, Timestamp};

use super::body::built_in;
use super::decision::NO_DOCUMENT;
use super::precondition::{absence, check_condition, check_strict};
use super::request::{Content, Operation, Purpose, Reply, Status};
use super::road::Road;
use super::{Error, guest, repeat};

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

/// What a POST finds at the link of the child.
pub(super) enum Creation {
    /// The POST has been carried out before.
    Answered(Reply),
    /// A document, and the service makes a PUT of such a POST.
    Exists,
    /// Nothing, or a tombstone that may be overwritten.
    Free(Before),
}

/// Loads the document for an update.
///
/// # Errors
/// [`Error`] if there is no such document, a precondition does not hold, or its state cannot be read.
pub(super) async fn load(road: Road<'_>) -> Result<Loaded, Error> {
    let Road { operations, operation, service, partition, .. } = road;
    if let Some(reply) = repeat::replay(road.waiting()).await? {
        return Ok(Loaded::Answered(reply));
    }
    let epoch = road.waiting().reign()?;
    let newest = partition.newest(&operation.link)?;
    match operation.purpose {
        Purpose::Act | Purpose::Start | Purpose::Maintain | Purpose::Migrate => {}
        // These concern documents that are deleted or gone, too.
        Purpose::Expire | Purpose::Answered { .. } => {
            let document = match newest.document {
                Some(document) if !document.is_tombstone() => Some(guest::migrated(service, &document).await?),
                other => other,
            };
            return Ok(Loaded::Newest(Before { document, appended: newest.appended, epoch }));
        }
    }
    let client = operation.purpose == Purpose::Act;
    let now = operations.clock.wall_time();
    let Some(document) = newest.document.as_ref().filter(|document| document.is_there(now)) else {
        let absence = absent(operation, newest.document.as_deref(), now).map(Loaded::Answered);
        let remembered = operation.action == Action::Delete && operation.idempotency_key.is_some();
        // The repeat of a DELETE must not delete what somebody creates meanwhile.
        let before = || Before { document: newest.document.clone(), appended: newest.appended, epoch };
        return absence.map(|answer| if client && remembered { Loaded::Absent(before()) } else { answer });
    };
    if client {
        check_condition(operation, Some(document))?;
        check_strict(operation, service, document)?;
    }
    if operation.purpose == Purpose::Migrate && document.state_version == service.descriptor().state_version {
        return Ok(Loaded::Answered(Reply::empty(Status::Ok)));
    }
    let document = guest::migrated(service, document).await?;
    Ok(Loaded::Newest(Before { document: Some(document), appended: newest.appended, epoch }))
}

fn absent(operation: &Operation, newest: Option<&Document>, now: Timestamp) -> Result<Reply, Error> {
    if operation.purpose != Purpose::Act {
        return Ok(Reply::empty(Status::Ok));
    }
    if operation.action == Action::Delete {
        return Ok(Reply { content: Content::Json(NO_DOCUMENT), ..Reply::empty(Status::Ok) });
    }
    check_condition(operation, None)?;
    Err(absence(&operation.link, newest, now))
}

/// Loads what a creation finds.
///
/// # Errors
/// [`Error`] if the link is taken and the service does not replace, or if a precondition does not hold.
pub(super) async fn load_for_creation(road: Road<'_>) -> Result<Creation, Error> {
    let Road { operations, operation, service, partition, .. } = road;
    let link = || operation.link.clone();
    if steward_model::link::UTILITY_SUFFIXES.contains(&operation.link.name()) {
        let reason = format!("ends with {:?}, a name that every service keeps for itself", operation.link.name());
        return Err(Error::BuiltInField { field: "documentSelfLink", reason });
    }
    if let Some(reply) = repeat::replay(road.waiting()).await? {
        return Ok(Creation::Answered(reply));
    }
    let epoch = road.waiting().reign()?;
    let newest = partition.newest(&operation.link)?;
    let Some(document) = newest.document else {
        check_condition(operation, None)?;
        return Ok(Creation::Free(Before { document: None, appended: None, epoch }));
    };
    if document.is_there(operations.clock.wall_time()) {
        check_condition(operation, Some(&document))?;
        let replaces = service.has(ServiceOption::IdempotentPost) && !service.has(ServiceOption::Immutable);
        return if replaces { Ok(Creation::Exists) } else { Err(Error::Exists { link: link() }) };
    }
    check_condition(operation, None)?;
    let named = built_in(operation.body.as_ref())?.version;
    let higher = named.is_some_and(|named| named > document.version.0);
    let deleted = document.is_tombstone() && !document.ended_by_expiry();
    if deleted && !operation.force && !higher {
        return Err(Error::CreateDeleted { link: link(), version: document.version });
    }
    Ok(Creation::Free(Before { document: Some(document), appended: newest.appended, epoch }))
}
