//! Rendezvous hashing: every pair of a partition and a node has a score, and the node with the greatest score gets the
//! partition.
//!
//! The score decides about replicated state, so it must never change; a test keeps it. Source: Thaler and Ravishankar,
//! *Using name-based mappings to increase hit rates*, 1998; the mixer is the finalizer of SplitMix64.

use steward_model::splitmix::mix;
use steward_model::{NodeId, PartitionId};

/// Returns how well `node` suits `partition`: uniformly distributed, the same on every node and in every release.
///
/// Both lanes of one range get the same score, so that a service's two kinds of documents live together.
pub fn score(partition: PartitionId, node: NodeId) -> u64 {
    let range = (u64::from(partition.selector.0) << 16) | u64::from(partition.index);
    mix(mix(range) ^ mix(u64::from(node.0) | (1 << 63)))
}

#[cfg(test)]
mod tests {
    use steward_model::Lane;

    use super::*;

    fn winner(partition: PartitionId, nodes: std::ops::RangeInclusive<u32>) -> NodeId {
        nodes.map(NodeId).max_by_key(|node| score(partition, *node)).expect("at least one node")
    }

    #[test]
    fn scores_are_frozen() {
        let partition = PartitionId::all(Lane::Persisted).nth(141).expect("a partition");
        assert_eq!(score(partition, NodeId(1)), 0x8123_93e2_d3c3_b5a1);
    }

    #[test]
    fn load_is_even_and_a_new_node_takes_only_its_share() {
        let mut moved = 0;
        let mut first = 0;
        for partition in PartitionId::all(Lane::Persisted) {
            let before = winner(partition, 1..=3);
            let after = winner(partition, 1..=4);
            first += usize::from(before == NodeId(1));
            if before != after {
                assert_eq!(after, NodeId(4), "only the newcomer may take partitions");
                moved += 1;
            }
        }
        assert!((60..=110).contains(&first), "{first} of 256 partitions on one of three nodes");
        assert!((40..=90).contains(&moved), "{moved} of 256 partitions moved to the fourth node");
    }

    #[test]
    fn both_lanes_of_a_range_agree() {
        for (persisted, volatile) in PartitionId::all(Lane::Persisted).zip(PartitionId::all(Lane::Volatile)) {
            assert_eq!(score(persisted, NodeId(7)), score(volatile, NodeId(7)));
        }
    }
}
