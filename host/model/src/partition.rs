//! Partitions: the slices of the documents that have a log, a primary and replicas of their own.

use serde::{Deserialize, Serialize};

use crate::link::Link;

/// Partitions per selector and lane, fixed when a cluster is created.
pub const PARTITIONS_PER_LANE: u16 = 256;

/// How a partition keeps its updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// On disk, in the commit log: an acknowledged update survives a power cut.
    Persisted,
    /// In memory only: updates are gone when all replicas of the partition have restarted.
    Volatile,
}

impl Lane {
    /// Returns the word that people see.
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Persisted => "persisted",
            Lane::Volatile => "volatile",
        }
    }
}

/// Names a way to spread documents over nodes. Selector 0 is `/core/node-selectors/default`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct SelectorId(pub u16);

/// Names a partition: a selector, a lane and a part of the hashes of self-links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionId {
    /// The selector whose documents these are.
    pub selector: SelectorId,
    /// Where the replicas of this partition keep their updates.
    pub lane: Lane,
    /// The remainder of the hash of its self-links, below [`PARTITIONS_PER_LANE`].
    pub index: u16,
}

/// Bytes of an encoded partition id.
pub const ENCODED_BYTES: usize = 5;

impl PartitionId {
    /// Returns the partition of the default selector that holds `link`.
    pub fn of(link: &Link, lane: Lane) -> PartitionId {
        let hash = blake3::hash(link.as_str().as_bytes());
        let bytes = hash.as_bytes();
        let index = u16::from_be_bytes([bytes[0], bytes[1]]) % PARTITIONS_PER_LANE;
        PartitionId { selector: SelectorId::default(), lane, index }
    }

    /// Returns every partition of the default selector in `lane`.
    pub fn all(lane: Lane) -> impl Iterator<Item = PartitionId> {
        (0..PARTITIONS_PER_LANE).map(move |index| PartitionId { selector: SelectorId::default(), lane, index })
    }

    /// Returns the bytes that stand for this partition in keys and frames; they sort as partitions do.
    pub fn encode(self) -> [u8; ENCODED_BYTES] {
        let selector = self.selector.0.to_be_bytes();
        let index = self.index.to_be_bytes();
        let lane = match self.lane {
            Lane::Persisted => 0,
            Lane::Volatile => 1,
        };
        [selector[0], selector[1], lane, index[0], index[1]]
    }

    /// Returns the partition that [`PartitionId::encode`] turned into `bytes`, or none if no partition has such bytes.
    pub fn decode(bytes: [u8; ENCODED_BYTES]) -> Option<PartitionId> {
        let lane = match bytes[2] {
            0 => Lane::Persisted,
            1 => Lane::Volatile,
            _ => return None,
        };
        let selector = SelectorId(u16::from_be_bytes([bytes[0], bytes[1]]));
        Some(PartitionId { selector, lane, index: u16::from_be_bytes([bytes[3], bytes[4]]) })
    }
}

impl std::fmt::Display for PartitionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.selector.0, self.lane.as_str(), self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_round_trips_and_refuses_unknown_lanes() {
        let partition = PartitionId { selector: SelectorId(7), lane: Lane::Volatile, index: 255 };
        assert_eq!(PartitionId::decode(partition.encode()), Some(partition));
        assert_eq!(PartitionId::decode([0, 0, 9, 0, 0]), None);
    }

    #[test]
    fn placement_of_links_is_frozen() {
        let link = Link::parse("/core/examples/one").expect("a valid link");
        assert_eq!(PartitionId::of(&link, Lane::Persisted).index, 141);
    }
}
