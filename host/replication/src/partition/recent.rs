//! The documents that a partition's log has touched and its state store does not hold yet.
//!
//! Problem: an update is appended, committed and applied at three different moments. The next operation on the same
//! document must see the first of them, readers only the second, and the state store shows the third.
//!
//! Promise: [`Recent::newest`] is the state after every appended update, [`Recent::committed`] the state after every
//! committed one, and an entry stays until the store has caught up with it, so that no reader ever gets an older state
//! than was readable before. When the end of the log is cut off, the newest state goes back to what is left of it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use steward_model::mutation::{self, Mutation};
use steward_model::update::{Change, RememberedReply, RequestKey, Update};
use steward_model::{Document, Link, Offset, Position};

/// What is known about a document without asking the state store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Presence {
    /// Nothing: the state store knows.
    Unknown,
    /// There is no such document, not even a tombstone.
    Absent,
    /// This is its state; perhaps a tombstone.
    Present(Arc<Document>),
}

#[derive(Debug)]
struct Touched {
    /// The states after the updates that are appended and not committed, oldest first.
    appended: VecDeque<(Position, Presence)>,
    committed: Presence,
    /// The last committed update of the document that the state store may not hold; none: the first that it does not hold is
    /// not committed.
    committed_at: Option<Position>,
    remembered: HashMap<RequestKey, RememberedReply>,
}

impl Touched {
    fn newest(&self) -> &Presence {
        self.appended.back().map_or(&self.committed, |(_, presence)| presence)
    }

    /// Returns the last update of the document that the state store may not hold.
    fn last(&self) -> Option<Position> {
        self.appended.back().map(|(position, _)| *position).or(self.committed_at)
    }
}

/// Newest and committed states of documents, by link, until the state store holds them.
#[derive(Debug, Default)]
pub(super) struct Recent {
    touched: HashMap<Link, Touched>,
}

impl Recent {
    /// Takes note of an update that was appended at `position`, and returns the document after it. `before` is the state that
    /// the operation found.
    pub(super) fn append(
        &mut self,
        position: Position,
        update: &Update,
        before: Option<&Arc<Document>>,
    ) -> Arc<Document> {
        let found = before.map_or(Presence::Absent, |document| Presence::Present(Arc::clone(document)));
        self.append_to(position, update, found)
    }

    /// Takes note of an update that another member has ordered. What the document was before, the state store says.
    pub(super) fn copy(&mut self, position: Position, update: &Update) {
        self.append_to(position, update, Presence::Unknown);
    }

    fn append_to(&mut self, position: Position, update: &Update, found: Presence) -> Arc<Document> {
        let touched = match self.touched.entry(update.document.link.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Touched {
                appended: VecDeque::new(),
                committed: found,
                committed_at: None,
                remembered: HashMap::new(),
            }),
        };
        let (after, shown) = match update.change {
            Change::NewVersion | Change::Renewal => {
                let document = Arc::new(update.document.clone());
                (Presence::Present(Arc::clone(&document)), document)
            }
            Change::None => {
                let after = touched.newest().clone();
                let shown = match &after {
                    Presence::Present(document) => Arc::clone(document),
                    Presence::Absent | Presence::Unknown => Arc::new(update.document.clone()),
                };
                (after, shown)
            }
        };
        touched.appended.push_back((position, after));
        touched.remembered.extend(update.remembered.clone().map(|reply| (reply.key, reply)));
        shown
    }

    /// Takes note that an update was committed.
    pub(super) fn commit(&mut self, position: Position, update: &Update) {
        let Some(touched) = self.touched.get_mut(&update.document.link) else { return };
        while let Some((at, presence)) = touched.appended.pop_front_if(|(at, _)| at.offset <= position.offset) {
            touched.committed = presence;
            touched.committed_at = Some(at);
        }
    }

    /// Forgets the document if the state store, which now holds everything up to `applied`, knows all about it. Returns what
    /// it holds then.
    pub(super) fn applied(&mut self, applied: Offset, link: &Link) -> Option<Presence> {
        match self.touched.get_mut(link) {
            Some(touched) if touched.last().is_none_or(|last| last.offset <= applied) => {
                self.touched.remove(link).map(|touched| touched.newest().clone())
            }
            Some(touched) => {
                // A document under steady load is never forgotten as a whole; its answers must be.
                let early = mutation::is(Mutation::AnswersForgottenEarly);
                touched.remembered.retain(|_, reply| reply.at.offset > applied && !early);
                None
            }
            None => None,
        }
    }

    /// Forgets every update above `keep`: none of them was committed.
    pub(super) fn truncate(&mut self, keep: Option<Offset>) {
        let is_cut = |offset: Offset| Some(offset) > keep;
        self.touched.retain(|_, touched| {
            touched.appended.retain(|(position, _)| !is_cut(position.offset));
            touched.remembered.retain(|_, reply| !is_cut(reply.at.offset));
            // What is committed stays until the state store has it; if nothing is left, the store knows all.
            touched.last().is_some()
        });
    }

    /// Returns the state after every appended update.
    pub(super) fn newest(&self, link: &Link) -> Presence {
        self.touched.get(link).map_or(Presence::Unknown, |touched| touched.newest().clone())
    }

    /// Forgets everything: the store has another copy now.
    pub(super) fn forget_all(&mut self) {
        self.touched.clear();
    }

    /// Returns the state after every committed update.
    pub(super) fn committed(&self, link: &Link) -> Presence {
        self.touched.get(link).map_or(Presence::Unknown, |touched| touched.committed.clone())
    }

    /// Returns the last appended update of the document, if it is not applied yet.
    pub(super) fn last(&self, link: &Link) -> Option<Position> {
        self.touched.get(link)?.last()
    }

    /// Returns the first answer to a request, if it was given by an update that is not applied yet.
    pub(super) fn remembered(&self, link: &Link, key: &RequestKey) -> Option<RememberedReply> {
        self.touched.get(link)?.remembered.get(key).cloned()
    }
}
