//! What a restarted node finds: the state store at some offset per partition, and the log above it.

use std::collections::HashMap;

use steward_model::update::{Entry, Record};
use steward_model::{Epoch, Lsn, Offset, PartitionId, Position, Timestamp, codec};
use steward_protocol::replica::OpenError;
use steward_storage::documents::{self, Meta};
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
        "partition {partition}: the state store holds {}, the commit log begins at {found}: the updates between them are lost on this \
         node; restore the data folder from a backup", updates(.applied)
    )]
    Gap {
        /// Which partition.
        partition: PartitionId,
        /// The last offset in the store.
        applied: Option<Offset>,
        /// The first offset found above it.
        found: Offset,
    },
    /// The state store holds less than it held when a checkpoint was made, and the log no longer has the rest.
    #[error(
        "partition {partition}: state store and commit log hold {}, a checkpoint names updates through {through}: what is missing is \
         lost on this node; restore the data folder from a backup", updates(.known)
    )]
    Missing {
        /// Which partition.
        partition: PartitionId,
        /// The last offset that is known.
        known: Option<Offset>,
        /// The last offset that the checkpoint names.
        through: Offset,
    },
    /// Log and state store contradict each other.
    #[error(transparent)]
    Contradiction(#[from] OpenError),
    /// The state store cannot be read.
    #[error(transparent)]
    Store(#[from] documents::Error),
}

fn updates(last: &Option<Offset>) -> String {
    last.map_or_else(|| "no updates".to_owned(), |last| format!("updates through {last}"))
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
                rows.iter().try_for_each(|row| self.checkpoint(row))
            }
            FrameKind::Vote | FrameKind::System | FrameKind::Base => Ok(()),
        }
    }

    fn promised(&mut self, partition: PartitionId, epoch: Epoch) {
        let recovered = self.partitions.entry(partition).or_default();
        recovered.promised = recovered.promised.max(epoch);
    }

    /// Whatever a checkpoint calls applied was committed before, and stood before it in the log; a partition that nobody has changed
    /// since has no other witness.
    fn checkpoint(&mut self, row: &Row) -> Result<(), Error> {
        self.promised(row.partition, row.promised);
        let known = self.partitions.get(&row.partition).and_then(|recovered| recovered.last).map(|last| last.offset);
        match row.applied.map(|applied| applied.offset) {
            Some(through) if known < Some(through) => Err(Error::Missing { partition: row.partition, known, through }),
            Some(_) | None => Ok(()),
        }
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
            Entry::Update(update) => self.latest = self.latest.max(update.document.updated),
            Entry::Marker | Entry::Forget { .. } => {}
        }
        if recovered.lineage.last().is_none_or(|(epoch, _)| *epoch < position.epoch) {
            recovered.lineage.push((position.epoch, position.offset));
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

#[cfg(test)]
mod tests {
    use steward_model::Lane;

    use super::*;

    const PARTITION: PartitionId =
        PartitionId { selector: steward_model::partition::SelectorId(0), lane: Lane::Persisted, index: 7 };

    fn at(offset: u64) -> Position {
        Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(offset) }
    }

    fn checkpoint(through: u64) -> Frame {
        let rows = vec![Row { partition: PARTITION, promised: at(0).epoch, applied: Some(at(through)) }];
        Frame { partition: None, position: None, kind: FrameKind::Checkpoint, payload: codec::encode(&rows).into() }
    }

    fn marker(offset: u64) -> Frame {
        let record = Record { position: at(offset), previous: at(0).epoch, entry: Entry::Marker };
        Frame::record(PARTITION, record.position, codec::encode(&record).into())
    }

    #[test]
    fn a_state_store_that_lost_what_a_checkpoint_names_is_noticed_without_a_record() {
        let missing = Recovery::default().frame(Lsn(9), &checkpoint(4));
        assert!(matches!(missing, Err(Error::Missing { known: None, through: Offset(4), .. })), "{missing:?}");
    }

    #[test]
    fn a_state_store_that_is_made_anew_out_of_the_whole_log_is_no_loss() {
        let mut recovery = Recovery::default();
        (0..3).for_each(|offset| recovery.frame(Lsn(offset + 1), &marker(offset)).expect("a record in its place"));
        recovery.frame(Lsn(4), &checkpoint(2)).expect("everything is there");
        assert_eq!(recovery.take(PARTITION).last, Some(at(2)));
    }
}
