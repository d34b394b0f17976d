//! Raft's log and vote: all entries that are kept in memory, every change in the journal.
//!
//! Promise: an append is reported as flushed when it is on disk, never earlier, and a vote is on disk before it is
//! given. Appending returns at once, so that entries gather into one fsync while another is on its way.
//!
//! Left out: Raft's commit index is not stored. A leader commits again what is in its log when it starts, and tells the others.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::RangeBounds;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{AnyError, Entry, LogId, LogState, OptionalSend, RaftLogReader, StorageError, StorageIOError, Vote};
use steward_model::Lsn;
use steward_storage::log::{Frame, append};

use super::journal::{self, Journal, Note, Read};
use super::types::TypeConfig;

/// Pause before an append is tried again because the disk is busy or full.
const RETRY_PAUSE: Duration = Duration::from_millis(5);

/// What the journal says, and where the frames that say it are.
#[derive(Debug, Default)]
struct Ledger {
    vote: Option<Vote<u64>>,
    purged: Option<LogId<u64>>,
    entries: BTreeMap<u64, (Entry<TypeConfig>, Lsn)>,
}

impl Ledger {
    fn read(&mut self, lsn: Lsn, read: Read) {
        match read {
            Read::Vote(vote) => self.vote = Some(vote),
            Read::Note(Note::Entry(entry)) => self.put(*entry, lsn),
            Read::Note(Note::Truncated(from)) => drop(self.entries.split_off(&from)),
            Read::Note(Note::Purged(upto)) => self.purge(upto),
        }
    }

    fn put(&mut self, entry: Entry<TypeConfig>, lsn: Lsn) {
        let index = entry.log_id.index;
        self.entries.split_off(&index);
        self.entries.insert(index, (entry, lsn));
    }

    fn purge(&mut self, upto: LogId<u64>) {
        self.entries = self.entries.split_off(&(upto.index + 1));
        self.purged = self.purged.max(Some(upto));
    }
}

/// Raft's log and vote. Clones share them.
#[derive(Clone)]
pub(super) struct Store {
    ledger: Arc<Mutex<Ledger>>,
    journal: Arc<Journal>,
}

impl Store {
    /// Opens the log in `folder`, or begins one.
    pub(super) fn open(folder: &Path, identity: u64) -> Result<Store, journal::Error> {
        let mut ledger = Ledger::default();
        let journal = Journal::open(folder, identity, |lsn, read| ledger.read(lsn, read))?;
        Ok(Store { ledger: Arc::new(Mutex::new(ledger)), journal: Arc::new(journal) })
    }

    /// Returns the journal, to be closed at the end.
    pub(super) fn journal(&self) -> Arc<Journal> {
        Arc::clone(&self.journal)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // The ledger follows the journal step by step: whoever panicked left it between two steps.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends frames; waits as long as the disk is busy or full, since giving up would stop the system group for good.
    async fn write(&self, frames: &[Frame]) -> Result<Lsn, append::Error> {
        let mut warned = false;
        loop {
            match self.journal.append(frames) {
                Err(append::Error::Busy { .. }) => {}
                Err(error @ append::Error::Full { .. }) => {
                    if !std::mem::replace(&mut warned, true) {
                        tracing::warn!(%error, "system log waits for space");
                    }
                }
                settled @ (Ok(_)
                | Err(append::Error::TooLarge { .. } | append::Error::Closed | append::Error::Failed)) => {
                    return settled;
                }
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Appends frames and waits until they are on disk.
    async fn write_durably(&self, frames: &[Frame]) -> Result<Lsn, append::Error> {
        let lsn = self.write(frames).await?;
        let (flushed, heard) = tokio::sync::oneshot::channel();
        self.journal.when_durable(lsn, move || {
            // Nobody listens any more if the caller was dropped meanwhile.
            let _ = flushed.send(());
        });
        heard.await.map(|()| lsn).map_err(|_| append::Error::Closed)
    }
}

fn write_logs(error: &append::Error) -> StorageError<u64> {
    StorageIOError::write_logs(AnyError::new(error)).into()
}

impl RaftLogReader<TypeConfig> for Store {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry<TypeConfig>>, StorageError<u64>> {
        Ok(self.ledger().entries.range(range).map(|(_, (entry, _))| entry.clone()).collect())
    }
}

impl RaftLogStorage<TypeConfig> for Store {
    type LogReader = Store;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError<u64>> {
        let ledger = self.ledger();
        let newest = ledger.entries.last_key_value().map(|(_, (entry, _))| entry.log_id);
        Ok(LogState { last_purged_log_id: ledger.purged, last_log_id: newest.or(ledger.purged) })
    }

    async fn get_log_reader(&mut self) -> Store {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), StorageError<u64>> {
        let written = self.write_durably(&[journal::vote(vote)]).await;
        written.map_err(|error| StorageIOError::write_vote(AnyError::new(&error)))?;
        self.ledger().vote = Some(*vote);
        Ok(())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError<u64>> {
        Ok(self.ledger().vote)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<(), StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<_> = entries.into_iter().collect();
        let mut newest = Lsn(0);
        for entry in entries {
            let note = Note::Entry(Box::new(entry));
            newest = self.write(&[journal::note(&note)]).await.map_err(|error| write_logs(&error))?;
            self.ledger().read(newest, Read::Note(note));
        }
        self.journal.when_durable(newest, move || callback.log_io_completed(Ok(())));
        Ok(())
    }

    async fn truncate(&mut self, from: LogId<u64>) -> Result<(), StorageError<u64>> {
        let note = Note::Truncated(from.index);
        let lsn = self.write(&[journal::note(&note)]).await.map_err(|error| write_logs(&error))?;
        self.ledger().read(lsn, Read::Note(note));
        Ok(())
    }

    async fn purge(&mut self, upto: LogId<u64>) -> Result<(), StorageError<u64>> {
        // The newest vote may stand among the frames that go: it is said again.
        let vote = self.ledger().vote;
        let note = Note::Purged(upto);
        let frames: Vec<Frame> = vote.iter().map(journal::vote).chain([journal::note(&note)]).collect();
        let newest = self.write_durably(&frames).await.map_err(|error| write_logs(&error))?;
        let repeated = Lsn(newest.0 + 1 - frames.len() as u64);
        let needed = {
            let mut ledger = self.ledger();
            ledger.read(newest, Read::Note(note));
            ledger.entries.first_key_value().map_or(repeated, |(_, (_, lsn))| repeated.min(*lsn))
        };
        let journal = Arc::clone(&self.journal);
        match tokio::task::spawn_blocking(move || journal.trim(needed)).await {
            Ok(Ok(())) => {}
            // Nothing is lost but space, and the next purge tries again.
            Ok(Err(error)) => tracing::warn!(%error, "system log was not trimmed"),
            Err(error) => tracing::warn!(%error, "trimming the system log was given up"),
        }
        Ok(())
    }
}
