//! Frames on their way into the log. The log may have no room for a moment, and a step must not wait: what is refused stays
//! here, in its order, until the log says that there is room.

use std::collections::VecDeque;

use steward_model::update::Record;
use steward_model::{Epoch, Offset, PartitionId, Position, codec};
use steward_storage::log::{Frame, FrameKind, Reservation};

/// What a frame says, for what is noted once the log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Promise(Epoch),
    Record(Position),
}

/// Frames that the log has not taken yet, in the order in which the core asked for them.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pub(super) frames: VecDeque<(About, Frame, Option<Reservation>)>,
    /// Space for the record that the core is about to ask for.
    space: Option<Reservation>,
}

impl Outgoing {
    pub(super) fn promise(&mut self, partition: PartitionId, epoch: Epoch) {
        let frame = Frame::of_partition(FrameKind::Promise, partition, codec::encode(&epoch).into());
        self.frames.push_back((About::Promise(epoch), frame, None));
    }

    /// Keeps the space that was taken for the next record.
    pub(super) fn reserve(&mut self, space: Option<Reservation>) {
        self.space = space;
    }

    pub(super) fn record(&mut self, partition: PartitionId, record: &Record) {
        let frame = Frame::record(partition, record.position, codec::encode(record).into());
        // More was reserved than a record needs; should it be less, the log finds the space as it does for its own frames.
        let space = self.space.take().filter(|space| space.bytes() >= frame.encoded_bytes() as u64);
        self.frames.push_back((About::Record(record.position), frame, space));
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    /// Forgets records above `after` that the log has not taken.
    pub(super) fn truncate(&mut self, after: Option<Offset>) {
        self.frames.retain(|(about, ..)| match about {
            About::Promise(_) => true,
            About::Record(position) => Some(position.offset) <= after,
        });
    }
}
