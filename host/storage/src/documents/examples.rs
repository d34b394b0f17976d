//! Documents and records for tests.

use bytes::Bytes;
use steward_model::document::UpdateAction;
use steward_model::operation::{Action, Cause, Effect, EffectKey};
use steward_model::update::{
    Change, Entry, Origin, PendingEffect, Record, RememberedBody, RememberedReply, RequestId, RequestKey, Update,
};
use steward_model::{Document, Epoch, Lane, Link, Offset, PartitionId, Position, Timestamp, Version};

use super::{Across, Copies, PartitionStore};
use crate::keys;
use crate::state::{Family, KeyRange, Order};

/// The partition that all examples are in.
pub(crate) fn partition() -> PartitionId {
    PartitionId { selector: Default::default(), lane: Lane::Persisted, index: 3 }
}

/// Parses a self-link.
pub(crate) fn link(text: &str) -> Link {
    Link::parse(text).expect("a valid link")
}

/// Returns version `version` of a document.
pub(crate) fn document(link_text: &str, version: u64, body: &str) -> Document {
    Document {
        kind: "kind".into(),
        version: Version(version),
        epoch: Epoch::ZERO.next_ownership(),
        action: UpdateAction::Put,
        cause: Cause::Client,
        state_version: 1,
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..Document::bare(link(link_text), Timestamp(1_000_000))
    }
}

/// Returns the update that makes `document` a new version.
pub(crate) fn update(document: Document) -> Update {
    Update {
        change: Change::NewVersion,
        request: RequestId::default(),
        origin: Origin::default(),
        document,
        keep_versions: Some(100),
        effects: vec![],
        settled: vec![],
        remembered: None,
    }
}

/// Returns the position at an offset of the first epoch.
pub(crate) fn at(offset: u64) -> Position {
    Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(offset) }
}

/// Returns the record of an entry.
pub(crate) fn record(offset: u64, entry: Entry) -> Record {
    Record { position: at(offset), previous: Epoch::ZERO, entry }
}

/// Returns the record of an update.
pub(crate) fn updated(offset: u64, mut update: Update) -> Record {
    if let Some(reply) = &mut update.remembered {
        reply.at = at(offset);
    }
    if update.change != Change::None {
        update.document.offset = Offset(offset);
    }
    record(offset, Entry::Update(Box::new(update)))
}

/// Returns an effect of a document.
pub(crate) fn effect(link_text: &str, offset: u64, number: u32) -> PendingEffect {
    let effect = Effect {
        to: "/core/other".into(),
        action: Action::Patch,
        headers: vec![],
        body: None,
        delay_millis: 0,
        reply_tag: String::new(),
    };
    let at = Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(offset) };
    let key = EffectKey { link: link(link_text), at, number };
    PendingEffect { key, due: Timestamp(1), issued: Timestamp(1), request: "r-1".to_owned(), effect }
}

/// Returns the answer to request `key`, given at `answered`.
pub(crate) fn reply(key: &str, answered: i64) -> RememberedReply {
    RememberedReply {
        key: RequestKey::of(key),
        request_digest: [0; 16],
        status: 200,
        version: Version(0),
        made: Position::default(),
        at: Position::default(),
        answered: Timestamp(answered),
        headers: vec![],
        body: RememberedBody::Empty,
    }
}

/// Returns the sequence index of a partition, as it stands in the store.
pub(crate) fn sequence(store: &PartitionStore) -> Vec<(Offset, Link)> {
    let view = store.view().expect("a view");
    let keys = view.scan_keys(Family::Sequence, KeyRange::prefix(&store.copy().prefix()), Order::Ascending);
    keys.map(|key| keys::sequence::decode(&key.expect("readable")).expect("such a key")).collect()
}

/// Returns that only the copy in `store` counts.
pub(crate) fn alone(store: &PartitionStore) -> Copies {
    let mut copies = Copies::none(store.partition().lane);
    copies.add(store.copy());
    copies
}

/// Returns how many living documents `/f` has.
pub(crate) fn counted(store: &PartitionStore) -> u64 {
    let (view, copies) = (store.view().expect("a view"), alone(store));
    Across::new(store.store().as_ref(), view.as_ref(), &copies).count(&link("/f")).expect("readable")
}

/// Returns the listing of `/f`.
pub(crate) fn listed(store: &PartitionStore) -> Vec<String> {
    let (view, copies) = (store.view().expect("a view"), alone(store));
    let across = Across::new(store.store().as_ref(), view.as_ref(), &copies);
    across.listed(&link("/f"), None).map(|listed| listed.expect("readable").link.to_string()).collect()
}
