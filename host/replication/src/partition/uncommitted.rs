//! The records of one copy that are appended and not known to be committed, and their bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use steward_model::Offset;
use steward_model::update::Record;

use crate::uncommitted::UncommittedBytes;

/// A record, and about its bytes in memory.
struct Appended {
    record: Record,
    bytes: u64,
}

/// Records by offset, the lowest in front. They are counted for the node as long as they are here.
pub(super) struct Uncommitted {
    records: VecDeque<Appended>,
    of_node: Arc<UncommittedBytes>,
}

impl Uncommitted {
    pub(super) fn new(of_node: Arc<UncommittedBytes>) -> Uncommitted {
        Uncommitted { records: VecDeque::new(), of_node }
    }

    pub(super) fn push(&mut self, record: Record) {
        let bytes = record.bytes() as u64;
        self.of_node.add(bytes);
        self.records.push_back(Appended { record, bytes });
    }

    /// Returns the first record and its bytes, if it stands at `through` or below, and takes it.
    pub(super) fn pop_through(&mut self, through: Offset) -> Option<(Record, u64)> {
        let Appended { record, bytes } = self.records.pop_front_if(|next| next.record.position.offset <= through)?;
        self.of_node.remove(bytes);
        Some((record, bytes))
    }

    /// Forgets what stands above `keep`, and returns how many records that were.
    pub(super) fn truncate(&mut self, keep: Option<Offset>) -> usize {
        let mut cut = 0;
        while let Some(last) = self.records.pop_back_if(|last| Some(last.record.position.offset) > keep) {
            self.of_node.remove(last.bytes);
            cut += 1;
        }
        cut
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().map(|appended| &appended.record)
    }
}
