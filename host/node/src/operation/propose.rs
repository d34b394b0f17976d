//! Fifth stage: the decision becomes an update, the update goes into the log, and the reply waits for the commit.

use std::sync::Arc;

use bytes::Bytes;
use steward_model::operation::EffectKey;
use steward_model::update::{
    Change, Origin, PendingEffect, RememberedBody, RememberedReply, RequestId, RequestKey, Update,
};
use steward_model::{Document, Epoch, Offset, Position, Timestamp, Version};
use steward_storage::log::Reservation;

use super::decide::{Answer, Decision, Next};
use super::load::{Before, request_digest};
use super::request::{Content, Operation, Reply, Status};
use super::{Error, Happened, Operations, create, door, locate};
use crate::partition::{Partition, Taken};
use crate::service::Service;

/// A reply that may be given once something is committed.
pub(super) struct Pending {
    reply: Reply,
    waits: Waits,
}

/// What a reply waits for.
enum Waits {
    /// The update of the operation itself.
    Own(Taken),
    /// An update of somebody else that the reply shows.
    Other(Position),
    /// Nothing: what it shows is committed.
    Nothing,
}

impl Pending {
    /// Returns the reply once everything it shows is committed.
    ///
    /// # Errors
    /// [`Error::Lost`], or [`Error::Unavailable`] with an unknown outcome at the deadline.
    pub(super) async fn committed(
        self,
        operations: &Operations,
        operation: &Operation,
        partition: &Partition,
    ) -> Result<Reply, Error> {
        let commit = async {
            match self.waits {
                Waits::Own(taken) => taken.committed().await.map(|_| ()),
                Waits::Other(position) => partition.committed(position).await,
                Waits::Nothing => Ok(()),
            }
        };
        match locate::in_time(operations, operation, commit).await {
            Some(Ok(())) => Ok(self.reply),
            Some(Err(lost)) => Err(Error::Lost(lost)),
            None => {
                let reason = "the update is in the log and not committed yet".to_owned();
                Err(locate::unavailable(operations, operation, partition.id(), reason, Happened::Unknown))
            }
        }
    }
}

/// Puts the decision into the log.
///
/// # Errors
/// [`Error`] if the partition takes no updates, the disk is full, or the state is too large: nothing has happened then.
pub(super) async fn propose(
    operations: &Operations,
    operation: &Operation,
    service: &Arc<Service>,
    partition: &Partition,
    before: Before,
    decision: Decision,
) -> Result<Pending, Error> {
    check_size(operations, service, &decision)?;
    if decision.changes_nothing() && operation.idempotency_key.is_none() {
        let reply = reply_of(&decision, before.document);
        return Ok(Pending { reply, waits: before.appended.map_or(Waits::Nothing, Waits::Other) });
    }
    let removes = matches!(decision.next, Next::Tombstone(_) | Next::Expired);
    let creates = decision.creates;
    let (now, steady) = (operations.clock().timestamp(), operations.clock().steady_time());
    let update = Maker { operation, service, before: &before, decision: &decision, now, steady }.make();
    let space = space_for(operations, operation, partition, &update).await?;
    let _entered = door::enter(operations, operation, service, partition, &decision).await?;
    let Before { document, epoch, .. } = before;
    let proposed = partition.propose(epoch, document, update, space);
    partition.step(operations.clock().now());
    let taken = proposed.taken().await.map_err(Error::propose)?;
    // The document at its place: epoch and offset are known only now.
    let reply = reply_of(&decision, Some(Arc::clone(&taken.placed.document)));
    if creates || removes {
        operations.tell_watcher(service, &operation.link, creates);
    }
    Ok(Pending { reply, waits: Waits::Own(taken) })
}

/// Waits for space in the log, which is taken before the record exists: nobody waits for the disk while others wait for him.
async fn space_for(
    operations: &Operations,
    operation: &Operation,
    partition: &Partition,
    update: &Update,
) -> Result<Option<Reservation>, Error> {
    match locate::in_time(operations, operation, partition.space_for(update)).await {
        Some(space) => space.map_err(Error::propose),
        None => {
            let reason = "the commit log is behind: the disk is slow".to_owned();
            Err(locate::unavailable(operations, operation, partition.id(), reason, Happened::No))
        }
    }
}

fn check_size(operations: &Operations, service: &Service, decision: &Decision) -> Result<(), Error> {
    let wanted = service.descriptor().limits.document_bytes;
    let ceiling = operations.limits().document_bytes_max;
    let max = if wanted == 0 { ceiling } else { ceiling.min(usize::try_from(wanted).unwrap_or(ceiling)) };
    match &decision.next {
        Next::State(state) | Next::Reborn(state) if state.len() > max => {
            Err(Error::DocumentTooLarge { bytes: state.len(), max })
        }
        Next::State(_) | Next::Reborn(_) | Next::Tombstone(_) | Next::Unchanged | Next::Expired => Ok(()),
    }
}

fn reply_of(decision: &Decision, document: Option<Arc<Document>>) -> Reply {
    let document = document.filter(|_| decision.answer != Answer::Nothing);
    let content = match (&decision.answer, &document) {
        (Answer::State, Some(_)) => Content::State,
        (Answer::State, None) | (Answer::Nothing, _) => Content::Empty,
        (Answer::Json(json), _) => Content::Json(json.clone()),
    };
    Reply { status: decision.status, document, content, headers: decision.headers.clone(), replayed: false }
}

/// Everything an update is made of.
struct Maker<'a> {
    operation: &'a Operation,
    service: &'a Service,
    before: &'a Before,
    decision: &'a Decision,
    now: Timestamp,
    /// The time by which delays are counted.
    steady: Timestamp,
}

/// How long a tombstone is kept when the delete does not say: no version is given twice meanwhile.
const TOMBSTONE_KEEP: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

impl Maker<'_> {
    fn make(&self) -> Update {
        let (change, document) = self.document();
        let effects = self.effects(&document);
        let remembered = self.operation.idempotency_key.as_ref().map(|key| self.remembered(key, &document));
        let keep_versions = Some(self.service.descriptor().versions_kept());
        let settled = self.decision.settled.clone();
        let document = match change {
            // The state stays what it was; it need not travel through the log again.
            Change::None => Document { body: Bytes::new(), ..document },
            Change::NewVersion | Change::Renewal | Change::Purge => document,
        };
        let (request, origin) = (RequestId::of(&self.operation.id), Origin::default());
        Update { change, request, origin, document, keep_versions, effects, settled, remembered }
    }

    fn document(&self) -> (Change, Document) {
        let before = self.before.document.as_deref();
        let (change, body) = match (&self.decision.next, before) {
            (Next::State(body) | Next::Tombstone(body), _) => (Change::NewVersion, body.clone()),
            (Next::Reborn(body), _) => (Change::Renewal, body.clone()),
            (Next::Expired, Some(_)) => (Change::Renewal, Bytes::from_static(b"{}")),
            // A new expiry alone makes a new version of the same state.
            (Next::Unchanged, Some(before)) if self.expiry_changes(before) => (Change::NewVersion, before.body.clone()),
            (Next::Unchanged, Some(before)) => return (Change::None, before.clone()),
            (Next::Unchanged | Next::Expired, None) => (Change::None, Bytes::from_static(b"{}")),
        };
        let created = self.decision.creates;
        let version = match before {
            None => Version(0),
            Some(_) if created => create::first_version(self.before),
            Some(before) => before.version.next(),
        };
        let updated = before.map_or(self.now, |before| self.now.max(Timestamp(before.updated.0 + 1)));
        let source = match (&self.decision.source, before) {
            (Some(source), _) => source.clone(),
            (None, Some(before)) if !created => before.source.clone(),
            (None, Some(_) | None) => String::new(),
        };
        let document = Document {
            link: self.operation.link.clone(),
            kind: self.service.descriptor().kind().to_owned(),
            version,
            epoch: Epoch::ZERO,
            offset: Offset(0),
            updated,
            action: self.decision.action,
            expires: self.expires(before.filter(|_| !created)),
            principal: self.operation.principal.clone(),
            source,
            state_version: self.service.descriptor().state_version,
            body,
        };
        (change, document)
    }

    fn expiry_changes(&self, before: &Document) -> bool {
        self.decision.expires.is_some_and(|expires| expires != before.expires)
    }

    fn expires(&self, before: Option<&Document>) -> Timestamp {
        let kept = before.map_or(Timestamp(0), |before| before.expires);
        match (&self.decision.next, self.decision.expires) {
            (_, Some(expires)) if expires != Timestamp(0) => expires,
            (Next::Tombstone(_) | Next::Expired, _) => self.now.plus(TOMBSTONE_KEEP),
            (_, Some(expires)) => expires,
            (_, None) => kept,
        }
    }

    fn effects(&self, document: &Document) -> Vec<PendingEffect> {
        let pending = |(number, effect): (u32, &steward_model::operation::Effect)| {
            let key = EffectKey { link: document.link.clone(), at: Position::default(), number };
            let delay = std::time::Duration::from_millis(effect.delay_millis.max(0).unsigned_abs());
            PendingEffect { key, due: self.steady.plus(delay), issued: self.steady, effect: effect.clone() }
        };
        (0..).zip(&self.decision.effects).map(pending).collect()
    }

    fn remembered(&self, key: &str, document: &Document) -> RememberedReply {
        let body = match &self.decision.answer {
            Answer::State => RememberedBody::State,
            Answer::Json(json) => RememberedBody::of_json(json),
            Answer::Nothing => RememberedBody::Empty,
        };
        let status = match self.decision.status {
            Status::Ok | Status::NotModified => 200,
            Status::Created => 201,
            Status::Accepted => 202,
            Status::Chosen(status) => status,
        };
        RememberedReply {
            key: RequestKey::of(key),
            request_digest: request_digest(self.operation),
            status,
            version: document.version,
            made: Position { epoch: document.epoch, offset: document.offset },
            at: Position::default(),
            answered: self.now,
            headers: self.decision.headers.clone(),
            body,
        }
    }
}
