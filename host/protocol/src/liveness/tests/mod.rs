//! Whole groups of cores in virtual time: calm, jitter, cuts, deaths and naps.

mod group;
mod random;

use std::collections::BTreeSet;
use std::time::Duration;

use group::Group;
use steward_model::{Boot, Member, NodeId};

use super::{Effect, PATIENCE_MIN};
use crate::placement::voters::{Candidate, Standing, voters};

const SECOND: Duration = Duration::from_secs(1);

fn member(node: u32) -> Member {
    Member { node: NodeId(node), boot: Boot(1) }
}

#[test]
fn in_a_calm_group_everybody_reaches_everybody_and_nobody_is_suspected() {
    let mut group = Group::of(5);
    group.run(30 * SECOND);
    assert!(group.suspicions().is_empty(), "{:?}", group.suspicions());
    for one in 1..=5 {
        for other in 1..=5 {
            assert!(group.core(one).reaches(group.now(), NodeId(other)), "{one} reaches {other}");
        }
    }
}

#[test]
fn a_dead_node_is_suspected_by_all_after_the_floor_and_the_evidence_suffices() {
    let mut group = Group::of(3);
    group.run(5 * SECOND);
    let died = group.now();
    group.stop(3);
    group.run(SECOND);
    let suspicions = group.suspicions();
    assert_eq!(suspicions.len(), 2, "{suspicions:?}");
    for (at, by, whom) in suspicions {
        assert_eq!(whom, member(3), "suspected by {by}");
        let took = at.since(died);
        assert!(took <= PATIENCE_MIN + super::TICK * 2, "{took:?}");
    }
    let evidence = group.core(1).evidence(group.now(), member(3)).expect("evidence");
    assert_eq!((evidence.suspecting, evidence.reporting), (2, 2));
    assert!(group.core(1).evidence(group.now(), member(2)).is_none());
}

#[test]
fn a_cut_between_two_nodes_is_no_death_as_long_as_a_third_reaches_both() {
    let mut group = Group::of(3);
    group.run(5 * SECOND);
    group.cut(1, 3);
    group.cut(3, 1);
    group.run(10 * SECOND);
    assert!(group.suspicions().is_empty(), "{:?}", group.suspicions());
    assert!(!group.core(1).reaches(group.now(), NodeId(3)));
    assert!(group.core(2).reaches(group.now(), NodeId(3)));
}

#[test]
fn who_reaches_all_leads_better_than_who_does_not_if_the_others_may_vote() {
    let voters = |numbers: std::ops::RangeInclusive<u32>| numbers.map(NodeId).collect();
    let mut group = Group::of(3);
    group.run(5 * SECOND);
    assert!(!group.core(2).leads_better(group.now(), NodeId(1), &voters(1..=3)), "both reach everybody");
    group.cut(1, 3);
    group.cut(3, 1);
    group.run(5 * SECOND);
    let better = |by, leader, all: std::ops::RangeInclusive<u32>| {
        group.core(by).leads_better(group.now(), NodeId(leader), &voters(all))
    };
    assert!(better(2, 1, 1..=3) && better(2, 3, 1..=3));
    assert!(!better(1, 2, 1..=3) && !better(3, 2, 1..=3), "node 2 reaches whom they do not");
    assert!(!better(3, 1, 1..=3), "who is cut off from the leader cannot say whom it reaches");
    assert!(!better(2, 1, 1..=1), "who has no vote cannot lead");
    let mut group = Group::of(5);
    group.cut(1, 5);
    group.cut(5, 1);
    group.run(5 * SECOND);
    let all = voters(1..=5);
    assert!(!group.core(2).leads_better(group.now(), NodeId(1), &all), "most hear the leader, and would not vote");
}

#[test]
fn of_five_voters_one_that_nobody_hears_gives_way_and_one_that_hears_nobody_takes_nobody_with_it() {
    let others = |one: u32| (1..=9).filter(move |other| *other != one);
    let current: BTreeSet<NodeId> = (1..=5).map(NodeId).collect();
    // One that follows, and the one that led: then another one leads.
    for (leader, mute) in [(1, 4), (2, 1)] {
        let mut group = Group::of(9);
        group.run(5 * SECOND);
        others(mute).for_each(|other| group.cut(mute, other));
        group.run(5 * SECOND);
        let (leading, now) = (group.core(leader), group.now());
        let standing = |node| match leading.evidence(now, member(node)) {
            Some(evidence) if evidence.suffices() => Standing::Silent,
            Some(_) | None => Standing::Ready,
        };
        let candidates: Vec<Candidate> =
            (1..=9).map(|node| Candidate { node: NodeId(node), standing: standing(node) }).collect();
        let mut expected = current.clone();
        assert!(expected.remove(&NodeId(mute)) && expected.insert(NodeId(6)));
        assert_eq!(voters(&current, &candidates, NodeId(leader)), expected, "{mute} is cut off from the others");
    }
    let mut group = Group::of(9);
    group.run(5 * SECOND);
    others(4).for_each(|other| group.cut(other, 4));
    group.run(5 * SECOND);
    let leading = group.core(1);
    assert!(group.suspicions().iter().all(|(_, by, _)| *by == NodeId(4)), "the others hear everybody");
    assert!((1..=9).all(|node| leading.evidence(group.now(), member(node)).is_none()));
    assert!(!leading.reaches(group.now(), NodeId(4)) && leading.reaches(group.now(), NodeId(5)));
}

#[test]
fn packets_that_pass_one_way_only_count_as_no_reach_and_as_no_death() {
    let mut group = Group::of(3);
    group.run(5 * SECOND);
    group.cut(1, 3);
    group.run(10 * SECOND);
    assert!(group.suspicions().is_empty(), "{:?}", group.suspicions());
    assert!(!group.core(1).reaches(group.now(), NodeId(3)), "it hears node 3, and node 3 does not hear it");
    assert!(!group.core(3).reaches(group.now(), NodeId(1)));
    group.heal();
    group.run(SECOND);
    assert!(group.core(1).reaches(group.now(), NodeId(3)));
}

#[test]
fn a_node_that_is_cut_off_suspects_the_others_and_convinces_nobody() {
    let mut group = Group::of(3);
    group.run(5 * SECOND);
    for other in [1, 2] {
        group.cut(3, other);
        group.cut(other, 3);
    }
    group.run(5 * SECOND);
    let now = group.now();
    assert!(group.core(1).evidence(now, member(3)).is_some());
    // Whoever hears nobody is all that reports to itself; it leads no majority of the system group.
    assert_eq!(group.core(3).evidence(now, member(1)).map(|evidence| evidence.reporting), Some(1));
    group.heal();
    group.run(2 * SECOND);
    assert!((1..=3).all(|node| group.core(node).suspects().is_empty()));
}

#[test]
fn an_observer_that_slept_suspects_nobody_when_it_wakes() {
    let mut group = Group::of(3);
    group.run(5 * SECOND);
    group.pause(1);
    group.run(10 * SECOND);
    group.resume(1);
    group.run(5 * SECOND);
    let by_sleeper: Vec<_> = group.suspicions().into_iter().filter(|(_, by, _)| *by == NodeId(1)).collect();
    assert!(by_sleeper.is_empty(), "{by_sleeper:?}");
    assert!(group.effects(1).iter().any(|effect| matches!(effect, Effect::Overslept { .. })));
}

#[test]
fn a_node_that_sleeps_is_suspected_and_trusted_again_when_it_wakes() {
    let mut group = Group::of(3);
    group.run(5 * SECOND);
    group.pause(3);
    group.run(2 * SECOND);
    assert!(group.core(1).evidence(group.now(), member(3)).is_some());
    group.resume(3);
    group.run(SECOND);
    assert!(group.core(1).suspects().is_empty() && group.core(2).suspects().is_empty());
    assert!(group.effects(1).contains(&Effect::Trust { member: member(3) }));
}

#[test]
fn suspicion_of_one_alone_is_not_enough() {
    let mut group = Group::of(4);
    group.run(5 * SECOND);
    // Nodes 3 and 4 hear node 2, and cannot tell node 1 so.
    for other in [2, 3] {
        group.cut(other, 1);
    }
    group.run(5 * SECOND);
    assert!(group.core(1).evidence(group.now(), member(2)).is_none());
}

#[test]
fn a_new_process_of_a_node_begins_without_the_suspicion_of_the_old_one() {
    let mut group = Group::of(3);
    group.run(5 * SECOND);
    group.stop(3);
    group.run(2 * SECOND);
    assert_eq!(group.core(1).suspects(), [member(3)].into());
    group.start_again(3);
    group.run(SECOND);
    assert!(group.core(1).suspects().is_empty());
    assert!(group.core(1).reaches(group.now(), NodeId(3)));
}

#[test]
fn events_and_effects_read_as_sentences() {
    let suspect = Effect::Suspect { member: member(3), silence: SECOND, patience: PATIENCE_MIN };
    assert_eq!(suspect.to_string(), "suspect 3.1, silent for 1s with a patience of 600ms");
    let beat = super::Beat { number: 7, hears: [NodeId(2)].into(), suspects: [member(3)].into() };
    let event = super::Event::Arrived { from: member(1), message: super::Message::Beat(beat) };
    assert_eq!(event.to_string(), "arrived from 1.1: beat 7, hears 2, suspects 3.1");
}
