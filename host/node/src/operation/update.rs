//! From a decision to the update that goes into the log.

use bytes::Bytes;
use steward_model::operation::{Effect, EffectKey};
use steward_model::update::{Change, Origin, PendingEffect, RememberedReply, RequestId, RequestKey, Update};
use steward_model::{Document, Epoch, Offset, Position, Timestamp, Version};

use super::decision::{Decision, Next};
use super::load::Before;
use super::recording;
use super::repeat::request_digest;
use super::request::Operation;
use crate::service::Service;

/// Everything an update is made of.
pub(super) struct Draft<'a> {
    pub operation: &'a Operation,
    pub service: &'a Service,
    pub before: &'a Before,
    pub decision: &'a Decision,
    /// What the new version carries of the request.
    pub recording: Bytes,
    pub now: Timestamp,
    /// The time by which delays are counted.
    pub steady: Timestamp,
}

/// How long a tombstone is kept when the delete does not say: no version is given twice meanwhile.
const TOMBSTONE_KEEP: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 3600);

impl Draft<'_> {
    /// Returns the update. The place in the log, and with it epoch and offset, is known only when it is taken.
    pub(super) fn update(&self) -> Update {
        let (change, document) = self.document();
        let effects = self.effects(&document);
        let remembered = self.operation.idempotency_key.map(|key| self.remembered(key, &document));
        let keep_versions = Some(self.service.descriptor().versions_kept());
        let settled = self.decision.settled.clone();
        let document = match change {
            // The state stays what it was; it need not travel through the log again.
            Change::None => Document { body: Bytes::new(), recording: Bytes::new(), ..document },
            Change::NewVersion | Change::Renewal => document,
        };
        let (request, origin) = (RequestId::of(&self.operation.id), Origin::default());
        Update { change, request, origin, document, keep_versions, effects, settled, remembered }
    }

    /// Returns the document after the operation, and what happens to its versions.
    pub(super) fn document(&self) -> (Change, Document) {
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
            cause: self.operation.cause,
            principal: self.operation.principal.clone(),
            source,
            state_version: self.service.descriptor().state_version,
            body,
            recording: self.recording.clone(),
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
        let pending = |(number, effect): (u32, &Effect)| {
            let key = EffectKey { link: document.link.clone(), at: Position::default(), number };
            let delay = std::time::Duration::from_millis(effect.delay_millis.max(0).unsigned_abs());
            PendingEffect {
                key,
                due: self.steady.plus(delay),
                issued: self.steady,
                request: self.operation.root().to_owned(),
                effect: effect.clone(),
            }
        };
        (0..).zip(&self.decision.effects).map(pending).collect()
    }

    fn remembered(&self, key: RequestKey, document: &Document) -> RememberedReply {
        RememberedReply {
            key,
            request_digest: request_digest(self.operation),
            status: self.decision.status.number(),
            version: document.version,
            made: Position { epoch: document.epoch, offset: document.offset },
            at: Position::default(),
            answered: self.now,
            headers: self.decision.headers.clone(),
            body: recording::reply(self.decision),
        }
    }
}
