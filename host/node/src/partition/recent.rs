//! The documents that a partition's log has touched and its state store does not hold yet.
//!
//! Problem: an update is appended, committed and applied at three different moments. The next operation on the same
//! document must see the first of them, readers only the second, and the state store shows the third.
//!
//! Promise: [`Recent::newest`] is the state after every appended update, [`Recent::committed`] the state after every
//! committed one, and an entry stays until the store has caught up with it, so that nobody ever reads an older state
//! than he could have read before.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use steward_model::update::{Change, RememberedReply, RequestKey, Update};
use steward_model::{Document, Link, Offset};

/// What is known about a document without asking the state store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// Nothing: the state store knows.
    Unknown,
    /// There is no such document, not even a tombstone.
    Absent,
    /// This is its state; perhaps a tombstone.
    Present(Arc<Document>),
}

#[derive(Debug)]
struct Touched {
    newest: Presence,
    committed: Presence,
    last: Offset,
    remembered: HashMap<RequestKey, (Offset, RememberedReply)>,
}

/// See the head of this module.
#[derive(Debug, Default)]
pub(super) struct Recent {
    touched: HashMap<Link, Touched>,
}

fn after(update: &Update, before: &Presence) -> Presence {
    match update.change {
        Change::NewVersion | Change::Renewal => Presence::Present(Arc::new(update.document.clone())),
        Change::Purge => Presence::Absent,
        Change::None => before.clone(),
    }
}

impl Recent {
    /// Takes note of an update that was appended at `offset`. `before` is the state that the operation found.
    pub(super) fn append(&mut self, offset: Offset, update: &Update, before: Option<&Arc<Document>>) {
        let found = before.map_or(Presence::Absent, |document| Presence::Present(Arc::clone(document)));
        let touched = match self.touched.entry(update.document.link.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Touched {
                newest: found.clone(),
                committed: found,
                last: offset,
                remembered: HashMap::new(),
            }),
        };
        touched.newest = after(update, &touched.newest);
        touched.last = offset;
        touched.remembered.extend(update.remembered.clone().map(|reply| (reply.key, (offset, reply))));
    }

    /// Takes note that an update was committed.
    pub(super) fn commit(&mut self, offset: Offset, update: &Update) {
        if let Some(touched) = self.touched.get_mut(&update.document.link) {
            if touched.last == offset {
                touched.committed = touched.newest.clone();
            } else {
                touched.committed = after(update, &touched.committed);
            }
        }
    }

    /// Forgets the document if the state store, which now holds everything up to `applied`, knows all about it.
    /// Returns its state if it was forgotten.
    pub(super) fn applied(&mut self, applied: Offset, link: &Link) -> Option<Presence> {
        match self.touched.get_mut(link) {
            Some(touched) if touched.last <= applied => self.touched.remove(link).map(|touched| touched.committed),
            Some(touched) => {
                // A document under steady load is never forgotten as a whole; its answers must be.
                touched.remembered.retain(|_, (offset, _)| *offset > applied);
                None
            }
            None => None,
        }
    }

    /// Returns the state after every appended update.
    pub(super) fn newest(&self, link: &Link) -> Presence {
        self.touched.get(link).map_or(Presence::Unknown, |touched| touched.newest.clone())
    }

    /// Returns the state after every committed update.
    pub(super) fn committed(&self, link: &Link) -> Presence {
        self.touched.get(link).map_or(Presence::Unknown, |touched| touched.committed.clone())
    }

    /// Returns the offset of the last appended update of the document, if it is not applied yet.
    pub(super) fn last_offset(&self, link: &Link) -> Option<Offset> {
        self.touched.get(link).map(|touched| touched.last)
    }

    /// Returns the first answer to a request, if it was given by an update that is not applied yet.
    pub(super) fn remembered(&self, link: &Link, key: &RequestKey) -> Option<RememberedReply> {
        self.touched.get(link)?.remembered.get(key).map(|(_, reply)| reply.clone())
    }
}
