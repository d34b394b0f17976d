//! Places in logs: an [`Offset`] in the log of one partition, an [`Lsn`] in the commit log that all partitions share.

use serde::{Deserialize, Serialize};

use crate::epoch::Epoch;

/// A place in a partition log: updates are counted from 0, without gaps, across epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Offset(pub u64);

impl Offset {
    /// Returns the place after this one.
    #[must_use]
    pub fn next(self) -> Offset {
        Offset(self.0 + 1)
    }
}

impl std::fmt::Display for Offset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An epoch and an offset together: names one record of a partition log for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Position {
    /// The reign in which the record was appended.
    pub epoch: Epoch,
    /// Where the record stands in the log of its partition.
    pub offset: Offset,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.epoch, self.offset)
    }
}

/// A place in the commit log of one node, which all partitions of that node share: frames are counted from 1, without
/// gaps. Zero: before the first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Lsn(pub u64);
