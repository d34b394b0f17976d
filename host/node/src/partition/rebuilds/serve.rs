//! The primary's side: snapshots that others fetch, a piece at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use steward_model::{Member, Moment, PartitionId, codec};
use steward_replication::partition::Snapshot;

use super::parts::Parts;
use super::words::{Ask, Piece};

/// Snapshots that are open at once: each keeps the state store from letting go of what it shows.
const SESSIONS_MAX: usize = 16;

/// How long a snapshot is kept for a node that asks nothing.
const ASKED_WITHIN: Duration = Duration::from_secs(30);

/// About so many bytes of documents are read at once.
const PORTION_BYTES: usize = 1 << 20;

/// Most bytes of an answer: a single document may be larger.
const PIECE_BYTES: usize = 4 << 20;

/// One snapshot that one node fetches.
struct Session {
    snapshot: Snapshot,
    /// What is left of the portion that was read last.
    rest: Bytes,
    /// There is no other behind it.
    is_last: bool,
    asked: Moment,
}

type Open = BTreeMap<(Member, PartitionId), Arc<Mutex<Session>>>;

/// All of them.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Open>);

impl Sessions {
    fn open(&self) -> MutexGuard<'_, Open> {
        // Each change is one call of a map, which leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers what `member` asks. Reads from the disk.
    ///
    /// # Errors
    /// Why there is no answer; the other node begins anew later.
    pub(super) fn answer(&self, parts: &Parts, member: Member, ask: Ask) -> Result<Vec<u8>, String> {
        let now = parts.clock.now();
        match ask {
            Ask::Begin(partition) => self.begin(parts, now, member, partition),
            Ask::More(partition) => self.more(now, (member, partition)),
        }
    }

    fn begin(&self, parts: &Parts, now: Moment, member: Member, partition: PartitionId) -> Result<Vec<u8>, String> {
        if !parts.partitions.has(partition) {
            return Err(format!("there is no partition {partition}"));
        }
        self.open().retain(|(node, _), session| {
            // One that is being read is not idle.
            let is_idle = session.try_lock().is_ok_and(|session| now.since(session.asked) > ASKED_WITHIN);
            // Another boot of the node asks nothing more.
            !is_idle && (node.node != member.node || *node == member)
        });
        self.open().remove(&(member, partition));
        if self.open().len() >= SESSIONS_MAX {
            return Err(format!("{SESSIONS_MAX} copies are being fetched from here already"));
        }
        let snapshot = parts.partitions.get(partition).snapshot().map_err(|error| error.to_string())?;
        let head = codec::encode(snapshot.head());
        let session = Session { snapshot, rest: Bytes::new(), is_last: false, asked: now };
        self.open().insert((member, partition), Arc::new(Mutex::new(session)));
        Ok(head)
    }

    fn more(&self, now: Moment, key: (Member, PartitionId)) -> Result<Vec<u8>, String> {
        let session = self.open().get(&key).cloned();
        let session = session.ok_or_else(|| format!("no copy of {} is being fetched by {}", key.1, key.0))?;
        // A panic in the middle of a portion: what is left of it is not known.
        let mut session = session.lock().map_err(|_| "the copy could not be read".to_owned())?;
        session.asked = now;
        if session.rest.is_empty() {
            let portion = session.snapshot.next(PORTION_BYTES).map_err(|error| error.to_string())?;
            session.is_last = portion.is_last;
            session.rest = codec::encode(&portion).into();
        }
        let length = session.rest.len().min(PIECE_BYTES);
        let bytes = session.rest.split_to(length);
        let is_end = session.rest.is_empty();
        if is_end && session.is_last {
            self.open().remove(&key);
        }
        Ok(codec::encode(&Piece { bytes, is_end }))
    }
}
