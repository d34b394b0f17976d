//! Reads over many documents.

use steward_model::document::ContentDigest;
use steward_model::operation::EffectKey;
use steward_model::update::PendingEffect;
use steward_model::{Document, Link, Offset, Timestamp, Version};

use super::{Current, Error, PartitionStore};
use crate::digest::{Buckets, bucket_of};
use crate::index::{self, ValueRange};
use crate::keys;
use crate::keys::index::Value;
use crate::state::{Family, KeyRange, Order, ReadView};

/// One entry of the field index.
#[derive(Debug, Clone, PartialEq)]
pub struct Indexed {
    /// The value; texts are cut. True for a document that is not indexed in full.
    pub value: Value,
    /// The document that has it, or had it before the plan changed, or may have it.
    pub link: Link,
}

impl PartitionStore {
    fn below(&self, below: &Link, after: Option<&Link>) -> KeyRange {
        let prefix = keys::document::below(self.space, below);
        match after {
            Some(after) => KeyRange::prefix_after(&prefix, keys::document::encode(self.space, after)),
            None => KeyRange::prefix(&prefix),
        }
    }

    /// Returns the newest versions of all documents below `below` and behind `after`, sorted by self-link; tombstones
    /// and documents more than one level below included.
    pub fn documents<'a>(
        &'a self,
        view: &'a dyn ReadView,
        below: &Link,
        after: Option<&Link>,
    ) -> impl Iterator<Item = Result<Document, Error>> + Send + 'a {
        self.currents(view, below, after).map(|current| current.map(|current| current.document))
    }

    /// Returns what [`PartitionStore::documents`] does, with what the store keeps beside the documents.
    pub fn currents<'a>(
        &'a self,
        view: &'a dyn ReadView,
        below: &Link,
        after: Option<&Link>,
    ) -> impl Iterator<Item = Result<Current, Error>> + Send + 'a {
        let rows = view.scan(Family::Document, self.below(below, after), Order::Ascending);
        rows.map(|row| self.decode(Family::Document, &row?.1))
    }

    /// Returns the self-links of what [`PartitionStore::documents`] returns, without reading the documents.
    pub fn links<'a>(
        &'a self,
        view: &'a dyn ReadView,
        below: &Link,
        after: Option<&Link>,
    ) -> impl Iterator<Item = Result<Link, Error>> + Send + 'a {
        let found = view.scan_keys(Family::Document, self.below(below, after), Order::Ascending);
        found.map(|key| keys::document::decode(&key?).ok_or_else(|| self.damaged(Family::Document, "no such key")))
    }

    /// Returns which documents changed behind `after`, each once, at its newest record; none: ever.
    ///
    /// Documents that were purged are missing: below [`Meta::delta_floor`](super::Meta) the answer is not complete.
    pub fn changed_since<'a>(
        &'a self,
        view: &'a dyn ReadView,
        after: Option<Offset>,
    ) -> impl Iterator<Item = Result<(Offset, Link), Error>> + Send + 'a {
        let prefix = self.space.prefix();
        let range = match after {
            Some(after) => KeyRange::prefix_after(&prefix, keys::sequence::encode(self.space, after)),
            None => KeyRange::prefix(&prefix),
        };
        view.scan(Family::Sequence, range, Order::Ascending).map(|row| {
            let (key, value) = row?;
            let link = std::str::from_utf8(&value).ok().and_then(|text| Link::parse(text).ok());
            let place = keys::sequence::decode(&key).zip(link);
            place.ok_or_else(|| self.damaged(Family::Sequence, "no offset or no self-link"))
        })
    }

    /// Returns up to `limit` effects that wait to be carried out, behind `after`, sorted by document and then in the
    /// order in which they were issued.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn outbox(&self, after: Option<&EffectKey>, limit: usize) -> Result<Vec<PendingEffect>, Error> {
        let prefix = self.space.prefix();
        let range = match after {
            Some(after) => KeyRange::prefix_after(&prefix, keys::outbox::encode(self.space, after)),
            None => KeyRange::prefix(&prefix),
        };
        let view = self.store.view()?;
        let rows = view.scan(Family::Outbox, range, Order::Ascending).take(limit);
        rows.map(|row| self.decode(Family::Outbox, &row?.1)).collect()
    }

    /// Returns up to `limit` documents that expire at or before `before`, earliest first, tombstones included.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn expired(&self, before: Timestamp, limit: usize) -> Result<Vec<(Timestamp, Link)>, Error> {
        let start = std::ops::Bound::Included(self.space.prefix().to_vec());
        let end = std::ops::Bound::Excluded(keys::expiry::after(self.space, before));
        let view = self.store.view()?;
        let found = view.scan_keys(Family::Expiry, KeyRange { start, end }, Order::Ascending).take(limit);
        found
            .map(|key| keys::expiry::decode(&key?).ok_or_else(|| self.damaged(Family::Expiry, "no such key")))
            .collect()
    }

    /// Returns the live documents with values of a range in the field `path`, sorted by value, and then those that are not
    /// indexed in full, whatever they hold.
    ///
    /// These are candidates, see [`crate::index`]; a document may come more than once.
    pub fn index_scan<'a>(
        &'a self,
        view: &'a dyn ReadView,
        path: &str,
        range: &ValueRange,
        order: Order,
    ) -> impl Iterator<Item = Result<Indexed, Error>> + Send + 'a {
        let found = view.scan_keys(Family::Index, range.keys(self.space, path), order);
        let partial = view.scan_keys(Family::Index, index::partial_keys(self.space), order);
        found.chain(partial).map(|key| {
            let decoded = keys::index::decode(&key?);
            let (_, value, link) = decoded.ok_or_else(|| self.damaged(Family::Index, "no such key"))?;
            Ok(Indexed { value, link })
        })
    }

    /// Sums up the digests of all documents anew; equal to [`Meta::buckets`](super::Meta) unless the store is damaged.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn recompute_digest(&self, view: &dyn ReadView) -> Result<Buckets, Error> {
        let mut buckets = Buckets::default();
        for document in self.everything(view) {
            let document = document?;
            buckets.add(bucket_of(&document.link), &document.digest());
        }
        Ok(buckets)
    }

    /// Returns the documents of one bucket of the digest, with what replicas compare.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn bucket_contents(
        &self,
        view: &dyn ReadView,
        bucket: u8,
    ) -> Result<Vec<(Link, Version, ContentDigest)>, Error> {
        let mut contents = Vec::new();
        for document in self.everything(view) {
            let document = document?;
            if bucket_of(&document.link) == bucket {
                contents.push((document.link.clone(), document.version, document.digest()));
            }
        }
        Ok(contents)
    }

    fn everything<'a>(&'a self, view: &'a dyn ReadView) -> impl Iterator<Item = Result<Document, Error>> + 'a {
        let rows = view.scan(Family::Document, KeyRange::prefix(&self.space.prefix()), Order::Ascending);
        rows.map(|row| self.decode::<Current>(Family::Document, &row?.1).map(|current| current.document))
    }
}
