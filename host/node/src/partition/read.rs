//! Reading documents: first what the log knows and the store does not, then the cache, then the state store.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache as QuickCache;
use steward_model::update::{RememberedReply, RequestKey};
use steward_model::{Document, Link, Offset, PartitionId};
use steward_storage::documents::Error;
use tokio::sync::oneshot;

use super::{Lost, Partition, Presence};

#[derive(Clone)]
struct Bytes;

impl Weighter<Link, Arc<Document>> for Bytes {
    fn weight(&self, link: &Link, document: &Arc<Document>) -> u64 {
        // What a link, a document and their place here cost besides their text, by measurement.
        (400 + 2 * link.as_str().len() + document.kind.len() + document.body.len()) as u64
    }
}

/// Documents that were read or written lately and that the state store holds as they are here.
pub struct Cache {
    documents: QuickCache<Link, Arc<Document>, Bytes>,
}

impl Cache {
    /// Returns an empty cache of about `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Cache {
        let expected = usize::try_from(bytes_max / 512).unwrap_or(usize::MAX).max(16);
        Cache { documents: QuickCache::with_weighter(expected, bytes_max, Bytes) }
    }
}

/// How long somebody waits for the state store to catch up with the log.
const FLUSHED_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// Pause before the outbox of a partition that just changes is read again.
const OUTBOX_AGAIN: std::time::Duration = std::time::Duration::from_millis(5);

/// The state store of a partition does not catch up with its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the state store of partition {0} is behind its log; the disk may be full or slow")]
pub struct Behind(pub PartitionId);

/// What an operation that holds a document's turn finds.
#[derive(Debug, Clone)]
pub struct Newest {
    /// The state after every appended update; perhaps a tombstone.
    pub document: Option<Arc<Document>>,
    /// The last appended update of the document, if it is not known to be applied: an answer that shows the state must wait
    /// until that is committed.
    pub appended: Option<Offset>,
}

impl Partition {
    /// Returns the committed state of a document, tombstones included.
    ///
    /// # Errors
    /// [`Error`] of the state store.
    pub fn read(&self, link: &Link) -> Result<Option<Arc<Document>>, Error> {
        let presence = self.lock().recent.committed(link);
        self.resolve(link, presence)
    }

    /// Returns the newest state of a document, committed or not. The caller holds its turn.
    ///
    /// # Errors
    /// [`Error`] of the state store.
    pub fn newest(&self, link: &Link) -> Result<Newest, Error> {
        let (presence, appended) = {
            let state = self.lock();
            (state.recent.newest(link), state.recent.last_offset(link))
        };
        Ok(Newest { document: self.resolve(link, presence)?, appended })
    }

    /// Returns the last appended update of a document, if it is not known to be applied; looks into memory only.
    pub fn appended(&self, link: &Link) -> Option<Offset> {
        self.lock().recent.last_offset(link)
    }

    fn resolve(&self, link: &Link, presence: Presence) -> Result<Option<Arc<Document>>, Error> {
        match presence {
            Presence::Present(document) => return Ok(Some(document)),
            Presence::Absent => return Ok(None),
            Presence::Unknown => {}
        }
        if let Some(document) = self.shared.cache.documents.get(link) {
            return Ok(Some(document));
        }
        let applied = *self.applied.borrow();
        let Some(document) = self.store.document(link)?.map(Arc::new) else { return Ok(None) };
        // The store may have moved on since; what was read then must not get into the cache after what it is now.
        let state = self.lock();
        if *self.applied.borrow() == applied && state.recent.last_offset(link).is_none() {
            self.shared.cache.documents.insert(link.clone(), Arc::clone(&document));
        }
        Ok(Some(document))
    }

    /// Puts what the state store now holds into the cache. Called under the partition's lock.
    pub(super) fn remember(&self, link: &Link, presence: &Presence) {
        match presence {
            Presence::Present(document) => self.shared.cache.documents.insert(link.clone(), Arc::clone(document)),
            Presence::Absent | Presence::Unknown => {
                self.shared.cache.documents.remove(link);
            }
        }
    }

    /// Returns the first answer to the request with this key, if the document remembers it.
    ///
    /// # Errors
    /// [`Error`] of the state store.
    pub fn remembered(&self, link: &Link, key: &RequestKey) -> Result<Option<RememberedReply>, Error> {
        if let Some(reply) = self.lock().recent.remembered(link, key) {
            return Ok(Some(reply));
        }
        self.store.remembered(link, key)
    }

    /// Returns once the update at `offset` is committed.
    ///
    /// # Errors
    /// [`Lost`] if the reign ended first.
    pub async fn committed(&self, offset: Offset) -> Result<(), Lost> {
        let done = {
            let mut state = self.lock();
            if state.replica.committed().is_some_and(|committed| committed >= offset) {
                return Ok(());
            }
            let (waiter, done) = oneshot::channel();
            let place = state.waiters.partition_point(|(other, _)| *other <= offset);
            state.waiters.insert(place, (offset, waiter));
            done
        };
        done.await.map_err(|_| Lost(self.id))
    }

    /// Returns once the state store holds everything that is committed now.
    ///
    /// # Errors
    /// [`Behind`] if the state store takes nothing for a while; the caller may try again later.
    pub async fn flushed(&self) -> Result<(), Behind> {
        self.flushed_through(self.committed_end()).await
    }

    /// Returns the last committed offset, if anything is committed.
    pub(super) fn committed_end(&self) -> Option<Offset> {
        self.lock().replica.committed()
    }

    /// Returns once the state store holds everything through `end`.
    ///
    /// # Errors
    /// As [`Partition::flushed`].
    pub(super) async fn flushed_through(&self, end: Option<Offset>) -> Result<(), Behind> {
        let Some(committed) = end else { return Ok(()) };
        let mut applied = self.applied.subscribe();
        if applied.borrow().is_some_and(|applied| applied >= committed) {
            return Ok(());
        }
        self.shared.applier.hurry();
        let caught_up = applied.wait_for(|applied| applied.is_some_and(|applied| applied >= committed));
        match tokio::time::timeout(FLUSHED_WITHIN, caught_up).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Behind(self.id)),
        }
    }

    /// Returns whether the digest kept with the documents is what they give when it is computed anew.
    ///
    /// # Errors
    /// [`Error`] of the state store.
    pub async fn digests_agree(&self) -> Result<bool, Error> {
        loop {
            if self.flushed().await.is_err() {
                return Ok(false);
            }
            let before = self.store.meta()?;
            let found = self.store.recompute_digest(self.store.view()?.as_ref())?;
            // What is applied meanwhile is in one of the two and not in the other.
            if self.store.meta()?.applied == before.applied {
                return Ok(found == before.buckets);
            }
        }
    }

    /// Fills the pending effects from the state store. Called once after a reign has begun.
    ///
    /// # Errors
    /// [`Error`] of the state store.
    pub async fn load_outbox(&self) -> Result<usize, Error> {
        loop {
            let before = self.lock().replica.committed();
            if self.flushed().await.is_err() || *self.applied.borrow() != before {
                tokio::time::sleep(OUTBOX_AGAIN).await;
                continue;
            }
            let rows = self.store.outbox(None, usize::MAX)?;
            let mut state = self.lock();
            // An effect that was settled while the rows were read must not come back.
            if state.replica.committed() == before {
                let count = rows.len();
                rows.into_iter().for_each(|row| state.outbox.add(row));
                state.outbox_loaded = true;
                return Ok(count);
            }
        }
    }
}
