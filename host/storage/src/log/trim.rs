//! Removing old segments, and pins that keep segments from being removed.

use std::sync::Arc;

use steward_model::{Lsn, Offset, PartitionId};

use super::Log;
use super::segment::{self, Segment};
use super::shared::{Shared, locked};

/// What [`Log::trim`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trimmed {
    /// Segments whose files are gone.
    pub segments: usize,
    /// Bytes that the disk has back.
    pub bytes: u64,
}

/// Keeps frames from being trimmed while somebody reads them, until it is dropped.
pub struct Pinned {
    shared: Arc<Shared>,
    from: Lsn,
}

impl Pinned {
    /// Returns the oldest frame that is kept.
    pub fn from(&self) -> Lsn {
        self.from
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut index = self.shared.index();
        if let Some(count) = index.pins.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                index.pins.remove(&self.from);
            }
        }
    }
}

impl Log {
    /// Removes the oldest segments that hold no frame at or above `below`. The newest segment with frames stays.
    ///
    /// Frames of every kind go: what the node still needs of promises and votes must have been appended anew. Neither the
    /// writer nor readers wait meanwhile.
    ///
    /// # Errors
    /// Those of the disk. What was not removed is kept, and the next call tries again.
    pub fn trim(&self, below: Lsn) -> std::io::Result<Trimmed> {
        self.trim_to(below, 0)
    }

    /// Removes as [`Log::trim`] does, oldest first, only as long as the segments that are left take `backlog_bytes` or more.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn trim_to(&self, below: Lsn, backlog_bytes: u64) -> std::io::Result<Trimmed> {
        let shared = &self.shared;
        let mut trimmed = Trimmed::default();
        // Held to the end: of two who trim at once the second would remove a younger segment first.
        let mut condemned = locked(&shared.trimming);
        loop {
            // Nobody finds a segment any more once it is out of the index; its file goes while others append and read.
            if condemned.is_empty() {
                let mut index = shared.index();
                let Some(oldest) = index.removable(below, backlog_bytes) else { break };
                index.segments.pop_front();
                index.trails.trim(oldest.number + 1);
                condemned.push_back(oldest);
            }
            // One by one: a gap in the numbers would look like damage. The ledger first: a crash in between leaves a
            // segment that nobody misses, never one that is missed. One whose removal a power cut undoes is read again,
            // and its records are applied already.
            let Some(Segment { number, bytes, .. }) = condemned.front().cloned() else { break };
            shared.note_segments(|noted| noted.oldest = number + 1)?;
            shared.disk.remove(&segment::name(number))?;
            condemned.pop_front();
            shared.disk.sync_folder()?;
            trimmed.segments += 1;
            trimmed.bytes += bytes;
        }
        drop(condemned);
        shared.spare_wanted.notify_all();
        Ok(trimmed)
    }

    /// Keeps what is there from `from` on, or from the oldest frame, until the pin is dropped.
    pub fn pin(&self, from: Lsn) -> Pinned {
        let mut index = self.shared.index();
        // What is gone cannot be kept; the pin says from where on it holds.
        let from = from.max(index.oldest().unwrap_or(from));
        *index.pins.entry(from).or_insert(0) += 1;
        Pinned { shared: Arc::clone(&self.shared), from }
    }

    /// Keeps the records of a partition from offset `from` on, until the pin is dropped; none if they are not all there.
    pub fn pin_records(&self, partition: PartitionId, from: Offset) -> Option<Pinned> {
        let mut index = self.shared.index();
        if index.trails.first(partition).is_none_or(|first| first > from) {
            return None;
        }
        let runs = index.trails.runs(partition, from);
        let place = runs.first().and_then(|run| run.place_of(from));
        // What is not there yet comes behind what is.
        let from = match place {
            Some(place) => index.first_in(place.segment)?,
            None => Lsn(self.persisted().0 + 1),
        };
        *index.pins.entry(from).or_insert(0) += 1;
        Some(Pinned { shared: Arc::clone(&self.shared), from })
    }
}
