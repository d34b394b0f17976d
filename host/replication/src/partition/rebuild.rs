//! Making this copy anew out of the primary's, and the primary's side of it.
//!
//! Problem: a copy that lacks more than the primary's log has can only be replaced, while the log's writer, timers and other members
//! go on talking to it, the store may fail, and the power too. Promise: the core learns of the new copy when that is lasting, and
//! of nothing in between; whatever fails on the way leaves the old copy, which counts for nothing, as it was.
//!
//! ```text
//!  primary:  snapshot ─► head, portions
//!  here:     begin ─► take, take, …    beside the old copy, which goes on
//!                  ─► finish:  hold    nothing is taken from the mailbox
//!                              replace one batch
//!                              last    a checkpoint of the store
//!                              tell    Rebuilt; the log begins behind; then what waited in the mailbox
//! ```
//!
//! A copy that was fed meanwhile is not replaced: it may have been proposed for the in-sync set, with the log that it has. So its
//! end must be what it was when the rebuilding began. And the snapshot is taken in a reign whose marker it has: a log that ends there
//! ends above everything that this copy may hold of earlier ones.
//!
//! Source: host/docs/protocol.md, "Changing the in-sync set", 6.

use std::sync::Arc;

use steward_model::mutation::{self, Mutation};
use steward_model::{Link, Moment, Offset, PartitionId, Position};
use steward_protocol::replica::{Event, Lineage, LogOutline, RoleName};
use steward_storage::documents::{self, Head, Page, PartitionStore, Portion};
use steward_storage::index::IndexPlan;
use steward_storage::keys::Space;
use steward_storage::state::ReadView;

use super::{Partition, State};
use crate::observer::{Fact, Fatal};

/// Why no copy can be taken of this one, or this one cannot be made anew.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another member reigns, or the marker of the reign is not in the state store yet.
    #[error("partition {0} is not served here yet, or no longer")]
    NotServed(PartitionId),
    /// The copy counts, or may: it is fed, or serves.
    #[error("the copy of partition {0} here counts, so it is not made anew")]
    Counts(PartitionId),
    /// It is being made anew already.
    #[error("the copy of partition {0} here is being made anew already")]
    UnderWay(PartitionId),
    /// Rows of an earlier attempt are in the way until a sweep has removed them.
    #[error("what is left of an earlier copy of partition {0} has to be removed first")]
    Occupied(PartitionId),
    /// The state store refused.
    #[error(transparent)]
    Store(#[from] documents::Error),
}

/// What a primary's state store holds at one position, for copies that are made anew out of it.
pub struct Snapshot {
    store: PartitionStore,
    view: Box<dyn ReadView>,
    head: Head,
    after: Option<Link>,
}

impl Snapshot {
    /// Returns what is known of it as a whole.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Returns the next documents, no further one once they take about `bytes_max`.
    ///
    /// # Errors
    /// [`documents::Error`]
    pub fn next(&mut self, bytes_max: usize) -> Result<Portion, documents::Error> {
        let portion = self.store.portion(&*self.view, self.after.as_ref(), bytes_max)?;
        self.after = portion.pages.last().map(|page| page.link.clone()).or(self.after.take());
        Ok(portion)
    }
}

/// How far a rebuilding has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Growing,
    /// The batch was handed to the store, and nobody knows what became of it.
    Replacing,
    /// The new copy is here, and a power cut may still take it back.
    Replaced,
    Told,
}

/// A copy that grows beside the one that is here. Dropped before its end, it leaves rows behind that a sweep removes.
pub struct Rebuild {
    partition: Arc<Partition>,
    store: PartitionStore,
    /// Of the store, and the end of the log, when it began.
    instance: u64,
    end: Option<Position>,
    stage: Stage,
}

impl Partition {
    /// Returns what the state store holds now, if this copy serves and its store has the marker of the reign.
    ///
    /// # Errors
    /// [`Error::NotServed`], [`Error::Store`]
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let store = self.store.fixed();
        let view = store.view()?;
        // After the view, and so no earlier than anything in it.
        let latest = self.lock().latest;
        let head = store.head(&*view, latest)?;
        let serves = head.progress.applied.is_some_and(|at| self.serving.get() == Some(at.epoch));
        match serves {
            true => Ok(Snapshot { store, view, head, after: None }),
            false => Err(Error::NotServed(self.id)),
        }
    }

    /// Returns true if rows of this copy of the partition count, or will: no sweep may remove them.
    pub fn keeps(&self, copy: Space) -> bool {
        let is_rebuilt = self.lock().is_rebuilt;
        copy == self.store.copy() || is_rebuilt && copy == self.store.beside().copy()
    }

    /// Returns true if rows of a copy that does not count are left beside this one.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn has_leftovers(&self) -> Result<bool, Error> {
        Ok(!self.lock().is_rebuilt && !self.store.beside().is_vacant()?)
    }

    /// Begins to make this copy anew.
    ///
    /// # Errors
    /// [`Error::Counts`], [`Error::UnderWay`], [`Error::Occupied`], [`Error::Store`]
    pub fn begin_rebuild(self: &Arc<Partition>) -> Result<Rebuild, Error> {
        let store = self.store.beside();
        let end = {
            let mut state = self.lock();
            if std::mem::replace(&mut state.is_rebuilt, true) {
                return Err(Error::UnderWay(self.id));
            }
            state.replica.end()
        };
        // From here on no sweep removes what it has, and its end makes room for the next one.
        let instance = store.store().instance();
        let rebuild = Rebuild { partition: Arc::clone(self), store, instance, end, stage: Stage::Growing };
        if !self.lock().counts_for_nothing() {
            return Err(Error::Counts(self.id));
        }
        match rebuild.store.is_vacant()? {
            true => Ok(rebuild),
            false => Err(Error::Occupied(self.id)),
        }
    }

    /// Takes nothing from the mailbox any more, if the copy may be replaced by what `head` says.
    fn hold(&self, end: Option<Position>, head: &Head) -> bool {
        let mut state = self.lock();
        let at = head.progress.applied;
        let is_above = at >= state.replica.end() && at.map(|at| at.offset) >= state.replica.committed();
        state.is_held = state.counts_for_nothing() && state.replica.end() == end && is_above;
        state.is_held
    }

    fn release(&self, now: Moment) {
        self.lock().is_held = false;
        self.step(now);
    }

    /// Forgets everything about the old copy, tells the core, and takes what has waited.
    fn made_anew(&self, now: Moment, head: &Head) {
        let mut state = self.lock();
        let at = head.progress.applied;
        self.forget_all(&mut state);
        state.latest = state.latest.max(head.latest);
        self.applied.set(at.map(|at| at.offset));
        state.is_held = false;
        self.shared.observer.observed(self.id, &Fact::MadeAnew { at });
        let start = at.map_or(Offset(0), |at| at.offset.next());
        match Lineage::from_entries(head.progress.lineage.clone()) {
            Ok(lineage) => self.tell(&mut state, now, Event::Rebuilt { log: LogOutline { lineage, last: at, start } }),
            Err(error) => self.shared.fail(&Fatal::Lineage { partition: self.id, error }),
        }
        drop(state);
        self.step(now);
    }

    fn forget_all(&self, state: &mut State) {
        state.uncommitted.truncate(None);
        state.unapplied.clear();
        self.shared.applying.applied(std::mem::take(&mut state.unapplied_bytes));
        state.is_held_back = false;
        state.in_log.clear();
        state.cut = None;
        state.outgoing.truncate(None);
        state.recent.forget_all();
        // Dropped, they learn that the outcome is unknown here.
        state.waiters.truncate(None);
        if !mutation::is(Mutation::CacheSurvivesRebuild) {
            self.shared.cache.remove_partition(self.id);
        }
    }
}

impl State {
    /// Returns true if no other member counts on this copy, as far as it knows.
    fn counts_for_nothing(&self) -> bool {
        self.replica.role() == RoleName::Tailing
    }
}

impl Rebuild {
    /// Returns which partition is made anew.
    pub fn partition(&self) -> PartitionId {
        self.partition.id
    }

    /// Takes some documents of the other copy.
    ///
    /// # Errors
    /// [`documents::Error`]: the caller gives this attempt up.
    pub fn take(&self, pages: &[Page], index: &dyn IndexPlan) -> Result<(), documents::Error> {
        self.store.adopt(pages, None, index)
    }

    /// Puts the new copy in the place of the old one, once all pages of `head`'s copy were taken. Returns false if that must not be:
    /// the old one was fed meanwhile, or is further than the new one.
    ///
    /// # Errors
    /// [`documents::Error::Differs`]: the attempt has failed. Any other: nobody knows what the store has done, so the copy is
    /// held; the caller calls again, with the same head, until there is an answer.
    pub fn finish(&mut self, now: Moment, head: &Head, index: &dyn IndexPlan) -> Result<bool, documents::Error> {
        let old = &self.partition.store;
        if self.stage == Stage::Growing {
            if !self.partition.hold(self.end, head) {
                return Ok(false);
            }
            self.stage = Stage::Replacing;
            match self.store.replace(old, head, self.instance, index) {
                Ok(()) => self.stage = Stage::Replaced,
                Err(error @ documents::Error::Differs { .. }) => {
                    self.give_up(now);
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        if self.stage == Stage::Replacing {
            if !old.look_again(&self.store)? {
                self.give_up(now);
                return Ok(false);
            }
            self.stage = Stage::Replaced;
        }
        if self.stage == Stage::Replaced {
            // Whoever hears that this copy holds something may count on it from then on.
            if !mutation::is(Mutation::RebuiltBeforeLasting) {
                self.last()?;
            }
            self.stage = Stage::Told;
            self.partition.made_anew(now, head);
        }
        Ok(true)
    }

    fn give_up(&mut self, now: Moment) {
        self.stage = Stage::Growing;
        self.partition.release(now);
    }

    fn last(&self) -> Result<(), documents::Error> {
        let lasting = self.store.store().checkpoint().map_err(documents::Error::from);
        if let Err(error) = lasting {
            let shared = &self.partition.shared;
            if error.is_fatal() {
                shared.fail(&Fatal::Store(error));
                return Err(documents::Error::Differs { partition: self.partition.id });
            }
            return Err(error);
        }
        Ok(())
    }
}

impl Drop for Rebuild {
    fn drop(&mut self) {
        // One that is held is given up with the process: what the store has done is not what the core believes.
        if matches!(self.stage, Stage::Growing | Stage::Told) {
            self.partition.lock().is_rebuilt = false;
        }
    }
}
