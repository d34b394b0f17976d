//! The state store of one partition in a world, with what a crash does to it.
//!
//! Batches are atomic and in order, but not durable before the next checkpoint: a crash keeps any number of the batches
//! since then, from the front.

use std::collections::BTreeMap;

use steward_model::update::{Change, Entry, Record};
use steward_model::{Document, Link, Offset, Position};

/// Documents and the record up to which they are those of the log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Contents {
    pub(crate) documents: BTreeMap<Link, Document>,
    /// Where each document was changed last: the sequence index.
    pub(crate) sequence: BTreeMap<Offset, Link>,
    /// The sum of the documents' digests.
    pub(crate) digest: u128,
    pub(crate) applied: Option<Position>,
}

impl Contents {
    /// Applies the next record.
    pub(crate) fn apply(&mut self, record: &Record) {
        match &record.entry {
            Entry::Marker | Entry::Forget { .. } => {}
            Entry::Update(update) => match update.change {
                Change::NewVersion | Change::Renewal => self.put(&update.document),
                Change::None => {}
                Change::Purge => self.take(&update.document.link),
            },
        }
        self.applied = Some(record.position);
    }

    fn put(&mut self, document: &Document) {
        self.take(&document.link);
        self.sequence.insert(document.offset, document.link.clone());
        self.digest = self.digest.wrapping_add(u128::from_be_bytes(document.digest()));
        self.documents.insert(document.link.clone(), document.clone());
    }

    fn take(&mut self, link: &Link) {
        if let Some(document) = self.documents.remove(link) {
            self.sequence.remove(&document.offset);
            self.digest = self.digest.wrapping_sub(u128::from_be_bytes(document.digest()));
        }
    }
}

/// A state store: what it shows, and what would survive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) now: Contents,
    /// The last checkpoint, and the contents after each batch since.
    lasting: Contents,
    batches: Vec<Contents>,
}

impl Store {
    /// Applies a run of records as one batch.
    pub(crate) fn apply(&mut self, run: impl Iterator<Item = Record>) {
        run.for_each(|record| self.now.apply(&record));
        self.batches.push(self.now.clone());
    }

    /// Makes everything applied so far durable.
    pub(crate) fn checkpoint(&mut self) {
        self.lasting.clone_from(&self.now);
        self.batches.clear();
    }

    /// Returns how many batches a crash may take back.
    pub(crate) fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Loses power, and all batches but the first `kept` since the last checkpoint.
    pub(crate) fn crash(&mut self, kept: usize) {
        if let Some(contents) = kept.checked_sub(1).map(|last| self.batches.swap_remove(last)) {
            self.lasting = contents;
        }
        self.batches.clear();
        self.now.clone_from(&self.lasting);
    }

    /// Loses the mark of how far it has applied, as a store with unequal batches would.
    pub(crate) fn forget_applied(&mut self) {
        if let Some(applied) = &mut self.now.applied {
            applied.offset.0 = applied.offset.0.saturating_sub(1);
        }
        self.lasting.clone_from(&self.now);
    }
}
