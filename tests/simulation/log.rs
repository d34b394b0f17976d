//! The commit log of a world's node: the real one, on a disk that fails, and the truth about what of it is durable.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use steward_model::codec::{self, Format};
use steward_model::update::Record;
use steward_model::{Epoch, Lsn, Moment, Offset, PartitionId, Position};
use steward_protocol::replica::Recovered;
use steward_storage::log::{self, FaultyDisk, Frame, FrameKind, Listener, Options};

use crate::node::Mutation;

/// Small segments, so that worlds of a few hundred steps fill and trim several.
const SEGMENT_BYTES: u64 = 64 << 10;

/// Something that has become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// A promise.
    Promise(PartitionId, Epoch),
    /// All records up to this one.
    Records(PartitionId, Position),
}

impl Report {
    pub(crate) fn partition(self) -> PartitionId {
        match self {
            Report::Promise(partition, _) | Report::Records(partition, _) => partition,
        }
    }
}

/// What is durable of one partition, whether or not the replica was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Durable {
    pub(crate) promised: Epoch,
    pub(crate) end: Option<Position>,
}

/// What a checkpoint says of one partition, so that everything before may be trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) promised: Epoch,
    pub(crate) lineage: Vec<(Epoch, Offset)>,
    pub(crate) end: Option<Position>,
    pub(crate) applied: Option<Position>,
}

#[derive(Serialize, Deserialize)]
struct Row(PartitionId, Summary);

impl Format for Row {
    const NAME: &'static str = "row of a checkpoint";
}

/// What a restart finds in the log of one partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Found {
    summary: Summary,
    pub(crate) records: Vec<Record>,
}

impl Found {
    pub(crate) fn promised(&self) -> Epoch {
        self.summary.promised
    }

    pub(crate) fn end(&self) -> Option<Position> {
        self.records.last().map(|record| record.position).max(self.summary.end)
    }

    /// Returns what a replica opens with, besides what the state store has applied.
    pub(crate) fn recovered(&self, applied: Option<Position>) -> Recovered {
        let mut lineage = self.summary.lineage.clone();
        for record in &self.records {
            if lineage.last().is_none_or(|(epoch, _)| *epoch < record.position.epoch) {
                lineage.push((record.position.epoch, record.position.offset));
            }
        }
        let end = self.end();
        let start = self.records.first().map(|record| record.position.offset);
        let beyond_end = end.map_or(Offset(0), |end| end.offset.next());
        Recovered { promised: self.promised(), lineage, start: start.unwrap_or(beyond_end), last: end, applied }
    }
}

/// A checkpoint on its way to the disk.
struct Checkpoint {
    lsn: Lsn,
    applied: BTreeMap<PartitionId, Position>,
}

/// See the head of this module.
pub(crate) struct Log {
    disk: FaultyDisk,
    log: Option<log::Log>,
    durable: BTreeMap<PartitionId, Durable>,
    /// Promises that are on their way to the disk.
    promises: VecDeque<(Lsn, PartitionId, Epoch)>,
    checkpoint: Option<Checkpoint>,
    /// Durable already, because the log was full and had to be written at once.
    early: Vec<Report>,
    pub(crate) trimmed_segments: usize,
    pub(crate) torn_ends: usize,
}

/// A group that was made durable: its last frame, and the last record of each partition in it.
type Group = (Lsn, Vec<(PartitionId, Position)>);

/// Takes down what the log says, group by group.
#[derive(Default)]
struct Ears(Mutex<Vec<Group>>);

impl Listener for Ears {
    fn persisted(&self, through: Lsn, ends: &[(PartitionId, Position)]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((through, ends.to_vec()));
    }

    fn failed(&self, _: &log::writer::Error) {
        // The world cuts the power next.
    }
}

impl Log {
    pub(crate) fn new(seed: u64) -> Log {
        Log {
            disk: FaultyDisk::new(seed),
            log: None,
            durable: BTreeMap::new(),
            promises: VecDeque::new(),
            checkpoint: None,
            early: Vec::new(),
            trimmed_segments: 0,
            torn_ends: 0,
        }
    }

    pub(crate) fn durable(&self, partition: PartitionId) -> Durable {
        self.durable.get(&partition).copied().unwrap_or_default()
    }

    pub(crate) fn append_promise(&mut self, partition: PartitionId, epoch: Epoch) -> Result<()> {
        let frame = Frame::of_partition(FrameKind::Promise, partition, codec::encode(&epoch).into());
        let lsn = self.append(frame)?;
        self.promises.push_back((lsn, partition, epoch));
        Ok(())
    }

    pub(crate) fn append_record(&mut self, partition: PartitionId, record: &Record) -> Result<()> {
        let payload = codec::encode(record).into();
        self.append(Frame::record(partition, record.position, payload)).map(drop)
    }

    /// Appends a checkpoint: the state stores hold, for good, what their summaries say.
    pub(crate) fn append_checkpoint(&mut self, summaries: &BTreeMap<PartitionId, Summary>) -> Result<()> {
        let entries: Vec<_> = summaries.iter().map(|(partition, summary)| Row(*partition, summary.clone())).collect();
        let lsn = self.append(Frame::of_node(FrameKind::Checkpoint, codec::encode(&entries).into()))?;
        let applied = summaries.iter().filter_map(|(partition, summary)| Some((*partition, summary.applied?)));
        self.checkpoint = Some(Checkpoint { lsn, applied: applied.collect() });
        Ok(())
    }

    fn append(&mut self, frame: Frame) -> Result<Lsn> {
        let frames = [frame];
        match self.running()?.append(&frames) {
            Ok(lsn) => Ok(lsn),
            Err(log::append::Error::Busy { .. }) => {
                let reports = self.sync()?;
                self.early.extend(reports);
                Ok(self.running()?.append(&frames)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn running(&self) -> Result<&log::Log> {
        self.log.as_ref().context("the log is not open")
    }

    /// Makes everything appended so far durable and returns what that was.
    pub(crate) fn sync(&mut self) -> Result<Vec<Report>> {
        let ears = Ears::default();
        self.running()?.drive(&ears)?;
        let mut reports = std::mem::take(&mut self.early);
        for (through, ends) in ears.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            while let Some((_, partition, epoch)) = self.promises.pop_front_if(|(lsn, ..)| *lsn <= through) {
                self.durable.entry(partition).or_default().promised = epoch;
                reports.push(Report::Promise(partition, epoch));
            }
            for (partition, end) in ends {
                self.durable.entry(partition).or_default().end = Some(end);
                reports.push(Report::Records(partition, end));
            }
            self.trim(through)?;
        }
        Ok(reports)
    }

    /// Trims what a checkpoint that has become durable releases.
    fn trim(&mut self, through: Lsn) -> Result<()> {
        let Some(checkpoint) = self.checkpoint.take_if(|checkpoint| checkpoint.lsn <= through) else {
            return Ok(());
        };
        let is_released = |partition: PartitionId, position: Position| {
            checkpoint.applied.get(&partition).is_some_and(|applied| position.offset <= applied.offset)
        };
        let log = self.running()?;
        let below = log.releasable(&is_released).min(checkpoint.lsn);
        self.trimmed_segments += log.trim(below)?.segments;
        Ok(())
    }

    /// Cuts the power, if asked for between a write and its sync.
    pub(crate) fn crash(&mut self, is_during_sync: bool) {
        if let Some(log) = self.log.take().filter(|_| is_during_sync) {
            self.disk.fail_syncs(1);
            // It fails, which is the point.
            let _ = log.drive(&Ears::default());
        }
        self.disk.fail_syncs(0);
        self.disk.crash();
        self.promises.clear();
        self.early.clear();
        self.checkpoint = None;
    }

    /// Opens the log again and returns what it holds; that is durable from now on.
    pub(crate) fn recover(&mut self, mutation: Option<Mutation>) -> Result<BTreeMap<PartitionId, Found>> {
        let mut found: BTreeMap<PartitionId, Found> = BTreeMap::new();
        let options = Options { segment_bytes: SEGMENT_BYTES, identity: 7, clock: Moment::default, ledger: None };
        let mut failure = None;
        let opened = log::Log::open(Arc::new(self.disk.clone()), options, &mut |_, frame| {
            if let Err(error) = replay(&mut found, &frame) {
                failure.get_or_insert(error);
            }
            Ok(())
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        self.log = Some(opened.log);
        self.torn_ends += usize::from(opened.recovery.cut_bytes > 0);
        for (partition, found) in &mut found {
            match mutation {
                Some(Mutation::TailDropped) => drop(found.records.pop()),
                Some(Mutation::PromiseForgotten) => found.summary.promised = Epoch::ZERO,
                Some(_) | None => {
                    let durable = self.durable.entry(*partition).or_default();
                    durable.promised = durable.promised.max(found.summary.promised);
                    durable.end = durable.end.max(found.end());
                }
            }
        }
        Ok(found)
    }
}

fn replay(found: &mut BTreeMap<PartitionId, Found>, frame: &Frame) -> Result<()> {
    match (frame.kind, frame.partition) {
        (FrameKind::Record, Some(partition)) => {
            found.entry(partition).or_default().records.push(codec::decode(&frame.payload)?);
        }
        (FrameKind::Promise, Some(partition)) => {
            let epoch: Epoch = codec::decode(&frame.payload)?;
            let summary = &mut found.entry(partition).or_default().summary;
            summary.promised = summary.promised.max(epoch);
        }
        (FrameKind::Checkpoint, None) => {
            for Row(partition, summary) in codec::decode::<Vec<Row>>(&frame.payload)? {
                let found = found.entry(partition).or_default();
                let promised = found.summary.promised.max(summary.promised);
                found.summary = Summary { promised, ..summary };
            }
        }
        (kind, partition) => return Err(anyhow!("the log has a frame {kind:?} about {partition:?}")),
    }
    Ok(())
}
