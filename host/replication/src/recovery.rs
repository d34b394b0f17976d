//! What a restarted node finds: the state store at some offset per partition, and the log above it.
//!
//! The log is read once, frame by frame. A log is only ever appended to, so a truncation shows in this way: a record
//! stands at an offset at which another record stood before. It replaces everything from that offset on. Which epoch
//! began where follows from the records alone, so a reign whose marker was cut off leaves no trace.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::mutation::{self, Mutation};
use steward_model::update::{Entry, Record};
use steward_model::{Epoch, Lsn, Offset, PartitionId, Position, Timestamp, codec};
use steward_protocol::replica::{self, OpenError};
use steward_storage::documents::{self, Meta, PartitionStore};
use steward_storage::log::{self, Disk, Frame, FrameKind};

/// What a checkpoint says about one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The partition of the copy.
    pub partition: PartitionId,
    /// The highest epoch it has promised.
    pub promised: Epoch,
    /// Everything through here is durable in the state store.
    pub applied: Option<Position>,
    /// No committed update is later than this: a start sets its clock by it, though the log below is gone.
    pub latest: Timestamp,
}

impl Format for Row {
    const NAME: &'static str = "row of a checkpoint";
}

/// Why the log and the state store do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A frame cannot be read although its checksum is right.
    #[error("{kind} at {} in the commit log cannot be read: {source}", lsn.0)]
    Frame {
        /// The kind of the frame.
        kind: FrameKind,
        /// The number of the frame.
        lsn: Lsn,
        /// The fault of its payload.
        source: codec::Error,
    },
    /// The state store is older than what the log still has.
    #[error(
        "partition {partition}: the state store holds {}, the commit log begins at {found}: the updates between them are lost on this \
         node; restore the data folder from a backup", updates(.applied)
    )]
    Gap {
        /// The partition that lacks records.
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
        /// The partition that lacks records.
        partition: PartitionId,
        /// The last offset that is known.
        known: Option<Offset>,
        /// The last offset that the checkpoint names.
        through: Offset,
    },
    /// Log and state store contradict each other.
    #[error(transparent)]
    Contradiction(#[from] OpenError),
    /// The commit log cannot be opened.
    #[error(transparent)]
    Log(#[from] log::open::Error),
    /// The state store cannot be read.
    #[error(transparent)]
    Store(#[from] documents::Error),
}

fn updates(last: &Option<Offset>) -> String {
    last.map_or_else(|| "no updates".to_owned(), |last| format!("updates through {last}"))
}

/// Copies of partitions as they are on the disk, and the log that goes on with them.
pub struct Opened {
    /// The log, not started.
    pub log: log::Log,
    /// What opening it found.
    pub found: log::Recovery,
    /// What state store and log say about each partition together.
    pub recovery: Recovery,
}

/// Reads what `stores` hold of the persisted partitions, then the log beyond.
///
/// # Errors
/// [`Error`]: the node must not start, or it would serve less than was acknowledged.
pub fn open(
    stores: impl Iterator<Item = PartitionStore>,
    disk: Arc<dyn Disk>,
    options: log::Options,
) -> Result<Opened, Error> {
    let mut recovery = Recovery::default();
    for store in stores {
        recovery.stored(store.partition(), store.meta()?);
    }
    let mut replay = |lsn, frame| recovery.frame(lsn, &frame).map_err(Into::into);
    let log::Opened { log, recovery: found } = log::Log::open(disk, options, &mut replay)?;
    recovery.check()?;
    Ok(Opened { log, found, recovery })
}

/// What was found of one partition.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// What its core is opened with.
    pub core: replica::Recovered,
    /// The records above what is applied, and where they lie.
    pub tail: Vec<(Record, Lsn)>,
    /// No update is later than this.
    pub latest: Timestamp,
}

/// What is collected of one partition while the log is read.
#[derive(Debug, Default)]
struct Collected {
    recovered: Recovered,
    /// The first record that the log has.
    first: Option<Offset>,
    /// A record before which others are missing, unless a later one replaces it.
    gap: Option<Offset>,
    /// Where the copy was made anew out of another one.
    base: Option<Position>,
}

/// Collects, frame by frame, what the log says beyond the state store.
#[derive(Debug, Default)]
pub struct Recovery {
    partitions: HashMap<PartitionId, Collected>,
}

impl Collected {
    /// Cuts off everything from `offset` on, which a later frame replaces.
    fn cut(&mut self, offset: Offset) {
        self.gap = None;
        let recovered = &mut self.recovered;
        while recovered.tail.pop_if(|(record, _)| record.position.offset >= offset).is_some() {}
        recovered.core.last = recovered.tail.last().map(|(record, _)| record.position).or(recovered.core.applied);
        // Epochs that began there began with records that no longer count.
        if !mutation::is(Mutation::LineageKeptAtRecovery) {
            while recovered.core.lineage.pop_if(|(_, first)| *first >= offset).is_some() {}
        }
    }

    fn push(&mut self, record: Record, lsn: Lsn) {
        let (recovered, position) = (&mut self.recovered, record.position);
        if recovered.core.lineage.last().is_none_or(|(epoch, _)| *epoch < position.epoch) {
            recovered.core.lineage.push((position.epoch, position.offset));
        }
        recovered.core.promised = recovered.core.promised.max(position.epoch);
        recovered.core.last = Some(position);
        if let Entry::Update(update) = &record.entry {
            recovered.latest = recovered.latest.max(update.document.updated);
        }
        recovered.tail.push((record, lsn));
    }
}

impl Recovery {
    /// Takes note of what the state store holds of a partition. Called before the log is read.
    fn stored(&mut self, partition: PartitionId, meta: Meta) {
        let (lineage, base) = (meta.lineage, meta.base);
        let promised = lineage.last().map_or(Epoch::ZERO, |(epoch, _)| *epoch);
        let (last, applied) = (meta.applied, meta.applied);
        let core = replica::Recovered { promised, lineage, last, applied, ..replica::Recovered::default() };
        let latest = base.map_or(Timestamp::default(), |base| base.latest);
        let recovered = Recovered { core, latest, ..Recovered::default() };
        let base = base.map(|base| base.at);
        self.partitions.insert(partition, Collected { recovered, base, ..Collected::default() });
    }

    /// Takes one frame of the log, in their order.
    ///
    /// # Errors
    /// [`Error`]: the node must not start, or it would serve less than was acknowledged.
    fn frame(&mut self, lsn: Lsn, frame: &Frame) -> Result<(), Error> {
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
            FrameKind::Vote | FrameKind::System => Ok(()),
        }
    }

    fn promised(&mut self, partition: PartitionId, epoch: Epoch) {
        let recovered = &mut self.partitions.entry(partition).or_default().recovered;
        recovered.core.promised = recovered.core.promised.max(epoch);
    }

    /// Whatever a checkpoint calls applied was committed before, and stood before it in the log; a partition that nobody has changed
    /// since has no other witness.
    fn checkpoint(&mut self, row: &Row) -> Result<(), Error> {
        let recovered = &mut self.partitions.entry(row.partition).or_default().recovered;
        recovered.core.promised = row.promised.max(recovered.core.promised);
        recovered.latest = row.latest.max(recovered.latest);
        let known = recovered.core.last.map(|last| last.offset);
        match row.applied.map(|applied| applied.offset) {
            Some(through) if known < Some(through) => Err(Error::Missing { partition: row.partition, known, through }),
            Some(_) | None => Ok(()),
        }
    }

    fn record(&mut self, lsn: Lsn, frame: &Frame) -> Result<(), Error> {
        let (Some(partition), Some(position)) = (frame.partition, frame.position) else { return Ok(()) };
        let collected = self.partitions.entry(partition).or_default();
        // What a copy logged that was made anew since stands on another branch, or before a gap. Behind the base stands what came
        // since, and it is of that reign or a later one: a log never goes back to an earlier epoch.
        let is_of_another = |base: Position| position.offset <= base.offset || position.epoch < base.epoch;
        if collected.base.is_some_and(is_of_another) {
            return Ok(());
        }
        collected.first = Some(collected.first.map_or(position.offset, |first| first.min(position.offset)));
        let behind = |position: Option<Position>| position.map_or(Offset(0), |position| position.offset.next());
        let (unapplied, expected) = (behind(collected.recovered.core.applied), behind(collected.recovered.core.last));
        if position.offset > expected {
            // The log was trimmed in the middle of a branch. If another reign ordered something else from further up on, that
            // stands behind, and this does not count.
            collected.gap.get_or_insert(position.offset);
            return Ok(());
        }
        // What is applied was committed and is never replaced, but what stood behind it may have been.
        collected.cut(position.offset.max(unapplied));
        if position.offset < unapplied {
            return Ok(());
        }
        let record: Record =
            codec::decode(&frame.payload).map_err(|source| Error::Frame { kind: frame.kind, lsn, source })?;
        collected.push(record, lsn);
        Ok(())
    }

    /// Refuses a log in which records are missing.
    ///
    /// # Errors
    /// [`Error::Gap`]
    fn check(&self) -> Result<(), Error> {
        let gaps = self.partitions.iter().filter_map(|(id, collected)| Some((*id, collected.gap?, collected)));
        match gaps.min_by_key(|(id, ..)| *id) {
            Some((partition, found, collected)) => {
                let applied = collected.recovered.core.applied.map(|applied| applied.offset);
                Err(Error::Gap { partition, applied, found })
            }
            None => Ok(()),
        }
    }

    /// Returns what was found of a partition; the empty copy if nothing was.
    pub fn take(&mut self, partition: PartitionId) -> Recovered {
        let Collected { mut recovered, first, .. } = self.partitions.remove(&partition).unwrap_or_default();
        if mutation::is(Mutation::TailDropped) {
            recovered.tail.pop();
            recovered.core.last = recovered.tail.last().map(|(record, _)| record.position).or(recovered.core.applied);
            let last = recovered.core.last.map(|last| last.offset);
            recovered.core.lineage.retain(|(_, first)| last.is_some_and(|last| *first <= last));
        }
        let behind_end = recovered.core.last.map_or(Offset(0), |last| last.offset.next());
        recovered.core.start = first.unwrap_or(behind_end);
        recovered
    }

    /// Returns the latest time of an update, be it in the log still or not.
    pub fn latest(&self) -> Timestamp {
        self.partitions.values().map(|collected| collected.recovered.latest).max().unwrap_or_default()
    }

    /// Returns how many records have to be applied.
    pub fn records(&self) -> usize {
        self.partitions.values().map(|collected| collected.recovered.tail.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use steward_model::Lane;

    use super::*;

    const PARTITION: PartitionId =
        PartitionId { selector: steward_model::partition::SelectorId(0), lane: Lane::Persisted, index: 7 };

    fn epoch(ownership: u32) -> Epoch {
        Epoch { ownership, ..Epoch::ZERO }
    }

    fn at(ownership: u32, offset: u64) -> Position {
        Position { epoch: epoch(ownership), offset: Offset(offset) }
    }

    fn checkpoint(through: u64) -> Frame {
        let rows =
            vec![Row { partition: PARTITION, promised: epoch(1), applied: Some(at(1, through)), latest: Timestamp(9) }];
        Frame { partition: None, position: None, kind: FrameKind::Checkpoint, payload: codec::encode(&rows).into() }
    }

    fn marker(position: Position) -> Frame {
        let record = Record { position, previous: epoch(1), entry: Entry::Marker };
        Frame::record(PARTITION, record.position, codec::encode(&record).into())
    }

    fn read(frames: &[Frame]) -> Result<Recovered, Error> {
        let mut recovery = Recovery::default();
        for (lsn, frame) in (1..).map(Lsn).zip(frames) {
            recovery.frame(lsn, frame)?;
        }
        recovery.check()?;
        Ok(recovery.take(PARTITION))
    }

    #[test]
    fn a_state_store_that_lost_what_a_checkpoint_names_is_noticed_without_a_record() {
        let missing = read(&[checkpoint(4)]);
        assert!(matches!(missing, Err(Error::Missing { known: None, through: Offset(4), .. })), "{missing:?}");
    }

    #[test]
    fn a_state_store_that_is_made_anew_out_of_the_whole_log_is_no_loss() {
        let frames = [marker(at(1, 0)), marker(at(1, 1)), marker(at(1, 2)), checkpoint(2)];
        assert_eq!(read(&frames).expect("everything is there").core.last, Some(at(1, 2)));
    }

    #[test]
    fn a_reign_whose_marker_was_replaced_leaves_no_trace() {
        // The marker of reign 5 was never committed; the next primary goes on with records of reign 4, and the node crashes
        // before the marker of its own reign arrives.
        let frames = [
            marker(at(3, 0)),
            marker(at(5, 1)),
            marker(at(5, 2)),
            marker(at(4, 1)),
            marker(at(4, 2)),
            marker(at(4, 3)),
        ];
        let recovered = read(&frames).expect("a log that was cut and went on");
        assert_eq!(recovered.core.lineage, [(epoch(3), Offset(0)), (epoch(4), Offset(1))]);
        assert_eq!((recovered.core.last, recovered.tail.len()), (Some(at(4, 3)), 4));
        assert_eq!(recovered.core.promised, epoch(5), "what was promised stays promised");
    }

    #[test]
    fn the_log_begins_where_its_first_record_stands() {
        let mut recovery = Recovery::default();
        let meta = |applied| Meta {
            applied: Some(applied),
            lineage: vec![(epoch(1), Offset(0))],
            delta_floor: Offset(0),
            buckets: Default::default(),
            base: None,
        };
        recovery.stored(PARTITION, meta(at(1, 5)));
        (4..8).for_each(|offset| {
            recovery.frame(Lsn(offset), &marker(at(1, offset))).expect("it follows");
        });
        let recovered = recovery.take(PARTITION);
        assert_eq!((recovered.core.start, recovered.tail.len()), (Offset(4), 2));
        recovery.stored(PARTITION, meta(at(1, 5)));
        assert_eq!(recovery.take(PARTITION).core.start, Offset(6), "nothing is left of the log");
    }

    #[test]
    fn records_that_are_missing_in_between_are_noticed() {
        let gap = read(&[marker(at(1, 0)), marker(at(1, 2))]);
        assert!(matches!(gap, Err(Error::Gap { applied: None, found: Offset(2), .. })), "{gap:?}");
    }

    fn stored(applied: Position) -> Meta {
        let lineage = vec![(epoch(1), Offset(0)), (applied.epoch, applied.offset)];
        Meta { applied: Some(applied), lineage, delta_floor: Offset(0), buckets: Default::default(), base: None }
    }

    #[test]
    fn what_stood_behind_an_applied_record_and_was_replaced_with_it_does_not_count() {
        // Reign 1 ordered through 7, reign 2 something else from 5 on, of which the store holds all there is.
        let mut recovery = Recovery::default();
        recovery.stored(PARTITION, stored(at(2, 5)));
        let frames = [at(1, 4), at(1, 5), at(1, 6), at(1, 7), at(2, 5)].map(marker);
        for (lsn, frame) in (1..).map(Lsn).zip(&frames) {
            recovery.frame(lsn, frame).expect("a log that was cut and went on");
        }
        recovery.check().expect("nothing is missing");
        let recovered = recovery.take(PARTITION);
        assert_eq!((recovered.core.last, recovered.tail.len()), (Some(at(2, 5)), 0));
        assert_eq!(recovered.core.lineage, [(epoch(1), Offset(0)), (epoch(2), Offset(5))]);
    }

    #[test]
    fn the_rest_of_a_trimmed_branch_that_was_replaced_is_no_gap() {
        let mut recovery = Recovery::default();
        recovery.stored(PARTITION, Meta { lineage: vec![(epoch(1), Offset(0))], ..stored(at(1, 4)) });
        for (lsn, frame) in (1..).map(Lsn).zip([at(1, 7), at(1, 8), at(2, 5), at(2, 6)].map(marker)) {
            recovery.frame(lsn, &frame).expect("a log that was cut and went on");
        }
        recovery.check().expect("nothing is missing");
        let recovered = recovery.take(PARTITION);
        assert_eq!((recovered.core.last, recovered.tail.len()), (Some(at(2, 6)), 2));
    }

    #[test]
    fn of_a_copy_that_was_made_anew_the_log_begins_behind_its_base() {
        // The copy that was here before logged through 7 in reign 1; another one, of reign 3, was taken at 4.
        let base = Some(documents::Base { at: at(3, 4), latest: Timestamp(9) });
        let mut recovery = Recovery::default();
        recovery.stored(PARTITION, Meta { base, ..stored(at(3, 4)) });
        for (lsn, frame) in (1..).map(Lsn).zip([at(1, 2), at(1, 3), at(1, 4), at(1, 5), at(1, 6), at(1, 7)].map(marker))
        {
            recovery.frame(lsn, &frame).expect("it is passed over");
        }
        recovery.frame(Lsn(7), &marker(at(3, 5))).expect("it follows");
        recovery.check().expect("nothing is missing");
        let recovered = recovery.take(PARTITION);
        assert_eq!((recovered.core.last, recovered.core.start), (Some(at(3, 5)), Offset(5)));
        assert_eq!((recovered.tail.len(), recovered.latest), (1, Timestamp(9)));
        assert_eq!(recovered.core.promised, epoch(3));
    }
}
