//! The reads of one reign that wait to be confirmed, and the question under way; how they are settled is in `confirm`.

use std::collections::BTreeMap;

use steward_model::{Boot, Moment, NodeId};

/// The reads of one reign.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Reads {
    /// The last read that waits, or was confirmed.
    pub(super) asked: u64,
    /// The last read that was confirmed.
    pub(super) confirmed: u64,
    /// The number of the last question.
    pub(super) rounds: u64,
    pub(super) round: Option<Round>,
}

/// A question under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Round {
    pub(super) number: u64,
    /// The last read that came before it was asked.
    pub(super) covers: u64,
    pub(super) answers: BTreeMap<NodeId, Boot>,
    pub(super) asked_at: Moment,
    pub(super) again: Moment,
}

impl Reads {
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.round.as_ref().map(|round| round.again)
    }

    /// Returns the last read that waits.
    pub(super) fn waiting(&self) -> Option<u64> {
        (self.asked > self.confirmed).then_some(self.asked)
    }
}
