//! Groups on networks that nobody has chosen.

use std::time::Duration;

use proptest::prelude::*;
use steward_model::NodeId;

use super::group::Group;
use super::{SECOND, member};
use crate::liveness::{PATIENCE_MAX, TICK};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn delays_below_the_floor_lead_to_no_suspicion(size in 2_u32..6, delay in 1_u64..400, seed in any::<u64>()) {
        let mut group = Group::shaky(size, delay, seed);
        group.run(20 * SECOND);
        prop_assert!(group.suspicions().is_empty(), "{:?}", group.suspicions());
    }

    #[test]
    fn whoever_dies_is_suspected_by_all_within_the_ceiling(size in 2_u32..6, delay in 1_u64..400, seed in any::<u64>()) {
        let mut group = Group::shaky(size, delay, seed);
        group.run(15 * SECOND);
        group.stop(1);
        group.run(PATIENCE_MAX + Duration::from_millis(2 * delay) + 2 * TICK);
        for node in 2..=size {
            prop_assert_eq!(group.core(node).suspects(), [member(1)].into(), "by node {}", node);
        }
        prop_assert!(size == 2 || group.core(2).evidence(group.now(), member(1)).is_some());
    }

    #[test]
    fn naps_of_an_observer_accuse_nobody(naps in prop::collection::vec(300_u64..8_000, 1..6), seed in any::<u64>()) {
        let mut group = Group::shaky(4, 20, seed);
        group.run(5 * SECOND);
        for nap in naps {
            group.pause(2);
            group.run(Duration::from_millis(nap));
            group.resume(2);
            group.run(Duration::from_millis(400));
        }
        let by_sleeper = group.suspicions().into_iter().filter(|(_, by, _)| *by == NodeId(2)).count();
        prop_assert_eq!(by_sleeper, 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_history(delay in 1_u64..2_000, seed in any::<u64>()) {
        let run = || {
            let mut group = Group::shaky(4, delay, seed);
            group.run(5 * SECOND);
            group.pause(3);
            group.run(2 * SECOND);
            group.resume(3);
            group.run(2 * SECOND);
            (1..=4).map(|node| group.effects(node)).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
    }
}
