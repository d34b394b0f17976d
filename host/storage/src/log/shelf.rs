//! The shelf: which segments hold which frames, and which of them somebody needs.

use std::collections::{BTreeMap, VecDeque};

use steward_model::{Lsn, PartitionId};

use super::segment::Segment;
use super::trail::{Place, Span, Trails};

/// One segment and what it holds.
pub(crate) struct Volume {
    /// The file.
    pub(crate) segment: Segment,
    /// Its first and last frame; none as long as it is empty.
    pub(crate) frames: Option<(Lsn, Lsn)>,
}

impl Volume {
    /// Returns the volume of an empty segment.
    pub(crate) fn empty(segment: Segment) -> Volume {
        Volume { segment, frames: None }
    }

    /// Notes frames that were written.
    fn note(&mut self, first: Lsn, last: Lsn) {
        let first = self.frames.map_or(first, |(earliest, _)| earliest);
        self.frames = Some((first, last));
    }
}

/// All segments with frames and the one being written, oldest first.
#[derive(Default)]
pub(crate) struct Shelf {
    /// The volumes.
    pub(crate) volumes: VecDeque<Volume>,
    /// Where the records of each partition stand.
    pub(crate) trails: Trails,
    /// Frames that are kept because somebody reads from there on, and how many do.
    pub(crate) pins: BTreeMap<Lsn, usize>,
}

impl Shelf {
    /// Returns the oldest frame that is kept; none if there is no frame.
    pub(crate) fn oldest(&self) -> Option<Lsn> {
        self.volumes.iter().find_map(|volume| volume.frames).map(|(first, _)| first)
    }

    /// Notes a group that was written at `at` of the newest segment.
    pub(crate) fn note(&mut self, first: Lsn, last: Lsn, spans: &[(PartitionId, Span)], at: u64) {
        if let Some(volume) = self.volumes.back_mut() {
            volume.note(first, last);
            self.trails.note(spans, Place { segment: volume.segment.number, at });
        }
    }

    /// Returns the first frame of a segment; none if it has none, or is not there.
    pub(crate) fn first_in(&self, segment: u64) -> Option<Lsn> {
        let volume = self.volumes.iter().find(|volume| volume.segment.number == segment)?;
        volume.frames.map(|(first, _)| first)
    }

    /// Returns how many bytes the segments take.
    pub(crate) fn bytes(&self) -> u64 {
        self.volumes.iter().map(|volume| volume.segment.bytes).sum()
    }

    /// Returns the oldest segment if it holds nothing at or above `below` or that is pinned, and the others take
    /// `backlog_bytes` without it. The newest one with frames always stays, because it tells how far the numbers have come.
    pub(crate) fn removable(&self, below: Lsn, backlog_bytes: u64) -> Option<Segment> {
        let pinned = self.pins.keys().next().copied().unwrap_or(Lsn(u64::MAX));
        let newest = self.volumes.iter().rposition(|volume| volume.frames.is_some()).unwrap_or(0);
        let oldest = self.volumes.front().filter(|_| newest > 0)?;
        let is_old = oldest.frames.is_some_and(|(_, last)| last < below.min(pinned));
        let is_excess = self.bytes() - oldest.segment.bytes >= backlog_bytes;
        (is_old && is_excess).then(|| oldest.segment.clone())
    }
}
