//! Records of the own log, for members that lack them.

use std::ops::ControlFlow;
use std::sync::Arc;

use steward_model::update::Record;
use steward_model::{Offset, codec};
use steward_protocol::replica::LogRead;

use super::Partition;

impl Partition {
    /// Returns records from the one after `read.after` on, within its bounds; none if they are not here.
    ///
    /// What is not on disk yet is in memory, and what is on disk may be in memory still: one of the two has each record of the
    /// log. The core looks whether what it gets still stands in its log.
    pub(crate) fn logged(&self, read: &LogRead) -> Vec<Arc<Record>> {
        let from = read.after.map_or(Offset(0), |after| after.offset.next());
        let mut wanted = Wanted { next: from, left: read.records_max, bytes_left: read.bytes_max, records: Vec::new() };
        if !self.remembered_records(&mut wanted) {
            self.read_from_log(&mut wanted);
        }
        wanted.records
    }

    /// Takes records out of memory; returns false if the first one is not there.
    fn remembered_records(&self, wanted: &mut Wanted) -> bool {
        let state = self.lock();
        let mut is_there = false;
        for record in state.unapplied.iter().chain(state.uncommitted.iter()) {
            if record.position.offset == wanted.next {
                is_there = true;
                if !wanted.take(record.clone()) {
                    break;
                }
            }
        }
        is_there
    }

    fn read_from_log(&self, wanted: &mut Wanted) {
        let from = wanted.next;
        let read = self.shared.log.read_records(self.id, from, &mut |_, frame| match codec::decode::<Record>(
            &frame.payload,
        ) {
            Ok(record) if record.position.offset == wanted.next => match wanted.take(record) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            },
            Ok(_) | Err(_) => ControlFlow::Break(()),
        });
        // Trimmed, or the disk fails: the member is fed from elsewhere, or made anew. A disk that fails ends the node where
        // something is lost by it.
        if let Err(error) = read {
            tracing::debug!(partition = %self.id, %from, %error, "records for another member cannot be read");
        }
    }
}

/// What is still wanted.
struct Wanted {
    next: Offset,
    left: usize,
    bytes_left: usize,
    records: Vec<Arc<Record>>,
}

impl Wanted {
    /// Takes a record; returns false if that was enough.
    fn take(&mut self, record: Record) -> bool {
        self.next = record.position.offset.next();
        self.left = self.left.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub(record.bytes());
        self.records.push(Arc::new(record));
        self.left > 0 && self.bytes_left > 0
    }
}
