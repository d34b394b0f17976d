//! What a restarted node finds: the state store at some offset per partition, and the log above it.

use std::collections::HashMap;

use steward_model::update::{Entry, Record};
use steward_model::{Epoch, Lsn, Offset, PartitionId, Position, Timestamp, codec};
use steward_storage::documents::Meta;
use steward_storage::log::{Frame, FrameKind};

use super::checkpoint::Row;

/// Why the log and the state store do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A frame cannot be read although its checksum is right.
    #[error("frame {kind:?} at {lsn:?} in the commit log cannot be read: {source}")]
    Frame {
        /// What it is about.
        kind: FrameKind,
        /// Where.
        lsn: Lsn,
        /// What is wrong with it.
        source: codec::Error,
    },
    /// The state store is older than what the log still has.
    #[error(
        "partition {partition}: the state store holds updates through {applied:?}, the commit log begins at {found}: the updates \
         between them are lost on this node; restore the data folder from a backup"
    )]
    Gap {
        /// Which partition.
        partition: PartitionId,
        /// The last offset in the store.
        applied: Option<Offset>,
        /// The first offset found above it.
        found: Offset,
    },
}

/// What was found of one partition.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The highest epoch it has promised.
    pub promised: Epoch,
    /// Which epoch began at which offset.
    pub lineage: Vec<(Epoch, Offset)>,
    /// The end of its log.
    pub last: Option<Position>,
    /// Everything through here is in the state store.
    pub applied: Option<Position>,
    /// The records above that, and where they lie.
    pub tail: Vec<(Record, Lsn)>,
}

/// Collects, frame by frame, what the log says beyond the state store.
#[derive(Debug, Default)]
pub struct Recovery {
    partitions: HashMap<PartitionId, Recovered>,
    latest: Timestamp,
}

impl Recovery {
    /// Takes note of what the state store holds of a partition. Called before the log is read.
    pub fn stored(&mut self, partition: PartitionId, meta: Meta) {
        let lineage = meta.lineage;
        let promised = lineage.last().map_or(Epoch::ZERO, |(epoch, _)| *epoch);
        let recovered = Recovered { promised, lineage, last: meta.applied, applied: meta.applied, tail: Vec::new() };
        self.partitions.insert(partition, recovered);
    }

    /// Takes one frame of the log, in their order.
    ///
    /// # Errors
    /// [`Error`]: the node must not start, or it would serve less than was acknowledged.
    pub fn frame(&mut self, lsn: Lsn, frame: &Frame) -> Result<(), Error> {
        let unreadable = |source| Error::Frame { kind: frame.kind, lsn, source };
        match frame.kind {
            FrameKind::Record => self.record(lsn, frame),
            FrameKind::Promise => {
                let epoch: Epoch = codec::decode(&frame.payload).map_err(unreadable)?;
                if let Some(partition) = frame.partition {
                    self.promised(partition, epoch);
                }
                Ok(())
            }
            FrameKind::Checkpoint => {
                let rows: Vec<Row> = codec::decode(&frame.payload).map_err(unreadable)?;
                rows.iter().for_each(|row| self.promised(row.partition, row.promised));
                Ok(())
            }
            FrameKind::Vote | FrameKind::System | FrameKind::Base => Ok(()),
        }
    }

    fn promised(&mut self, partition: PartitionId, epoch: Epoch) {
        let recovered = self.partitions.entry(partition).or_default();
        recovered.promised = recovered.promised.max(epoch);
    }

    fn record(&mut self, lsn: Lsn, frame: &Frame) -> Result<(), Error> {
        let (Some(partition), Some(position)) = (frame.partition, frame.position) else { return Ok(()) };
        let recovered = self.partitions.entry(partition).or_default();
        if recovered.applied.is_some_and(|applied| position.offset <= applied.offset) {
            return Ok(());
        }
        // A record at an offset that was written before replaces everything from there on.
        while recovered.tail.last().is_some_and(|(record, _)| record.position.offset >= position.offset) {
            recovered.tail.pop();
        }
        let end = recovered.tail.last().map(|(record, _)| record.position).or(recovered.applied);
        let expected = end.map_or(Offset(0), |end| end.offset.next());
        if position.offset != expected {
            let applied = recovered.applied.map(|applied| applied.offset);
            return Err(Error::Gap { partition, applied, found: position.offset });
        }
        let record: Record =
            codec::decode(&frame.payload).map_err(|source| Error::Frame { kind: frame.kind, lsn, source })?;
        match &record.entry {
            Entry::Marker { lineage } => recovered.lineage.clone_from(lineage),
            Entry::Update(update) => self.latest = self.latest.max(update.document.updated),
            Entry::DigestMark { .. } => {}
        }
        recovered.promised = recovered.promised.max(position.epoch);
        recovered.last = Some(position);
        recovered.tail.push((record, lsn));
        Ok(())
    }

    /// Returns what was found of a partition; the empty copy if nothing was.
    pub fn take(&mut self, partition: PartitionId) -> Recovered {
        self.partitions.remove(&partition).unwrap_or_default()
    }

    /// Returns the latest time of an update in the log.
    pub fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Returns how many records have to be applied.
    pub fn records(&self) -> usize {
        self.partitions.values().map(|recovered| recovered.tail.len()).sum()
    }
}
