//! Why documents of a partition cannot be read or changed.

use steward_model::{Offset, PartitionId};

use crate::state::{self, Family};

/// Why a partition's documents cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state store does not do what it was asked.
    #[error(transparent)]
    State(#[from] state::Error),
    /// A row cannot be understood: the state store is damaged and has to be rebuilt.
    #[error("row of family {family} in partition {partition} is damaged: {reason}")]
    Damaged {
        /// The family of the row.
        family: Family,
        /// The partition whose row it is.
        partition: PartitionId,
        /// The fault of the row.
        reason: String,
    },
    /// A row of no partition cannot be understood: the state store is damaged and has to be rebuilt.
    #[error("row of family {family} is damaged: {reason}")]
    Key {
        /// The family of the row.
        family: Family,
        /// The fault of the row.
        reason: String,
    },
    /// Records between the applied position and the run are missing, because the store has lost what it held when it was opened anew.
    /// Nothing was applied. The log has them: the next start of the process applies them out of it.
    #[error(
        "partition {partition} lacks the records from offset {expected} on, the run begins at {found}: the next start finds them in the commit log"
    )]
    Gap {
        /// The partition that lacks records.
        partition: PartitionId,
        /// The offset that should come next.
        expected: Offset,
        /// The offset that came.
        found: Offset,
    },
    /// A copy that was made anew is not what the other one was. It takes nobody's place.
    #[error("partition {partition}: the copy that was made anew is not what it was taken from")]
    Differs {
        /// The partition of both.
        partition: PartitionId,
    },
}

impl Error {
    /// Returns true if the state store has to be rebuilt.
    pub fn is_damage(&self) -> bool {
        match self {
            Error::State(error) => error.is_damage(),
            Error::Damaged { .. } | Error::Key { .. } => true,
            Error::Gap { .. } | Error::Differs { .. } => false,
        }
    }

    /// Returns true if the process has to end, because nobody knows what is lasting, or because only a start reads again what the
    /// store has lost.
    pub fn is_fatal(&self) -> bool {
        match self {
            Error::State(error) => error.is_fatal(),
            Error::Gap { .. } => true,
            Error::Damaged { .. } | Error::Key { .. } | Error::Differs { .. } => false,
        }
    }
}
