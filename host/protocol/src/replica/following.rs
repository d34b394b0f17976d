//! What a copy knows of the reign that it follows; the rules are in `follower`.

use steward_model::{Epoch, Member, Offset, Position};

/// What a copy has taken from the primary of one reign.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Following {
    pub(super) epoch: Epoch,
    pub(super) primary: Member,
    /// The last record that appends of this reign have proven: up to there the own log is the primary's.
    pub(super) proven: Option<Position>,
    /// The last offset that was acknowledged in this reign.
    pub(super) acknowledged: Option<Offset>,
    /// Something was accepted and is not acknowledged.
    pub(super) owes: bool,
}
