//! The documents of one partition, as the node works with them.
//!
//! Problem: newest states, older versions, indexes, effects, remembered answers, expiry and digests all follow from the
//! records of the partition log, and must agree with each other whenever somebody looks, also after a crash. Promise:
//! [`PartitionStore::apply`] turns a run of committed records into one batch, so that the store is always exactly the
//! state at its applied position; records that were applied before are skipped, so that a replay may begin too early.
//!
//! A document that changes several times in a run is written once, every version that is to be kept besides. Reads do
//! not wait for applies.
//!
//! Left out: nothing here knows the time. What is old is forgotten where a record says so, see
//! [`Entry::Forget`](steward_model::update::Entry::Forget): all replicas do it at the same place of the log.

mod across;
mod apply;
mod beside;
mod error;
mod held;
mod page;
mod query;
mod ranked;
mod rebuild;
mod sweep;
mod tally;

#[cfg(test)]
pub(crate) mod examples;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use steward_model::recording::Recording;
use steward_model::update::{RememberedReply, RequestKey};
use steward_model::{Document, Epoch, Link, Offset, PartitionId, Position, Version, codec};

pub use across::{Across, Certain, Copies, Indexed, Listed};
pub use beside::{ANSWER_BYTES_MAX, ANSWER_BYTES_SLACK, ANSWERS_MAX, ANSWERS_SLACK};
pub use error::Error;
pub use held::{Base, Current, LINEAGE_MAX, Progress, ROOT_SPACING, ROOTS_MAX};
pub use page::Page;
pub use query::Horizons;
pub use rebuild::{Head, Portion};
pub use sweep::Sweep;

use crate::digest::{BUCKET_BYTES, Buckets, Digest};
use crate::keys::{self, Space};
use crate::state::{Family, KeyRange, Order, ReadView, StateStore};

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The newest position that is applied now.
    pub through: Option<Position>,
    /// Records that are in the store since this call.
    pub applied: usize,
    /// Records that had been applied before.
    pub skipped: usize,
}

/// What is known about a partition as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The newest record that is in the store; none: no record is.
    pub applied: Option<Position>,
    /// Which epoch began at which offset.
    pub lineage: Vec<(Epoch, Offset)>,
    /// Deletions below this offset are forgotten.
    pub delta_floor: Offset,
    /// The sums over the documents.
    pub buckets: Buckets,
    /// Where the copy was made anew, if it was: its log begins behind.
    pub base: Option<Base>,
}

/// The documents of one copy of one partition.
pub struct PartitionStore {
    store: Arc<dyn StateStore>,
    partition: PartitionId,
    /// Which copy this is. Changes when one that was built beside takes its place.
    generation: AtomicU32,
    /// What every apply needs, read at the first one.
    summary: Mutex<Option<Summary>>,
}

/// What is kept in memory of a partition.
#[derive(Clone)]
struct Summary {
    /// Of which instance of the store this is true.
    instance: u64,
    progress: Progress,
    buckets: Buckets,
    base: Option<Base>,
}

impl PartitionStore {
    /// Returns the documents of `partition` in copy `generation` of `store`. Reads nothing yet.
    pub fn new(store: Arc<dyn StateStore>, generation: u32, partition: PartitionId) -> PartitionStore {
        PartitionStore { store, partition, generation: AtomicU32::new(generation), summary: Mutex::default() }
    }

    /// Returns which partition this is.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Returns which copy of the partition this is.
    pub fn copy(&self) -> Space {
        Space { generation: self.generation.load(Ordering::Acquire), partition: self.partition }
    }

    /// Returns the store behind.
    pub fn store(&self) -> &Arc<dyn StateStore> {
        &self.store
    }

    /// Returns an unchanging view, for the reads that take one.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn view(&self) -> Result<Box<dyn ReadView>, Error> {
        Ok(self.store.view()?)
    }

    /// Takes what is known, or reads it: not known is what was read of another instance of the store.
    fn known(&self, slot: &mut Option<Summary>) -> Result<Summary, Error> {
        let instance = self.store.instance();
        match slot.take().filter(|summary| summary.instance == instance) {
            Some(summary) => Ok(summary),
            None => self.read_summary(instance),
        }
    }

    fn summary(&self) -> MutexGuard<'_, Option<Summary>> {
        // A panic inside leaves none, and the next one reads it anew.
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_summary(&self, instance: u64) -> Result<Summary, Error> {
        let view = self.store.view()?;
        self.summary_in(instance, &*view)
    }

    fn summary_in(&self, instance: u64, view: &dyn ReadView) -> Result<Summary, Error> {
        let mut summary = Summary { instance, progress: Progress::default(), buckets: Buckets::default(), base: None };
        for row in view.scan(Family::Meta, KeyRange::prefix(&self.copy().prefix()), Order::Ascending) {
            let (key, value) = row?;
            let damaged = |reason: &str| self.damaged(Family::Meta, reason);
            match keys::meta::decode(&key).ok_or_else(|| damaged("no such key"))? {
                keys::meta::Key::Progress => summary.progress = self.decode(Family::Meta, &value)?,
                keys::meta::Key::Base => summary.base = Some(self.decode(Family::Meta, &value)?),
                keys::meta::Key::Bucket(bucket) => {
                    let sum: &[u8; BUCKET_BYTES] = value[..].try_into().map_err(|_| damaged("sum of another size"))?;
                    summary.buckets.set_bucket(bucket, sum);
                }
            }
        }
        Ok(summary)
    }

    /// Returns what is known about the partition as a whole.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn meta(&self) -> Result<Meta, Error> {
        let mut slot = self.summary();
        let summary = self.known(&mut slot)?;
        let Summary { progress, buckets, base, .. } = summary.clone();
        *slot = Some(summary);
        let Progress { applied, lineage, delta_floor, .. } = progress;
        Ok(Meta { applied, lineage, delta_floor, buckets, base })
    }

    /// Returns how far the partition has come, for those who bring another copy as far, see [`PartitionStore::adopt`].
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn progress(&self) -> Result<Progress, Error> {
        let mut slot = self.summary();
        let summary = self.known(&mut slot)?;
        let progress = summary.progress.clone();
        *slot = Some(summary);
        Ok(progress)
    }

    /// Returns the root of the state that all records below `offset` amount to. It is remembered for the newest multiples of
    /// [`ROOT_SPACING`] that were passed.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn root_at(&self, offset: Offset) -> Result<Option<Digest>, Error> {
        Ok(self.progress()?.root_at(offset))
    }

    /// Returns the newest version of a document, be it a tombstone.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn document(&self, link: &Link) -> Result<Option<Document>, Error> {
        Ok(self.current(link)?.map(|current| current.document))
    }

    /// Returns the newest version of a document that a view shows, be it a tombstone.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn document_in(&self, view: &dyn ReadView, link: &Link) -> Result<Option<Document>, Error> {
        match view.get(Family::Document, &keys::document::encode(self.copy(), link))? {
            Some(row) => Ok(Some(self.decode::<Current>(Family::Document, &row)?.document)),
            None => Ok(None),
        }
    }

    /// Returns the newest version of a document with what the store keeps beside it.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn current(&self, link: &Link) -> Result<Option<Current>, Error> {
        Ok(self.current_row(link)?.map(|(_, current)| current))
    }

    /// Returns the row of a document, and what it says.
    fn current_row(&self, link: &Link) -> Result<Option<(Bytes, Current)>, Error> {
        let Some(row) = self.store.get(Family::Document, &keys::document::encode(self.copy(), link))? else {
            return Ok(None);
        };
        let current = self.decode(Family::Document, &row)?;
        Ok(Some((row, current)))
    }

    /// Returns one version of a document, if it is kept.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn version(&self, link: &Link, version: Version) -> Result<Option<Document>, Error> {
        let Some(current) = self.current(link)? else { return Ok(None) };
        if current.document.version == version {
            return Ok(Some(current.document));
        }
        if !current.keeps(version) {
            return Ok(None);
        }
        match self.store.get(Family::Version, &keys::version::encode(self.copy(), link, version))? {
            Some(value) => Ok(Some(self.decode(Family::Version, &value)?)),
            None => Ok(None),
        }
    }

    /// Returns what a version of a document of this partition was made of; none: its node did not record.
    ///
    /// # Errors
    /// [`Error::Damaged`]
    pub fn recording(&self, version: &Document) -> Result<Option<Recording>, Error> {
        match version.recording.is_empty() {
            true => Ok(None),
            false => self.decode(Family::Version, &version.recording).map(Some),
        }
    }

    /// Returns up to `limit` versions of a document, newest first, the tombstone included.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn versions(&self, link: &Link, limit: usize) -> Result<Vec<Document>, Error> {
        let view = self.store.view()?;
        let newest = view.get(Family::Document, &keys::document::encode(self.copy(), link))?;
        let Some(newest) = newest.filter(|_| limit > 0) else { return Ok(Vec::new()) };
        let current: Current = self.decode(Family::Document, &newest)?;
        let range = KeyRange::prefix(&keys::version::of(self.copy(), link));
        let mut versions = Vec::new();
        for row in view.scan(Family::Version, range, Order::Descending).take(limit - 1) {
            let document: Document = self.decode(Family::Version, &row?.1)?;
            if !current.keeps(document.version) {
                break;
            }
            versions.push(document);
        }
        versions.insert(0, current.document);
        Ok(versions)
    }

    /// Returns the answer to a request on a document, if it is remembered.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn remembered(&self, link: &Link, request: &RequestKey) -> Result<Option<RememberedReply>, Error> {
        match self.store.get(Family::Reply, &keys::reply::encode(self.copy(), link, request))? {
            Some(value) => Ok(Some(self.decode(Family::Reply, &value)?)),
            None => Ok(None),
        }
    }

    fn decode<T: codec::Format>(&self, family: Family, value: &[u8]) -> Result<T, Error> {
        codec::decode(value).map_err(|error| self.damaged(family, &error.to_string()))
    }

    fn damaged(&self, family: Family, reason: &str) -> Error {
        let error = Error::Damaged { family, partition: self.partition, reason: reason.to_owned() };
        self.store.report_damage(&error.to_string());
        error
    }
}
