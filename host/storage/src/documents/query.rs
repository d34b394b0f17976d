//! Reads over many documents.

use steward_model::operation::EffectKey;
use steward_model::update::PendingEffect;
use steward_model::{Document, Link, Offset, Timestamp};

use super::{Current, Error, PartitionStore};
use crate::keys;
use crate::state::{Family, KeyRange, Order, ReadView};

/// How far may be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizons {
    /// Tombstones whose newest record stands below.
    pub tombstones_below: Offset,
    /// Answers that were given below.
    pub answers_below: Offset,
    /// Nothing behind is old enough.
    pub is_all: bool,
}

impl PartitionStore {
    fn below(&self, below: &Link, after: Option<&Link>) -> KeyRange {
        let prefix = keys::document::below(self.copy(), below);
        match after {
            Some(after) => KeyRange::prefix_after(&prefix, keys::document::encode(self.copy(), after)),
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

    /// Returns up to `limit` effects that wait to be carried out, behind `after`, sorted by document and then in the
    /// order in which they were issued.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn outbox(&self, after: Option<&EffectKey>, limit: usize) -> Result<Vec<PendingEffect>, Error> {
        let prefix = self.copy().prefix();
        let range = match after {
            Some(after) => KeyRange::prefix_after(&prefix, keys::outbox::encode(self.copy(), after)),
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
        let start = std::ops::Bound::Included(self.copy().prefix().to_vec());
        let end = std::ops::Bound::Excluded(keys::expiry::after(self.copy(), before));
        let view = self.store.view()?;
        let found = view.scan_keys(Family::Expiry, KeyRange { start, end }, Order::Ascending).take(limit);
        found
            .map(|key| keys::expiry::decode(&key?).ok_or_else(|| self.damaged(Family::Expiry, "no such key")))
            .collect()
    }

    /// Returns how far may be forgotten, for [`Entry::Forget`](steward_model::update::Entry::Forget): tombstones that expire
    /// at or before `expired`, and answers that were given before `answered`, up to the first, in the order of the log, for
    /// which that is not so, and at most `limit` of each. None if there is nothing to forget. A tombstone that never expires
    /// holds all behind it.
    ///
    /// `is_all` is false if the limit was reached: what is behind may be old enough, too.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn forgettable(
        &self,
        expired: Timestamp,
        answered: Timestamp,
        limit: usize,
    ) -> Result<Option<Horizons>, Error> {
        let view = self.store.view()?;
        let everything = || KeyRange::prefix(&self.copy().prefix());
        let mut horizons = Horizons { tombstones_below: Offset(0), answers_below: Offset(0), is_all: true };
        for (number, key) in view.scan_keys(Family::Tombstone, everything(), Order::Ascending).take(limit).enumerate() {
            let (offset, link) =
                keys::tombstone::decode(&key?).ok_or_else(|| self.damaged(Family::Tombstone, "no such key"))?;
            if !self.document(&link)?.is_some_and(|document| document.is_expired(expired)) {
                break;
            }
            horizons.tombstones_below = offset.next();
            horizons.is_all &= number + 1 < limit;
        }
        for (number, key) in view.scan_keys(Family::Answered, everything(), Order::Ascending).take(limit).enumerate() {
            let (offset, link, request) =
                keys::answered::decode(&key?).ok_or_else(|| self.damaged(Family::Answered, "no such key"))?;
            if self.remembered(&link, &request)?.is_none_or(|reply| reply.answered >= answered) {
                break;
            }
            horizons.answers_below = offset.next();
            horizons.is_all &= number + 1 < limit;
        }
        let is_some = horizons.tombstones_below > Offset(0) || horizons.answers_below > Offset(0);
        Ok(is_some.then_some(horizons))
    }
}
