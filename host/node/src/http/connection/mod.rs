//! Connections of clients: how many there may be, and when a connection has been silent or stuck for too long.
//!
//! Problem: any client can open a connection, which takes a descriptor, and ask for an answer that it does not read.
//! Neither may cost the clients that ask and read.
//!
//! Promise: connections never take more descriptors than [`crate::descriptors`] gives them. A connection that says
//! nothing (no byte, half a preface, no further request) is closed after the idle span, whatever protocol it speaks, and
//! also if it lets the host answer PING and SETTINGS of HTTP/2. So
//! is a connection whose client reads nothing of what it asked for. If all places are taken and some connection is
//! silent, the one that has been silent longest gives its place to the new one; of several new ones at once, each gets the
//! place of another. If none is silent, the new one gets a status that says so, and is closed.
//!
//! ```text
//! accept ─► doorstep ─┬─ a place is free ──────────────► served
//!                     ├─ one is silent, it gives way ──► served
//!                     └─ all are busy ─────────────────► 503, closed
//! ```
//!
//! Left out: a client that reads a byte now and then keeps its answer for as long as that takes, within the bound on
//! connections.

mod frames;
mod stream;
mod talk;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) use stream::{Answering, Watched};
pub(super) use talk::{Order, Talk, Verdict};

use crate::clock::Clock;
use crate::descriptors::Descriptors;

/// How long a connection must have been silent to give way to another one.
const GIVES_WAY_AFTER: Duration = Duration::from_secs(1);

/// How long a new connection waits for one that gives way: until those that fell silent just now have been silent for long enough, and the
/// one that is asked has left.
const PLACE_WITHIN: Duration = Duration::from_secs(3);

/// How often a new connection looks for one that gives way.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// All connections of a node.
pub(super) struct Connections {
    clock: Arc<Clock>,
    max: usize,
    places: Arc<Semaphore>,
    doorstep: Arc<Semaphore>,
    next: AtomicU64,
    talks: Mutex<Talks>,
}

/// Connections that have a place.
#[derive(Default)]
struct Talks {
    open: HashMap<u64, Arc<Talk>>,
    /// How many connections wait for a place.
    waiting: usize,
    /// What everybody has been told, and who comes later is told at once.
    order: Order,
}

/// The right to accept one connection.
pub(super) struct Doorstep {
    _permit: Option<OwnedSemaphorePermit>,
}

/// A place among the connections; given back when it is dropped.
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    pub(super) talk: Arc<Talk>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    pub(super) fn new(clock: Arc<Clock>, descriptors: &Descriptors) -> Arc<Connections> {
        Arc::new(Connections {
            clock,
            max: descriptors.clients,
            places: Arc::new(Semaphore::new(descriptors.clients)),
            doorstep: Arc::new(Semaphore::new(descriptors.doorstep)),
            next: AtomicU64::new(0),
            talks: Mutex::default(),
        })
    }

    /// Returns how many connections may have a place.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Returns how many connections have a place.
    pub(super) fn open(&self) -> usize {
        self.talks().open.len()
    }

    /// Returns the record of a connection that has no place.
    pub(super) fn stranger(&self) -> Arc<Talk> {
        Arc::new(Talk::new(Arc::clone(&self.clock)))
    }

    /// Returns once one more connection may be accepted, to be served or refused.
    pub(super) async fn doorstep(&self) -> Doorstep {
        // The semaphore is never closed; without a permit the connection would merely not be counted.
        Doorstep { _permit: Arc::clone(&self.doorstep).acquire_owned().await.ok() }
    }

    /// Returns a place for an accepted connection; none if all are taken and nobody is silent.
    pub(super) async fn place(self: &Arc<Self>) -> Option<Place> {
        if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(self.take(permit));
        }
        let waiting = Waiting::new(self);
        let free = Arc::clone(&self.places).acquire_owned();
        let permit = tokio::select! {
            permit = free => permit.ok()?,
            () = waiting.make_room() => return None,
        };
        drop(waiting);
        Some(self.take(permit))
    }

    fn take(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        let (number, talk) = (self.next.fetch_add(1, Ordering::Relaxed), self.stranger());
        let mut talks = self.talks();
        talk.tell(talks.order);
        talks.open.insert(number, Arc::clone(&talk));
        Place { connections: Arc::clone(self), number, talk, _permit: permit }
    }

    /// Asks the connection to leave that has been silent longest, unless as many are leaving as wait for a place.
    ///
    /// A freed place goes to whoever waits longest, and not to whoever asked for it. So nobody is done with asking for having asked: they
    /// are counted together, and a new one that another overtook asks again.
    fn ask_to_leave(&self) {
        let now = self.clock.now();
        // Under one lock, so that no two find the same one.
        let talks = self.talks();
        let leaving = talks.open.values().filter(|talk| !talk.stays()).count();
        if leaving >= talks.waiting {
            return;
        }
        let silent = |talk: &Arc<Talk>| talk.silent_for(now).filter(|span| *span >= GIVES_WAY_AFTER);
        let staying = talks.open.values().filter(|talk| talk.stays());
        if let Some((_, talk)) = staying.filter_map(|talk| Some((silent(talk)?, talk))).max_by_key(|(span, _)| *span) {
            talk.tell(Order::Leave);
        }
    }

    /// Tells every connection, those that come later included.
    pub(super) fn tell_all(&self, order: Order) {
        let mut talks = self.talks();
        talks.order = order;
        talks.open.values().for_each(|talk| talk.tell(order));
    }

    /// Returns once no connection has a place and none can get one.
    pub(super) async fn ended(&self) {
        // The semaphore is never closed. All permits at once are there when nobody has one.
        let all = u32::try_from(self.max).unwrap_or(u32::MAX);
        let _ = self.places.acquire_many(all).await;
    }

    fn talks(&self) -> std::sync::MutexGuard<'_, Talks> {
        self.talks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that waits for a place; counted until it is dropped.
struct Waiting<'a>(&'a Connections);

impl Waiting<'_> {
    fn new(connections: &Connections) -> Waiting<'_> {
        connections.talks().waiting += 1;
        Waiting(connections)
    }

    /// Asks silent connections to leave, and returns when the new one has waited for long enough.
    async fn make_room(&self) {
        for _ in 0..PLACE_WITHIN.as_millis() / LOOKS_EVERY.as_millis() {
            self.0.ask_to_leave();
            tokio::time::sleep(LOOKS_EVERY).await;
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.talks().waiting -= 1;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.talks().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(clients: usize) -> Arc<Connections> {
        Connections::new(Arc::new(Clock::default()), &Descriptors { limit: 1000, clients, doorstep: 2 })
    }

    #[tokio::test]
    async fn nobody_gets_a_place_while_all_are_busy() {
        let connections = connections(1);
        let place = connections.place().await.expect("free");
        let asked = place.talk.asked();
        assert!(connections.place().await.is_none());
        drop(asked);
        drop(place);
        assert!(connections.place().await.is_some());
        assert_eq!(connections.open(), 0);
    }

    #[tokio::test]
    async fn as_many_silent_ones_give_way_as_there_are_new_ones() {
        let connections = connections(3);
        for _ in 0..3 {
            let place = connections.place().await.expect("free");
            tokio::spawn(async move {
                assert_eq!(place.talk.told().await, Order::Leave);
                drop(place);
            });
        }
        let new = tokio::join!(connections.place(), connections.place(), connections.place());
        assert!(matches!(new, (Some(_), Some(_), Some(_))), "each gets the place of another");
    }

    #[tokio::test]
    async fn whoever_comes_late_is_told_what_all_were_told() {
        let connections = connections(2);
        let early = connections.place().await.expect("free");
        connections.tell_all(Order::Leave);
        let late = connections.place().await.expect("free");
        assert_eq!([early.talk.told().await, late.talk.told().await], [Order::Leave, Order::Leave]);
        drop((early, late));
        connections.ended().await;
    }
}
