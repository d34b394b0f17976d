//! Trails: where the records of each partition stand in the log that all partitions share.
//!
//! A trail is a sparse index in memory, rebuilt when the log is opened: one place per segment and megabyte at the most.
//! It consists of runs of records without gaps. A record at an offset that the trail has already cuts everything there
//! and behind: the partition's log was truncated, and what stood there counts no more. A record that leaves a gap begins
//! the trail anew: the partition's log has another base.

use std::collections::BTreeMap;
use std::sync::Arc;

use steward_model::{Epoch, Offset, PartitionId, Position};

/// Bytes of a segment without another place.
const SPACING_BYTES: u64 = 1 << 20;

/// The records of one partition in one append or one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The record with the lowest offset.
    pub(crate) first: Position,
    /// The record with the highest offset.
    pub(crate) last: Position,
}

/// Where a group begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Number of the segment.
    pub(crate) segment: u64,
    /// The byte of the segment at which the group begins.
    pub(crate) at: u64,
}

/// Records without a gap, in the order in which they stand in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// The epoch that it began with: what stands there of an earlier one was truncated.
    pub(crate) epoch: Epoch,
    /// The first record that is kept.
    pub(crate) first: Offset,
    /// The offset behind the last one that counts.
    pub(crate) end: Offset,
    /// In which groups records stand: the first one of each segment, and some between. Never empty.
    pub(crate) places: Arc<Vec<(Offset, Place)>>,
    /// The group of the last record.
    pub(crate) last_place: Place,
}

/// The records of one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trail {
    runs: Vec<Run>,
    last: Option<Position>,
}

impl Trail {
    fn note(&mut self, span: Span, place: Place) {
        let (first, end) = (span.first.offset, span.last.offset.next());
        let expected = self.runs.last().map(|run| run.end);
        match expected {
            Some(expected) if first == expected => self.extend(first, end, place),
            Some(expected) => {
                if first > expected {
                    self.runs.clear();
                } else {
                    self.cut(first);
                }
                self.begin(span, place);
            }
            None => self.begin(span, place),
        }
        self.last = Some(span.last);
    }

    fn begin(&mut self, span: Span, place: Place) {
        let (epoch, first, end) = (span.first.epoch, span.first.offset, span.last.offset.next());
        self.runs.push(Run { epoch, first, end, places: Arc::new(vec![(first, place)]), last_place: place });
    }

    fn extend(&mut self, first: Offset, end: Offset, place: Place) {
        let run = self.runs.last_mut().expect("there is a run: its end was just asked for");
        let is_far = run
            .places
            .last()
            .is_none_or(|(_, known)| known.segment != place.segment || place.at - known.at >= SPACING_BYTES);
        if is_far {
            Arc::make_mut(&mut run.places).push((first, place));
        }
        (run.end, run.last_place) = (end, place);
    }

    /// Forgets records from `offset` on.
    fn cut(&mut self, offset: Offset) {
        self.runs.retain(|run| run.first < offset);
        if let Some(run) = self.runs.last_mut() {
            run.end = run.end.min(offset);
            Arc::make_mut(&mut run.places).retain(|(first, _)| *first < offset);
        }
    }

    /// Forgets records in segments before `oldest`.
    fn trim(&mut self, oldest: u64) {
        for run in &mut self.runs {
            if run.places.iter().any(|(_, place)| place.segment < oldest) {
                Arc::make_mut(&mut run.places).retain(|(_, place)| place.segment >= oldest);
                run.first = run.places.first().map_or(run.end, |(first, _)| *first);
            }
        }
        self.runs.retain(|run| !run.places.is_empty());
    }
}

/// The trails of all partitions.
#[derive(Debug, Default)]
pub(crate) struct Trails(BTreeMap<PartitionId, Trail>);

impl Trails {
    /// Notes the records of one group, in their order.
    pub(crate) fn note(&mut self, spans: &[(PartitionId, Span)], place: Place) {
        for (partition, span) in spans {
            self.0.entry(*partition).or_default().note(*span, place);
        }
    }

    /// Forgets what stands in segments before `oldest`.
    pub(crate) fn trim(&mut self, oldest: u64) {
        self.0.values_mut().for_each(|trail| trail.trim(oldest));
    }

    /// Returns the first record of a partition that is kept and counts.
    pub(crate) fn first(&self, partition: PartitionId) -> Option<Offset> {
        self.0.get(&partition)?.runs.first().map(|run| run.first)
    }

    /// Returns the newest record of a partition, be it trimmed.
    pub(crate) fn last(&self, partition: PartitionId) -> Option<Position> {
        self.0.get(&partition)?.last
    }

    /// Returns the runs of a partition with records at or behind `from`.
    pub(crate) fn runs(&self, partition: PartitionId, from: Offset) -> Vec<Run> {
        let Some(trail) = self.0.get(&partition) else { return Vec::new() };
        trail.runs.iter().filter(|run| run.end > from).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(first: u64, last: u64) -> Span {
        let at = |offset| Position { epoch: Epoch::ZERO, offset: Offset(offset) };
        Span { first: at(first), last: at(last) }
    }

    fn place(segment: u64, at: u64) -> Place {
        Place { segment, at }
    }

    fn runs(trail: &Trail) -> Vec<(u64, u64)> {
        trail.runs.iter().map(|run| (run.first.0, run.end.0)).collect()
    }

    #[test]
    fn records_that_follow_one_another_are_one_run_with_few_places() {
        let mut trail = Trail::default();
        (0..100).for_each(|offset| trail.note(span(offset, offset), place(1, 4096 * (offset + 1))));
        trail.note(span(100, 105), place(2, 4096));
        assert_eq!(runs(&trail), [(0, 106)]);
        assert_eq!(trail.runs[0].places.len(), 2);
        assert_eq!(trail.runs[0].last_place, place(2, 4096));
    }

    #[test]
    fn a_truncation_cuts_what_stood_there_and_a_gap_everything() {
        let mut trail = Trail::default();
        trail.note(span(0, 9), place(1, 4096));
        trail.note(span(10, 19), place(2, 4096));
        trail.note(span(5, 7), place(2, 8192));
        assert_eq!(runs(&trail), [(0, 5), (5, 8)]);
        trail.note(span(0, 3), place(2, 12288));
        assert_eq!(runs(&trail), [(0, 4)]);
        trail.note(span(50, 51), place(2, 16384));
        assert_eq!(runs(&trail), [(50, 52)]);
    }

    #[test]
    fn trimming_forgets_what_stands_before_and_what_was_torn_off() {
        let mut trail = Trail::default();
        trail.note(span(0, 9), place(1, 4096));
        trail.note(span(10, 19), place(2, 4096));
        trail.note(span(12, 15), place(3, 4096));
        trail.trim(2);
        assert_eq!(runs(&trail), [(10, 12), (12, 16)]);
        trail.trim(3);
        assert_eq!(runs(&trail), [(12, 16)]);
        trail.trim(4);
        assert_eq!((runs(&trail), trail.last.map(|last| last.offset)), (vec![], Some(Offset(15))));
    }
}
