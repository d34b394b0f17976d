//! Reading the log while it is written: all frames, or the records of one partition.

use std::cmp::Ordering;
use std::ops::{ControlFlow, RangeInclusive};

use steward_model::{Lsn, Offset, PartitionId, Position};

use super::group::{self, Identity};
use super::reader::{Finding, Reader};
use super::segment::Segment;
use super::trail::{Place, Run};
use super::{Frame, Log};

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log does not hold them any more: they have to come from the state store.
    #[error("commit log holds the records of partition {partition} from {} on, not from {from}", shown(.first))]
    Trimmed {
        /// The partition that was read.
        partition: PartitionId,
        /// From where on they were wanted.
        from: Offset,
        /// From where on they are there; none: there is none.
        first: Option<Offset>,
    },
    /// The disk does not give back what was written.
    #[error("cannot read records of partition {partition} in the commit log: {source}")]
    Disk {
        /// The partition that was read.
        partition: PartitionId,
        /// What the operating system says; [`std::io::ErrorKind::InvalidData`] for damage.
        source: std::io::Error,
    },
}

fn shown(first: &Option<Offset>) -> String {
    first.map_or("nowhere".to_owned(), |first| first.to_string())
}

fn damaged(segment: &Segment, at: u64) -> std::io::Error {
    let text = format!("segment {:016x} of the commit log is damaged at byte {at}", segment.number);
    std::io::Error::new(std::io::ErrorKind::InvalidData, text)
}

/// Visits the groups of one segment that begin in `range`, up to the frame `last`, as `find` reads them.
fn visit_groups<'a>(
    (segment, identity): (&'a Segment, Identity),
    range: RangeInclusive<u64>,
    last: Lsn,
    find: impl Fn(&mut Reader<'a>, u64) -> std::io::Result<Finding>,
    mut visit: impl FnMut(Lsn, Vec<Frame>) -> ControlFlow<()>,
) -> std::io::Result<ControlFlow<()>> {
    let mut reader = Reader::new(segment, identity);
    let (mut at, mut next) = (*range.start(), Lsn(0));
    while next <= last && at <= *range.end() {
        let Finding::Group(header, frames) = find(&mut reader, at)? else { return Err(damaged(segment, at)) };
        next = Lsn(header.first_lsn.0 + u64::from(header.frames));
        if visit(header.first_lsn, frames).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        at += header.disk_bytes();
    }
    Ok(ControlFlow::Continue(()))
}

impl Run {
    /// Returns the group to begin at for the record at `from`.
    pub(crate) fn place_of(&self, from: Offset) -> Option<Place> {
        let found = self.places.iter().rev().find(|(first, _)| *first <= from).or_else(|| self.places.first());
        found.map(|(_, place)| *place)
    }

    /// Returns where to begin in each segment that holds records from `from` on.
    fn starts(&self, from: Offset) -> Vec<Place> {
        let Some(start) = self.place_of(from) else { return Vec::new() };
        let mut starts = vec![start];
        for (_, place) in self.places.iter().filter(|(_, place)| *place > start) {
            if starts.last().is_some_and(|last| last.segment != place.segment) {
                starts.push(*place);
            }
        }
        starts
    }
}

impl Log {
    /// Reads the persisted frames from `from` on, or from the oldest one, until `visit` breaks off.
    ///
    /// # Errors
    /// Those of the disk; [`std::io::ErrorKind::InvalidData`] if a frame can no longer be read.
    pub fn read(&self, from: Lsn, visit: &mut dyn FnMut(Lsn, Frame) -> ControlFlow<()>) -> std::io::Result<()> {
        let index = self.shared.index();
        let wanted = index.segments.iter().filter(|indexed| indexed.frames.is_some_and(|(_, last)| last >= from));
        let segments: Vec<_> =
            wanted.filter_map(|indexed| Some((indexed.segment.clone(), indexed.frames?.1))).collect();
        drop(index);
        for (segment, last) in segments {
            let look = |first: Lsn, frames: Vec<Frame>| {
                let frames = (first.0..).map(Lsn).zip(frames);
                frames.filter(|(lsn, _)| *lsn >= from).try_for_each(|(lsn, frame)| visit(lsn, frame))
            };
            let place = (&segment, self.shared.identity);
            if visit_groups(place, group::BLOCK_BYTES..=u64::MAX, last, Reader::find, look)?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads the persisted records of one partition from offset `from` on, in the order of their offsets and without a gap,
    /// until `visit` breaks off. Records that were truncated are left out. What other partitions wrote meanwhile is passed
    /// over, a megabyte at the most before the first record.
    ///
    /// What is read stays there only if it is [pinned](Log::pin_records), or if nobody trims.
    ///
    /// # Errors
    /// [`Error::Trimmed`] if the record at `from` is below what is kept; [`Error::Disk`]
    pub fn read_records(
        &self,
        partition: PartitionId,
        from: Offset,
        visit: &mut dyn FnMut(Position, Frame) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let index = self.shared.index();
        let first = index.trails.first(partition);
        if first.is_some_and(|first| first > from) {
            return Err(Error::Trimmed { partition, from, first });
        }
        let runs = index.trails.runs(partition, from);
        let segments: Vec<_> =
            index.segments.iter().filter_map(|indexed| Some((indexed.segment.clone(), indexed.frames?.1))).collect();
        drop(index);
        let mut next = from;
        for run in &runs {
            for start in run.starts(next) {
                let Some((segment, last)) = segments.iter().find(|(segment, _)| segment.number == start.segment) else {
                    continue;
                };
                if next >= run.end {
                    break;
                }
                let mut is_done = false;
                let through = match segment.number.cmp(&run.last_place.segment) {
                    Ordering::Less => u64::MAX,
                    Ordering::Equal => run.last_place.at,
                    Ordering::Greater => break,
                };
                let mut look = |frame: Frame| match frame.place() {
                    Some((found, position))
                        if found == partition && position.offset == next && position.epoch >= run.epoch =>
                    {
                        next = next.next();
                        is_done = visit(position, frame).is_break();
                        if is_done || next >= run.end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    }
                    Some(_) | None => ControlFlow::Continue(()),
                };
                let place = (segment, self.shared.identity);
                let records = |reader: &mut Reader<'_>, at| reader.records_of(partition, at);
                let look_at = |_, frames: Vec<Frame>| frames.into_iter().try_for_each(&mut look);
                // Why it broke off is known already.
                let _ = visit_groups(place, start.at..=through, *last, records, look_at)
                    .map_err(|source| Error::Disk { partition, source })?;
                if is_done {
                    return Ok(());
                }
            }
            if next < run.end {
                let text = format!("the record at offset {next} is not where it was written");
                let source = std::io::Error::new(std::io::ErrorKind::InvalidData, text);
                return Err(Error::Disk { partition, source });
            }
        }
        Ok(())
    }

    /// Returns the oldest frame that is kept; the next one to be appended if there is none.
    pub fn oldest(&self) -> Lsn {
        let oldest = self.shared.index().oldest();
        oldest.unwrap_or_else(|| Lsn(self.persisted().0 + 1))
    }

    /// Returns the offset of the first record of `partition` that is kept and persisted.
    pub fn first(&self, partition: PartitionId) -> Option<Offset> {
        self.shared.index().trails.first(partition)
    }

    /// Returns the newest record of `partition` that was persisted, be it trimmed since.
    pub fn last(&self, partition: PartitionId) -> Option<Position> {
        self.shared.index().trails.last(partition)
    }
}
