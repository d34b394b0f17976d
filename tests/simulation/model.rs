//! The state that follows from the committed records of a partition, computed in the simplest way. Stores are compared
//! with it.

use std::collections::BTreeMap;

use steward_model::operation::EffectKey;
use steward_model::update::{Change, Entry, PendingEffect, Record, RememberedReply, RequestKey, Update};
use steward_model::{Document, Epoch, Link, Offset, Position, Timestamp};

/// One document and what is kept beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The newest record about it.
    pub(crate) touched: Offset,
    /// The newest version.
    pub(crate) document: Document,
    /// Older versions that are kept, oldest first.
    pub(crate) older: Vec<Document>,
}

/// Everything that one partition holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    /// The last record.
    pub(crate) applied: Option<Position>,
    /// Which epoch began at which offset.
    pub(crate) lineage: Vec<(Epoch, Offset)>,
    /// Documents, tombstones included.
    pub(crate) documents: BTreeMap<Link, Held>,
    /// Effects that wait.
    pub(crate) outbox: BTreeMap<EffectKey, PendingEffect>,
    /// Answers that a repeat gets.
    pub(crate) replies: BTreeMap<(Link, RequestKey), RememberedReply>,
    /// Effects that were issued, ever.
    pub(crate) issued: BTreeMap<EffectKey, PendingEffect>,
    /// The latest time of a record.
    pub(crate) latest: Timestamp,
    /// Tombstones that are forgotten. Who has one in memory still may go on with it.
    pub(crate) forgotten: BTreeMap<Link, Offset>,
    /// Removed documents, and the record that removed each.
    pub(crate) removed: BTreeMap<Link, Offset>,
}

impl Model {
    /// Applies the next record.
    pub(crate) fn apply(&mut self, record: &Record) {
        let position = record.position;
        if self.lineage.last().is_none_or(|(epoch, _)| *epoch < position.epoch) {
            self.lineage.push((position.epoch, position.offset));
        }
        self.applied = Some(position);
        match &record.entry {
            Entry::Marker => {}
            Entry::Update(update) => self.update(position, update),
            Entry::Forget { tombstones_below, answers_below } => self.forget(*tombstones_below, *answers_below),
        }
    }

    fn update(&mut self, position: Position, update: &Update) {
        let link = &update.document.link;
        self.latest = self.latest.max(update.document.updated);
        match update.change {
            Change::NewVersion | Change::Renewal => self.version(position, update),
            Change::None => {
                if let Some(held) = self.documents.get_mut(link) {
                    held.touched = position.offset;
                }
            }
        }
        for effect in &update.effects {
            self.outbox.insert(effect.key.clone(), effect.clone());
            self.issued.insert(effect.key.clone(), effect.clone());
        }
        update.settled.iter().for_each(|key| drop(self.outbox.remove(key)));
        if let Some(reply) = &update.remembered {
            self.latest = self.latest.max(reply.answered);
            self.replies.insert((link.clone(), reply.key), reply.clone());
        }
    }

    fn version(&mut self, position: Position, update: &Update) {
        let link = &update.document.link;
        let mut older = Vec::new();
        if let Some(before) = self.documents.remove(link).filter(|_| update.change == Change::NewVersion) {
            older = before.older;
            older.push(before.document);
        }
        let version = update.document.version;
        let oldest = update.keep_versions.map_or(0, |keep| version.0.saturating_sub(keep));
        older.retain(|document| document.version.0 >= oldest);
        if update.document.is_tombstone() {
            self.removed.insert(link.clone(), position.offset);
        }
        let document = update.document.clone();
        self.documents.insert(link.clone(), Held { touched: position.offset, document, older });
    }

    fn forget(&mut self, tombstones_below: Offset, answers_below: Offset) {
        for (link, held) in &self.documents {
            if held.document.is_tombstone() && held.touched < tombstones_below {
                self.forgotten.insert(link.clone(), held.document.offset);
            }
        }
        self.documents.retain(|_, held| !held.document.is_tombstone() || held.touched >= tombstones_below);
        self.replies.retain(|_, reply| reply.at.offset >= answers_below);
    }

    /// Returns the newest version of a document, tombstones included.
    pub(crate) fn document(&self, link: &Link) -> Option<&Document> {
        self.documents.get(link).map(|held| &held.document)
    }

    /// Returns how many live documents each factory has.
    pub(crate) fn counts(&self) -> BTreeMap<Link, u64> {
        let mut counts = BTreeMap::new();
        for held in self.documents.values().filter(|held| !held.document.is_tombstone()) {
            if let Some(parent) = held.document.link.parent() {
                *counts.entry(parent).or_insert(0) += 1;
            }
        }
        counts
    }
}
