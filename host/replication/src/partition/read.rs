//! Reading documents: first what the log knows and the store does not, then the cache, then the state store.

use std::collections::HashSet;
use std::sync::Arc;

use futures_channel::oneshot;
use steward_model::mutation::{self, Mutation};
use steward_model::operation::EffectKey;
use steward_model::update::{Entry, PendingEffect};
use steward_model::update::{RememberedReply, RequestKey};
use steward_model::{Document, Epoch, Link, Offset, Position, Timestamp};
use steward_storage::documents::Error;

use super::recent::Presence;
use super::senders::Senders;
use super::{Lost, Partition};

/// What an operation that holds a document's turn finds.
#[derive(Debug, Clone)]
pub struct Newest {
    /// The state after every appended update; perhaps a tombstone.
    pub document: Option<Arc<Document>>,
    /// The last appended update of the document, if it is not known to be applied: an answer that shows the state must wait
    /// until that is committed.
    pub appended: Option<Position>,
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
            (state.recent.newest(link), state.recent.last(link))
        };
        Ok(Newest { document: self.resolve(link, presence)?, appended })
    }

    /// Returns the last appended update of a document, if it is not known to be applied; looks into memory only.
    pub fn appended(&self, link: &Link) -> Option<Position> {
        self.lock().recent.last(link)
    }

    fn resolve(&self, link: &Link, presence: Presence) -> Result<Option<Arc<Document>>, Error> {
        // Memory before the cache before the store: each knows of less. What is purged in memory may still be in both
        // others.
        match presence {
            Presence::Present(document) => return Ok(Some(document)),
            Presence::Absent => return Ok(None),
            Presence::Unknown => {}
        }
        let cache = &self.shared.cache;
        if let Some(document) = cache.get(self.id, link) {
            return Ok(Some(document));
        }
        let applied = self.applied.get();
        // That there is none is not cached: creating the document would have to take that out again.
        let Some(document) = self.store.document(link)?.map(Arc::new) else { return Ok(None) };
        // The store may have moved on since; what was read then must not get into the cache after what it is now.
        let state = self.lock();
        if self.applied.get() == applied && state.recent.last(link).is_none() {
            cache.insert(self.id, &document);
        }
        Ok(Some(document))
    }

    /// Puts what the state store now holds into the cache. The caller holds the partition.
    pub(super) fn remember(&self, link: &Link, presence: &Presence) {
        match presence {
            Presence::Present(document) => self.shared.cache.insert(self.id, document),
            Presence::Absent | Presence::Unknown => self.shared.cache.remove(self.id, link),
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

    /// Returns once this copy knows the record at `position` to be committed. A copy that nobody reaches does not learn it: who
    /// asks says how long it waits.
    ///
    /// # Errors
    /// [`Lost`] if this copy does not hold the record, or another reign orders something else there, or the copy is made anew.
    pub async fn committed(&self, position: Position) -> Result<(), Lost> {
        let done = match self.wait_for(position) {
            Ok(waits) => waits,
            Err(known) => return known,
        };
        done.await.map_err(|_| Lost(self.id))
    }

    /// Returns what to wait for until the record at `position` is committed, or what became of it if that is known.
    fn wait_for(&self, position: Position) -> Result<oneshot::Receiver<()>, Result<(), Lost>> {
        let mut state = self.lock();
        // The position before the offset: that so much is committed says nothing about a record of another reign at
        // that place (I8).
        if !state.replica.holds(position) && !mutation::is(Mutation::WaiterByOffset) {
            return Err(Err(Lost(self.id)));
        }
        if state.replica.committed().is_some_and(|committed| committed >= position.offset) {
            return Err(Ok(()));
        }
        // Whoever serves: a copy that follows hears what became of the record as one that serves does, with the next
        // commit or cut.
        let (committed, done) = oneshot::channel();
        state.waiters.enter(position, committed);
        Ok(done)
    }

    /// Returns the last committed offset, if anything is committed.
    pub fn committed_end(&self) -> Option<Offset> {
        self.lock().replica.committed()
    }

    /// Returns the last offset that the state store holds.
    pub fn applied(&self) -> Option<Offset> {
        self.applied.get()
    }

    /// Returns once the state store holds everything through `end`; has the store follow at once.
    pub async fn applied_through(&self, end: Option<Offset>) {
        if end.is_none() || self.applied.get() >= end {
            return;
        }
        self.shared.applying.hurry(&*self.shared.observer);
        self.applied.until(|applied| applied >= end).await;
    }

    /// Returns whether the digest kept with the documents is what they give when it is computed anew; none if the store was
    /// changed meanwhile, so that nothing can be said.
    ///
    /// # Errors
    /// [`Error`] of the state store.
    pub fn digest_agrees(&self) -> Result<Option<bool>, Error> {
        let before = self.store.meta()?;
        let found = self.store.recompute_digest(self.store.view()?.as_ref())?;
        // What is applied meanwhile is in one of the two and not in the other.
        let is_steady = self.store.meta()?.applied == before.applied;
        Ok(is_steady.then(|| found == before.buckets))
    }

    /// Returns the reign whose pending effects are not known yet, and what the state store must hold before it is asked.
    pub fn unloaded_outbox(&self) -> Option<(Epoch, Option<Offset>)> {
        let state = self.lock();
        state.outbox.loading().map(|epoch| (epoch, state.replica.committed()))
    }

    /// Returns the names of what documents have to send, with what is not committed yet: all of it, or what has the tag. None as
    /// long as the reign does not know everything that is pending. What a document adds meanwhile is missing, unless the caller holds
    /// its turn.
    pub fn pending_of(&self, senders: &Senders, tag: Option<&str>) -> Option<Vec<EffectKey>> {
        let state = self.lock();
        if !state.outbox.is_loaded() {
            return None;
        }
        let is_meant = |effect: &&PendingEffect| tag.is_none_or(|tag| effect.effect.reply_tag == tag);
        let pending = state.outbox.of(senders).filter(is_meant);
        let mut keys: Vec<EffectKey> = pending.map(|effect| effect.key.clone()).collect();
        // Looked up once: this is done while the partition is held, and there may be many of both.
        let mut settled = HashSet::new();
        for record in state.uncommitted.iter() {
            if let Entry::Update(update) = &record.entry
                && senders.include(&update.document.link)
            {
                settled.extend(&update.settled);
                keys.extend(update.effects.iter().filter(is_meant).map(|effect| effect.key.clone()));
            }
        }
        keys.retain(|key| !settled.contains(key));
        Some(keys)
    }

    /// Fills the pending effects of the reign `epoch` from the state store, which holds at least what was committed when the
    /// reign began; `now` is the time by which delays are counted. Returns how many it had.
    ///
    /// # Errors
    /// [`Error`] of the state store.
    pub fn load_outbox(&self, epoch: Epoch, now: Timestamp) -> Result<usize, Error> {
        let rows = self.store.outbox(None, usize::MAX)?;
        let loaded = self.lock().outbox.load(epoch, now, rows);
        self.shared.observer.effects_added();
        Ok(loaded)
    }
}
