//! The segment index: which segments hold which frames, and which segments are still needed.

use std::collections::{BTreeMap, VecDeque};

use steward_model::{Lsn, PartitionId};

use super::segment::Segment;
use super::trail::{Place, Span, Trails};

/// One segment and what it holds.
pub(crate) struct Indexed {
    /// The segment, with its open file.
    pub(crate) segment: Segment,
    /// Its first and last frame; none as long as it is empty.
    pub(crate) frames: Option<(Lsn, Lsn)>,
}

impl Indexed {
    /// Returns an empty segment.
    pub(crate) fn empty(segment: Segment) -> Indexed {
        Indexed { segment, frames: None }
    }

    /// Notes frames that were written.
    fn note(&mut self, first: Lsn, last: Lsn) {
        let first = self.frames.map_or(first, |(earliest, _)| earliest);
        self.frames = Some((first, last));
    }
}

/// All segments with frames and the one being written, oldest first.
#[derive(Default)]
pub(crate) struct SegmentIndex {
    /// Oldest first; the newest is the one being written.
    pub(crate) segments: VecDeque<Indexed>,
    /// Where the records of each partition stand.
    pub(crate) trails: Trails,
    /// Frames that are kept because somebody reads from there on, and how many do.
    pub(crate) pins: BTreeMap<Lsn, usize>,
}

impl SegmentIndex {
    /// Returns the oldest frame that is kept; none if there is no frame.
    pub(crate) fn oldest(&self) -> Option<Lsn> {
        self.segments.iter().find_map(|indexed| indexed.frames).map(|(first, _)| first)
    }

    /// Notes a group that was written at `at` of the newest segment.
    pub(crate) fn note(&mut self, first: Lsn, last: Lsn, spans: &[(PartitionId, Span)], at: u64) {
        if let Some(indexed) = self.segments.back_mut() {
            indexed.note(first, last);
            self.trails.note(spans, Place { segment: indexed.segment.number, at });
        }
    }

    /// Returns the first frame of a segment; none if it has none, or is not there.
    pub(crate) fn first_in(&self, segment: u64) -> Option<Lsn> {
        let indexed = self.segments.iter().find(|indexed| indexed.segment.number == segment)?;
        indexed.frames.map(|(first, _)| first)
    }

    /// Returns how many bytes the segments take.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|indexed| indexed.segment.bytes).sum()
    }

    /// Returns the oldest segment if it holds nothing at or above `below` or that is pinned, and the others take
    /// `backlog_bytes` without it. The newest one with frames always stays, because it tells how far the numbers have come.
    pub(crate) fn removable(&self, below: Lsn, backlog_bytes: u64) -> Option<Segment> {
        let pinned = self.pins.keys().next().copied().unwrap_or(Lsn(u64::MAX));
        let newest = self.segments.iter().rposition(|indexed| indexed.frames.is_some()).unwrap_or(0);
        let oldest = self.segments.front().filter(|_| newest > 0)?;
        let is_old = oldest.frames.is_some_and(|(_, last)| last < below.min(pinned));
        let is_excess = self.bytes() - oldest.segment.bytes >= backlog_bytes;
        (is_old && is_excess).then(|| oldest.segment.clone())
    }
}
