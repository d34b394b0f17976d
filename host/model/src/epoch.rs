//! Epochs: the numbers that order the reigns of the primaries of one partition.

use serde::{Deserialize, Serialize};

use crate::codec::Format;

/// The number of one reign. Compared lexicographically: incarnation of the system group, then loss, then ownership.
///
/// The system group raises `ownership` whenever it names a primary, `loss` when an operator accepts that acknowledged
/// updates may be missing, and `incarnation` at a forced recovery. Source: host/docs/protocol.md, "Numbers".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Epoch {
    /// How often the system group was recovered by force; 0 in most clusters.
    pub incarnation: u16,
    /// How often an operator accepted a loss of data for this partition, in this incarnation.
    pub loss: u16,
    /// How often the system group has named a primary since the loss or the incarnation last rose; 0: never.
    pub ownership: u32,
}

impl Epoch {
    /// Lower than the epoch of every reign: what stands where there is no record yet.
    pub const ZERO: Epoch = Epoch { incarnation: 0, loss: 0, ownership: 0 };

    /// Returns the epoch of the next reign after a primary is named anew.
    #[must_use]
    pub fn next_ownership(self) -> Epoch {
        Epoch { ownership: self.ownership + 1, ..self }
    }

    /// Returns the epoch as one number that sorts as the epoch does; clients see it as `documentEpoch`.
    pub fn as_u64(self) -> u64 {
        (u64::from(self.incarnation) << 48) | (u64::from(self.loss) << 32) | u64::from(self.ownership)
    }

    /// Returns the epoch that [`Epoch::as_u64`] turned into `number`.
    pub fn from_u64(number: u64) -> Epoch {
        Epoch { incarnation: (number >> 48) as u16, loss: (number >> 32) as u16, ownership: number as u32 }
    }
}

impl Format for Epoch {
    const NAME: &'static str = "epoch";
}

/// Writes the ownership alone if incarnation and loss are zero, as they are in most clusters; else all three parts.
impl std::fmt::Display for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Epoch { incarnation: 0, loss: 0, ownership } => write!(f, "{ownership}"),
            Epoch { incarnation, loss, ownership } => write!(f, "{incarnation}.{loss}.{ownership}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_sorts_as_the_epoch_does() {
        let low = Epoch { incarnation: 0, loss: 1, ownership: 9 };
        let high = Epoch { incarnation: 1, loss: 0, ownership: 1 };
        assert!(low < high);
        assert!(low.as_u64() < high.as_u64());
        assert_eq!(Epoch::from_u64(high.as_u64()), high);
    }

    #[test]
    fn people_see_the_parts_that_say_something() {
        assert_eq!(Epoch { incarnation: 0, loss: 0, ownership: 7 }.to_string(), "7");
        assert_eq!(Epoch { incarnation: 0, loss: 1, ownership: 7 }.to_string(), "0.1.7");
    }
}
