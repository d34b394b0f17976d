//! Pages: documents that come from another replica instead of from the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::update::{PendingEffect, RememberedReply};
use steward_model::{Document, Link, codec};

use super::apply::Run;
use super::beside::{answer_digest, effect_digest};
use super::{Current, Error, PartitionStore, Progress};
use crate::digest::{self, Buckets, Digest, Kind, bucket_of};
use crate::index::IndexPlan;
use crate::keys;
use crate::state::{Family, KeyRange, Order, ReadView};

/// Everything of one document: what synchronization compares and carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The document that the page replaces.
    pub link: Link,
    /// Its newest version; none: there is none, or only a tombstone that is forgotten.
    pub current: Option<Current>,
    /// Its older versions that are kept.
    pub versions: Vec<Document>,
    /// Its effects that wait to be carried out.
    pub effects: Vec<PendingEffect>,
    /// Answers to requests on it that are remembered.
    pub answers: Vec<RememberedReply>,
}

impl Format for Page {
    // The second has the id of the request in its effects, the third the cause in its documents, the fourth recordings.
    const VERSION: u8 = 4;
    const READABLE_FROM: u8 = 4;
    const NAME: &'static str = "page of a document";
}

impl PartitionStore {
    /// Returns everything of a document that a view shows. A document that is not there has a page as well: whoever takes it
    /// has nothing of it afterwards.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn page(&self, view: &dyn ReadView, link: &Link) -> Result<Page, Error> {
        let rows = |family, prefix: Vec<u8>| view.scan(family, KeyRange::prefix(&prefix), Order::Ascending);
        let current = match view.get(Family::Document, &keys::document::encode(self.copy(), link))? {
            Some(row) => Some(self.decode::<Current>(Family::Document, &row)?),
            None => None,
        };
        let mut versions = Vec::new();
        for row in rows(Family::Version, keys::version::of(self.copy(), link)) {
            let document: Document = self.decode(Family::Version, &row?.1)?;
            // One that is too old may be there still.
            if current.as_ref().is_some_and(|current| current.keeps(document.version)) {
                versions.push(document);
            }
        }
        let effects = rows(Family::Outbox, keys::outbox::of(self.copy(), link))
            .map(|row| self.decode(Family::Outbox, &row?.1))
            .collect::<Result<_, Error>>()?;
        let answers = rows(Family::Reply, keys::reply::of(self.copy(), link))
            .map(|row| self.decode(Family::Reply, &row?.1))
            .collect::<Result<_, Error>>()?;
        Ok(Page { link: link.clone(), current, versions, effects, answers })
    }

    /// Takes pages, in one batch: each replaces everything that is here of its document. Digests, counts and indexes
    /// follow. With `progress` the partition has come so far afterwards.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]: the pages were taken as a whole or not at all.
    pub fn adopt(&self, pages: &[Page], progress: Option<&Progress>, index: &dyn IndexPlan) -> Result<(), Error> {
        self.change(index, |run| {
            pages.iter().try_for_each(|page| run.replace(page))?;
            if let Some(progress) = progress {
                run.set_progress(progress.clone());
            }
            Ok(())
        })
    }

    /// Returns the digests of all documents in the buckets that `wants` names, each the sum over what its page carries;
    /// tombstones without effects and answers are left out. These are what two replicas compare where buckets differ.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn digests(&self, view: &dyn ReadView, wants: &dyn Fn(u8) -> bool) -> Result<BTreeMap<Link, Digest>, Error> {
        let mut digests: BTreeMap<Link, Digest> = BTreeMap::new();
        self.counted_rows(view, &mut |link, digest| {
            if wants(bucket_of(link)) {
                let sum = digests.entry(link.clone()).or_default();
                *sum = digest::sum(*sum, digest);
            }
        })?;
        Ok(digests)
    }

    /// Sums up the digests of all rows anew; equal to [`Meta::buckets`](super::Meta) unless the store is damaged.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn recompute_digest(&self, view: &dyn ReadView) -> Result<Buckets, Error> {
        let mut buckets = Buckets::default();
        self.counted_rows(view, &mut |link, digest| buckets.add(bucket_of(link), &digest))?;
        Ok(buckets)
    }

    /// Visits every row that counts.
    fn counted_rows(&self, view: &dyn ReadView, visit: &mut dyn FnMut(&Link, Digest)) -> Result<(), Error> {
        let everything = || KeyRange::prefix(&self.copy().prefix());
        for row in view.scan(Family::Document, everything(), Order::Ascending) {
            let (_, row) = row?;
            let document = self.decode::<Current>(Family::Document, &row)?.document;
            if !document.is_tombstone() {
                visit(&document.link, digest::of_row(Kind::Document, &document.link, &row));
            }
        }
        for key in view.scan_keys(Family::Outbox, everything(), Order::Ascending) {
            let effect = keys::outbox::decode(&key?).ok_or_else(|| self.damaged(Family::Outbox, "no such key"))?;
            visit(&effect.link, effect_digest(&effect));
        }
        for row in view.scan(Family::Reply, everything(), Order::Ascending) {
            let (key, row) = row?;
            let (link, _) = keys::reply::decode(&key).ok_or_else(|| self.damaged(Family::Reply, "no such key"))?;
            visit(&link, answer_digest(&link, &row));
        }
        Ok(())
    }
}

impl Run<'_> {
    /// Replaces everything of one document by what a page says.
    pub(super) fn replace(&mut self, page: &Page) -> Result<(), Error> {
        let link = &page.link;
        self.purge(link)?;
        for key in self.keys_with(Family::Outbox, &keys::outbox::of(self.partition.copy(), link))? {
            let effect =
                keys::outbox::decode(&key).ok_or_else(|| self.partition.damaged(Family::Outbox, "no such key"))?;
            self.settle(&effect)?;
        }
        for request in self.answers_of(link)? {
            self.forget_answer(link, &request)?;
        }
        self.set(link, page.current.clone())?;
        for document in &page.versions {
            self.put_version(&document.link, document.version, codec::encode(document));
        }
        page.effects.iter().try_for_each(|effect| self.issue(effect))?;
        page.answers.iter().try_for_each(|reply| self.remember(link, reply))
    }
}
