//! The newest records of a reign, in memory, for the copies that lack them.
//!
//! Bounded by bytes: a node has hundreds of partitions, and a member that is away must not fill its memory. What fell out is
//! read from the log.

use std::collections::VecDeque;
use std::sync::Arc;

use steward_model::Offset;
use steward_model::update::Record;

/// The newest records, without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Tail {
    records: VecDeque<Arc<Record>>,
    bytes: usize,
}

impl Tail {
    /// Takes a record, and drops the oldest beyond `bytes_max`; the newest always stays.
    pub(super) fn push(&mut self, record: Arc<Record>, bytes_max: usize) {
        self.bytes += record.bytes();
        self.records.push_back(record);
        while self.bytes > bytes_max && self.records.len() > 1 {
            self.pop();
        }
    }

    /// Drops what nobody lacks any more.
    pub(super) fn release(&mut self, through: Option<Offset>) {
        while self.records.front().is_some_and(|record| Some(record.position.offset) <= through) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(record) = self.records.pop_front() {
            self.bytes -= record.bytes();
        }
    }

    /// Returns records from `from` on, at most `records_max`, and none after `bytes_max` are reached; nothing if the first
    /// of them is not here.
    pub(super) fn run(&self, from: Offset, records_max: usize, bytes_max: usize) -> Option<Vec<Arc<Record>>> {
        let first = self.records.front()?.position.offset;
        let skipped = from.0.checked_sub(first.0)?;
        let mut bytes = 0;
        let rest = self.records.iter().skip(usize::try_from(skipped).ok()?).take(records_max);
        let mut run = Vec::new();
        for record in rest {
            if bytes >= bytes_max {
                break;
            }
            bytes += record.bytes();
            run.push(Arc::clone(record));
        }
        (!run.is_empty()).then_some(run)
    }
}

#[cfg(test)]
mod tests {
    use steward_model::update::Entry;
    use steward_model::{Epoch, Position};

    use super::*;

    fn tail(offsets: std::ops::Range<u64>, bytes_max: usize) -> Tail {
        let mut tail = Tail::default();
        for offset in offsets {
            let position = Position { epoch: Epoch::ZERO, offset: Offset(offset) };
            tail.push(Arc::new(Record { position, previous: Epoch::ZERO, entry: Entry::Marker }), bytes_max);
        }
        tail
    }

    fn offsets(run: Option<Vec<Arc<Record>>>) -> Option<Vec<u64>> {
        run.map(|run| run.iter().map(|record| record.position.offset.0).collect())
    }

    #[test]
    fn a_run_is_bounded_by_records_and_bytes_and_has_at_least_one() {
        let tail = tail(3..9, usize::MAX);
        assert_eq!(offsets(tail.run(Offset(4), 2, usize::MAX)), Some(vec![4, 5]));
        assert_eq!(offsets(tail.run(Offset(4), 9, 65)), Some(vec![4, 5]));
        assert_eq!(offsets(tail.run(Offset(4), 9, 1)), Some(vec![4]));
    }

    #[test]
    fn what_fell_out_or_is_not_there_yet_is_not_found() {
        let mut tail = tail(3..9, 128);
        assert_eq!(offsets(tail.run(Offset(6), 9, usize::MAX)), None);
        assert_eq!(offsets(tail.run(Offset(7), 9, usize::MAX)), Some(vec![7, 8]));
        assert_eq!(offsets(tail.run(Offset(9), 9, usize::MAX)), None);
        tail.release(Some(Offset(7)));
        assert_eq!(offsets(tail.run(Offset(7), 9, usize::MAX)), None);
    }
}
