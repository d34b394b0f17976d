//! What copies of partitions say to one another, on the links between nodes.
//!
//! Problem: a step leaves a handful of short letters, for many partitions and few nodes, and nothing may hold it up. Promise:
//! letters to one member travel together; what comes in is taken by the driver and never by the thread that beats; everything
//! that waits is bounded, and what does not fit is dropped, because a replica says again what is not answered.
//!
//! ```text
//!  step ─► mail ─► driver ─► parcels, by node and lane ─► queue ─► task of the node ─► link
//!  link ─► inbox ─► driver ─► Partitions::receive ─► step
//! ```
//!
//! Letters with records take the lane for bulk, so that promises and confirmations pass them by.
//!
//! Source: host/docs/protocol.md, "Messages".

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use steward_model::codec::{self, Format};
use steward_model::{Member, NodeId, PartitionId};
use steward_protocol::replica::Message;
use steward_replication::Partitions;
use steward_replication::mail::Letter;
use tokio::sync::mpsc;

use super::hands::Hands;
use crate::clock::Clock;
use crate::peer::{Lane, Links, Origin, Service, Topic};
use crate::telemetry::group as telemetry;

/// A parcel takes no further letter once it has about so many bytes.
const PARCEL_BYTES: usize = 256 << 10;

/// Parcels that may wait for the link to one node.
const QUEUE_MAX: usize = 256;

/// Bytes of parcels that may wait for the link to one node, in one lane. A larger parcel is taken while nothing waits.
const QUEUE_BYTES_MAX: usize = 32 << 20;

/// Bytes of parcels that may wait for the driver.
const INBOX_BYTES_MAX: usize = 64 << 20;

/// Letters to one member.
#[derive(Debug, Serialize, Deserialize)]
struct Parcel {
    /// Another boot of the node must not have them.
    to: Member,
    letters: Vec<(PartitionId, Message)>,
}

impl Format for Parcel {
    const NAME: &'static str = "letters of copies";
}

#[derive(Default)]
struct Inbox {
    parcels: VecDeque<(Member, Bytes)>,
    bytes: usize,
}

/// Parcels that wait for the link to a node, by lane.
type Queues = BTreeMap<(NodeId, Lane), Queue>;

/// Parcels on their way to one link: bounded in number and bytes, and refused beyond.
struct Queue {
    parcels: mpsc::Sender<Vec<u8>>,
    /// Bytes of the parcels that were put in and not taken out.
    bytes: Arc<AtomicUsize>,
}

impl Queue {
    fn new() -> (Queue, mpsc::Receiver<Vec<u8>>) {
        let (parcels, queued) = mpsc::channel(QUEUE_MAX);
        (Queue { parcels, bytes: Arc::default() }, queued)
    }

    /// Puts a parcel in. Returns false if too much waits.
    fn put(&self, parcel: Vec<u8>) -> bool {
        let bytes = parcel.len();
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before == 0 || before + bytes <= QUEUE_BYTES_MAX;
        let is_in = fits && self.parcels.try_send(parcel).is_ok();
        if !is_in {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        is_in
    }
}

pub(crate) struct Exchange {
    links: Links,
    own: Member,
    hands: Arc<Hands>,
    inbox: Mutex<Inbox>,
    queues: Mutex<Queues>,
}

impl Exchange {
    /// Begins to take letters of other nodes, for the process start `own`.
    pub(crate) fn start(links: &Links, own: Member, hands: &Arc<Hands>) -> Arc<Exchange> {
        let exchange = Arc::new(Exchange {
            links: links.clone(),
            own,
            hands: Arc::clone(hands),
            inbox: Mutex::default(),
            queues: Mutex::default(),
        });
        links.offer(Topic::Copies, Arc::clone(&exchange) as Arc<dyn Service>);
        exchange
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // Each change leaves it whole before anything that could panic.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the partitions what has come in. Returns how many parcels that were.
    pub(super) fn take_in(&self, partitions: &Partitions, clock: &Clock) -> usize {
        let mut taken = 0;
        loop {
            let Some((from, body)) = self.next() else { return taken };
            taken += 1;
            let parcel = match codec::decode::<Parcel>(&body) {
                Ok(parcel) if parcel.to == self.own => parcel,
                Ok(parcel) => {
                    tracing::debug!(%from, to = %parcel.to, "letters for another boot of this node ignored");
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%from, %error, "letters of another node cannot be read");
                    continue;
                }
            };
            let bytes = parcel.letters.iter().map(|(_, message)| message.record_bytes()).sum();
            let is_acknowledgement =
                |(_, message): &&(PartitionId, Message)| matches!(message, Message::Acknowledgement { .. });
            telemetry::received(from.node, bytes, parcel.letters.iter().filter(is_acknowledgement).count());
            for (partition, message) in parcel.letters {
                if partitions.has(partition) {
                    partitions.receive(clock.now(), partition, from, message);
                }
            }
        }
    }

    fn next(&self) -> Option<(Member, Bytes)> {
        let mut inbox = self.inbox();
        let next = inbox.parcels.pop_front()?;
        inbox.bytes -= next.1.len();
        Some(next)
    }

    /// Sends letters off.
    pub(super) fn send_out(&self, letters: Vec<Letter>) {
        let mut open: BTreeMap<(Member, Lane), (Parcel, usize)> = BTreeMap::new();
        for Letter { partition, to, message } in letters {
            let bytes = message.record_bytes();
            let lane = if bytes > 0 { Lane::Bulk } else { Lane::Urgent };
            let (parcel, weight) = open.entry((to, lane)).or_insert((Parcel { to, letters: Vec::new() }, 0));
            parcel.letters.push((partition, message));
            *weight += bytes;
            if *weight >= PARCEL_BYTES {
                let full = std::mem::replace(parcel, Parcel { to, letters: Vec::new() });
                self.send(&full, std::mem::take(weight), lane);
            }
        }
        for ((_, lane), (parcel, bytes)) in open {
            if !parcel.letters.is_empty() {
                self.send(&parcel, bytes, lane);
            }
        }
    }

    /// Sends a parcel off that carries about so many bytes of records.
    fn send(&self, parcel: &Parcel, bytes: usize, lane: Lane) {
        let node = parcel.to.node;
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry((node, lane)).or_insert_with(|| {
            let (queue, mut queued) = Queue::new();
            let (links, waiting) = (self.links.clone(), Arc::clone(&queue.bytes));
            self.links.tasks().spawn(async move {
                while let Some(body) = queued.recv().await {
                    waiting.fetch_sub(body.len(), Ordering::Relaxed);
                    links.send(node, lane, Topic::Copies, body).await;
                }
            });
            queue
        });
        // A full queue: the link is slower than the copies, or there is none.
        if !queue.put(codec::encode(parcel)) {
            telemetry::dropped();
            tracing::debug!(%node, %lane, "letters dropped, too many wait");
        } else if bytes > 0 {
            telemetry::sent(node, bytes);
        }
    }
}

impl Service for Exchange {
    fn notice(&self, from: &Origin, body: Bytes) {
        let Some(member) = from.member() else {
            tracing::debug!(peer = %from.host, "letters of a node that is not registered ignored");
            return;
        };
        let mut inbox = self.inbox();
        if inbox.bytes + body.len() > INBOX_BYTES_MAX {
            telemetry::dropped();
            tracing::debug!(peer = %from.host, "letters dropped, too many wait to be read");
            return;
        }
        inbox.bytes += body.len();
        inbox.parcels.push_back((member, body));
        drop(inbox);
        self.hands.look_at_mail();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parcels_that_wait_for_a_link_are_bounded_in_number_and_in_bytes() {
        let (queue, mut queued) = Queue::new();
        assert!(queue.put(vec![0; 2 * QUEUE_BYTES_MAX]), "one alone may be large");
        assert!(!queue.put(vec![0; 1]), "and then no other has room");
        let taken = queued.try_recv().expect("it waits");
        queue.bytes.fetch_sub(taken.len(), Ordering::Relaxed);
        let half = QUEUE_BYTES_MAX / 2;
        assert!(queue.put(vec![0; half]) && queue.put(vec![0; half]) && !queue.put(vec![0; 1]));
        let (queue, _queued) = Queue::new();
        assert!((0..QUEUE_MAX).all(|_| queue.put(vec![0; 1])) && !queue.put(vec![0; 1]));
        assert_eq!(queue.bytes.load(Ordering::Relaxed), QUEUE_MAX, "what was refused does not count");
    }
}
