//! What Raft must not forget, as frames of a commit log of its own.
//!
//! | frame kind | payload (codec) | says |
//! |---|---|---|
//! | `Vote` | a vote | whom this node votes for; the newest counts |
//! | `System` | [`Note::Entry`] | an entry stands at its index; entries from there on, if any, are void |
//! | `System` | [`Note::Truncated`] | entries from an index on are void |
//! | `System` | [`Note::Purged`] | entries up to an index are in a system snapshot |
//!
//! Nothing in the log is ever changed: what a later frame says overrides the earlier ones when the log is read again.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::{Entry, LogId, Vote};
use serde::{Deserialize, Serialize};
use steward_model::codec::{self, Format};
use steward_model::{Lsn, PartitionId, Position};
use steward_storage::log::{self, FileLedger, FolderDisk, Frame, FrameKind, Ledger, Listener, Log};

use super::types::TypeConfig;

/// Commands are small and few: a segment holds years of them.
const SEGMENT_BYTES: u64 = 4 << 20;

/// A statement about the system log.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Note {
    /// The entry stands at its index.
    Entry(Box<Entry<TypeConfig>>),
    /// Entries from this index on are void.
    Truncated(u64),
    /// Entries up to this one are in a system snapshot.
    Purged(LogId<u64>),
}

impl Format for Note {
    const NAME: &'static str = "statement about the system log";
    // The second version came with the second of its commands.
    const VERSION: u8 = 2;
    const READABLE_FROM: u8 = 2;

    fn upgrade(_: u8, fields: &[u8]) -> Result<Note, codec::Error> {
        codec::read_fields(fields)
    }
}

/// A vote as it stands in the journal.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct StoredVote(Vote<u64>);

impl Format for StoredVote {
    const NAME: &'static str = "vote";
}

/// Returns the frame of a statement about the system log.
pub(super) fn note(note: &Note) -> Frame {
    Frame::of_node(FrameKind::System, codec::encode(note).into())
}

/// Returns the frame of a vote.
pub(super) fn vote(vote: &Vote<u64>) -> Frame {
    Frame::of_node(FrameKind::Vote, codec::encode_as::<StoredVote, _>(vote).into())
}

/// A frame of the journal, read.
pub(super) enum Read {
    /// A vote.
    Vote(Vote<u64>),
    /// A statement about the system log.
    Note(Note),
}

/// Why a frame does not belong into a journal.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stranger {
    /// Its payload is nothing we write.
    #[error(transparent)]
    Payload(#[from] codec::Error),
    /// Its kind is one of the data plane.
    #[error("frame of kind {0:?} does not belong into the log of the system group")]
    Kind(FrameKind),
}

/// Returns what a frame says.
///
/// # Errors
/// [`Stranger`]
pub(super) fn read(frame: &Frame) -> Result<Read, Stranger> {
    match frame.kind {
        FrameKind::Vote => Ok(Read::Vote(codec::decode::<StoredVote>(&frame.payload)?.0)),
        FrameKind::System => Ok(Read::Note(codec::decode(&frame.payload)?)),
        kind @ (FrameKind::Record | FrameKind::Promise | FrameKind::Checkpoint) => Err(Stranger::Kind(kind)),
    }
}

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The folder does not work.
    #[error("cannot open folder {path}: {source}")]
    Folder {
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The log does not open.
    #[error("system log: {0}")]
    Log(#[from] log::open::Error),
    /// The operating system gives no thread.
    #[error("cannot start the writer of the system log: {0}")]
    Thread(std::io::Error),
}

/// To be done when a frame is on disk.
type Waiter = Box<dyn FnOnce() + Send>;

/// What is on disk, and who waits for more.
#[derive(Default)]
struct Durability {
    through: Lsn,
    waiting: VecDeque<(Lsn, Waiter)>,
}

/// Hears from the log's writer.
#[derive(Default)]
struct Durable {
    durability: Mutex<Durability>,
}

impl Durable {
    fn lock(&self) -> MutexGuard<'_, Durability> {
        // Waiters run outside of the lock, and nothing else in it can panic half-way.
        self.durability.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn when(&self, lsn: Lsn, then: Waiter) {
        let mut durability = self.lock();
        if lsn <= durability.through {
            drop(durability);
            then();
        } else {
            // Appends come one after the other, so the queue is in the order of the log.
            durability.waiting.push_back((lsn, then));
        }
    }
}

impl Listener for Durable {
    fn persisted(&self, through: Lsn, _ends: &[(PartitionId, Position)]) {
        let mut durability = self.lock();
        durability.through = through;
        let due = durability.waiting.iter().take_while(|(lsn, _)| *lsn <= through).count();
        let due: Vec<_> = durability.waiting.drain(..due).collect();
        drop(durability);
        for (_, then) in due {
            then();
        }
    }
}

/// The log of one incarnation, open.
pub(super) struct Journal {
    log: Log,
    durable: Arc<Durable>,
}

impl Journal {
    /// Opens the journal in `folder`, or begins one, and tells `replay` what it holds.
    pub(super) fn open(folder: &Path, identity: u64, mut replay: impl FnMut(Lsn, Read)) -> Result<Journal, Error> {
        let disk = FolderDisk::new(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
        let ledger = Some(Arc::new(FileLedger::new(folder.with_extension("segments"))) as Arc<dyn Ledger>);
        let options = log::Options { segment_bytes: SEGMENT_BYTES, identity, ledger, ..log::Options::default() };
        let opened = Log::open(Arc::new(disk), options, &mut |lsn, frame| {
            replay(lsn, read(&frame)?);
            Ok(())
        })?;
        if opened.recovery.cut_bytes > 0 {
            tracing::info!(cut_bytes = opened.recovery.cut_bytes, "system log had a torn end");
        }
        let durable = Arc::new(Durable::default());
        durable.lock().through = opened.log.persisted();
        opened.log.start(Arc::clone(&durable) as Arc<dyn Listener>).map_err(Error::Thread)?;
        Ok(Journal { log: opened.log, durable })
    }

    /// Takes frames that stand or fall together, and returns the number of the last one. They are not on disk yet.
    pub(super) fn append(&self, frames: &[Frame]) -> Result<Lsn, log::append::Error> {
        self.log.append(frames)
    }

    /// Has `then` done when the frame `lsn` is on disk: on the thread of the log's writer, or at once if it is.
    pub(super) fn when_durable(&self, lsn: Lsn, then: impl FnOnce() + Send + 'static) {
        self.durable.when(lsn, Box::new(then));
    }

    /// Gives back the space of frames below `below`, as far as they fill segments.
    pub(super) fn trim(&self, below: Lsn) -> std::io::Result<()> {
        self.log.trim(below).map(drop)
    }

    /// Writes what waits and stops. Blocks on the disk.
    pub(super) fn close(&self) {
        self.log.close();
    }
}
