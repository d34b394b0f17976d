//! Doors: nobody writes at a factory while it is decided which module answers there.
//!
//! Problem: an operation begins on the module that answers at that moment. Before its record is in the log, it may wait
//! for its turn, for its guest or for room. If the factory moves meanwhile, the record must not have a shape that the
//! new module does not read. A deployment, in turn, checks the stored states before it is decided, and must not miss a
//! record that is written during the check.
//!
//! Promise: a writer holds the door of the factory from the moment at which it looks which revision answers, until its
//! record is in the log. A deployment closes the door before it checks the states. The door opens again when the table
//! of services shows the decision, or when it is certain that there is none. So every record is either seen by the
//! check, or written by somebody who has seen the new revision.
//!
//! ```text
//!  operation   … guest ──► enter ─ same revision, or readable? ─ append ─► leave
//!  deployment   close ─► flush, check stored states ─► command ─► (table replaced) ─► open
//! ```
//!
//! A door is for one node only. Doors are never removed: there are as many as paths that ever had a factory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use steward_model::Link;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, watch};

/// The door of one factory: held open by all who write there, closed by the one who decides.
pub(crate) type Door = Arc<RwLock<()>>;

/// A door that somebody has closed. It stays closed until the decision shows, or until [`Doors::open`].
pub(crate) struct Closed {
    /// The revision of the factory that the decision was made on.
    decided_on: u64,
    path: Link,
    _door: OwnedRwLockWriteGuard<()>,
}

#[derive(Default)]
pub(crate) struct Doors {
    doors: Mutex<BTreeMap<Link, Door>>,
    closed: watch::Sender<BTreeMap<Link, Arc<Closed>>>,
}

impl Doors {
    /// Returns the door of the factory at `path`.
    pub(crate) fn of(&self, path: &Link) -> Door {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(doors.entry(path.clone()).or_default())
    }

    /// Closes the door of a factory for a decision on its revision `decided_on`; waits for whoever is inside or has closed it.
    pub(crate) async fn close(&self, path: &Link, decided_on: u64) -> Arc<Closed> {
        let door = self.of(path).write_owned().await;
        let closed = Arc::new(Closed { decided_on, path: path.clone(), _door: door });
        self.closed.send_modify(|all| {
            all.insert(path.clone(), Arc::clone(&closed));
        });
        closed
    }

    /// Opens a door again: nothing was decided.
    pub(crate) fn open(&self, closed: Arc<Closed>) {
        self.closed.send_modify(|all| {
            if all.get(&closed.path).is_some_and(|other| Arc::ptr_eq(other, &closed)) {
                all.remove(&closed.path);
            }
        });
    }

    /// Returns the door of a factory closed: by whoever decides there at the moment, or for the caller alone.
    pub(super) async fn shut(&self, path: &Link) -> Arc<Closed> {
        let mut others = self.closed.subscribe();
        let door = self.of(path);
        loop {
            if let Some(closed) = others.borrow_and_update().get(path) {
                return Arc::clone(closed);
            }
            tokio::select! {
                door = Arc::clone(&door).write_owned() => {
                    return Arc::new(Closed { decided_on: 0, path: path.clone(), _door: door });
                }
                // The sender lives as long as these doors.
                _ = others.changed() => {}
            }
        }
    }

    /// Opens the doors whose decision shows: those closed on a revision before the one that `revision_of` tells.
    pub(super) fn decided(&self, revision_of: impl Fn(&Link) -> u64) {
        self.closed.send_if_modified(|all| {
            let before = all.len();
            all.retain(|path, closed| closed.decided_on >= revision_of(path));
            all.len() < before
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, poll};

    fn path() -> Link {
        Link::parse("/core/ledgers").expect("a valid link")
    }

    #[tokio::test]
    async fn a_closed_door_lets_nobody_in_until_the_decision_shows() {
        let (doors, path) = (Doors::default(), path());
        let inside = doors.of(&path).read_owned().await;
        let mut closing = Box::pin(doors.close(&path, 4));
        assert!(poll!(&mut closing).is_pending(), "somebody is inside");
        drop(inside);
        let closed = closing.await;
        assert!(doors.of(&path).try_read().is_err());
        doors.decided(|_| 4);
        drop(closed);
        assert!(doors.of(&path).try_read().is_err(), "the table shows what it was decided on");
        doors.decided(|_| 5);
        assert!(doors.of(&path).try_read().is_ok());
    }

    #[tokio::test]
    async fn a_door_is_opened_by_its_own_decision_only() {
        let (doors, path) = (Doors::default(), path());
        let first = doors.close(&path, 1).await;
        let second = doors.close(&path, 1);
        doors.open(first);
        let second = second.await;
        assert!(doors.of(&path).try_read().is_err());
        doors.open(second);
        assert!(doors.of(&path).try_read().is_ok());
    }

    #[tokio::test]
    async fn the_table_changes_behind_a_door_that_somebody_else_has_closed() {
        let (doors, path) = (Doors::default(), path());
        let closed = doors.close(&path, 1).await;
        let shut = doors.shut(&path).now_or_never().expect("it is closed already");
        assert!(Arc::ptr_eq(&shut, &closed));
        drop((shut, closed));
        doors.decided(|_| 2);
        let alone = doors.shut(&path).now_or_never().expect("nobody is inside");
        assert!(doors.of(&path).try_read().is_err());
        drop(alone);
        assert!(doors.of(&path).try_read().is_ok());
    }
}
