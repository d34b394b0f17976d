//! How new the answer to a read has to be, and what an answer that need not be the newest says of itself.

use serde::{Deserialize, Serialize};
use steward_model::Position;

/// How new the answer to a read has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Freshness {
    /// It shows everything that was acknowledged before the read came.
    #[default]
    Newest,
    /// It shows what some copy has that counts, whichever is nearest.
    Copy {
        /// But everything through this position of the log of its partition.
        at_least: Option<Position>,
    },
}

/// The copy that has answered a read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copied {
    /// The name of its node.
    pub node: String,
    /// It showed every update through this position.
    pub position: Position,
}

/// Returns a position as clients write it: `<epoch>-<offset>`.
pub(crate) fn tag_of(position: Position) -> String {
    format!("{}-{}", position.epoch.as_u64(), position.offset)
}
