//! The engine's journal on its way to the disk, in small portions.
//!
//! Problem: the engine writes its journal without fsync and makes up for it when it flushes and at each checkpoint, tens of
//! megabytes at once. The log's `fdatasync`, for which clients wait, then stands behind them. Promise: after a write no more
//! than a portion of the journal, and what one batch adds to it, waits to be made lasting. Nobody relies on it: the engine's
//! own fsyncs count, and they find less to do. But if it fails, what is lasting is unknown, as when one of those fails.
//!
//! Only the newest file of the journal is looked at: the engine fsyncs a file before it begins the next one.
//!
//! Left out: tables, which the engine writes and fsyncs one by one.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Batch, notes};

/// So much of the journal is made lasting at once.
const PORTION_BYTES: u64 = 1 << 20;

/// What the journal adds to each key and value, about.
const ENTRY_BYTES: u64 = 16;

/// Bytes of the journal that wait, about.
#[derive(Debug, Default)]
pub(super) struct WriteBack {
    waiting: AtomicU64,
}

impl WriteBack {
    /// Takes note that `batch` was written to the engine in `folder`, and makes the journal lasting if a portion of it waits.
    ///
    /// If there is no getting at the journal, such as for want of descriptors, what waits goes on waiting, and the next batch
    /// tries again.
    ///
    /// # Errors
    /// Those of the fsync: what of the journal is lasting is unknown then.
    pub(super) fn wrote(&self, folder: &Path, batch: &Batch) -> io::Result<()> {
        let size = |((_, key), value): (&(_, Vec<u8>), &Option<bytes::Bytes>)| {
            (key.len() + value.as_ref().map_or(0, bytes::Bytes::len)) as u64 + ENTRY_BYTES
        };
        let written: u64 = batch.changes.iter().map(size).sum();
        if self.waiting.fetch_add(written, Ordering::Relaxed) + written < PORTION_BYTES {
            return Ok(());
        }
        let waited = self.waiting.swap(0, Ordering::Relaxed);
        match notes::newest_journal(folder).and_then(|journal| journal.map(File::open).transpose()) {
            Ok(journal) => journal.map_or(Ok(()), |journal| journal.sync_data()),
            // It is gone: what it held is in tables.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => {
                self.waiting.fetch_add(waited, Ordering::Relaxed);
                tracing::debug!(%error, "journal of the state store is made lasting later");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Family;
    use super::*;

    #[test]
    fn a_journal_that_cannot_be_opened_now_is_made_lasting_with_the_next_batch() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store");
        std::fs::write(&store, b"no folder").expect("writable");
        let mut batch = Batch::new();
        batch.put(Family::Document, vec![7], vec![0; PORTION_BYTES as usize]);
        let write_back = WriteBack::default();
        write_back.wrote(&store, &batch).expect("nothing has failed to become lasting");
        assert!(write_back.waiting.load(Ordering::Relaxed) >= PORTION_BYTES, "the next batch tries again");
    }
}
