//! Who votes in the system group.
//!
//! One node votes alone until three can; three vote until there are nine nodes, then five. The number is odd, since a second or fourth
//! voter makes the group lose its majority sooner and not later. A voter that is gone gives way to a node that is there; without
//! such a node nothing changes, because the one that is gone may come back. A voter that stops gives way only if those that stay
//! would be no majority of the voters there are.

use std::collections::BTreeSet;

use steward_model::NodeId;

/// How a node stands that may vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is there, and its copy of the system log is up to date.
    Ready,
    /// It is there, and its copy is behind.
    Behind,
    /// It is silent.
    Silent,
    /// It stops in order.
    Leaving,
}

/// A node that may vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its number in the system group, which is its name in Raft as well.
    pub node: NodeId,
    /// How it stands as the leader sees it, which decides by that who votes.
    pub standing: Standing,
}

/// Returns how many voters a group of `nodes` registered peers should have.
pub fn target(nodes: usize) -> usize {
    match nodes {
        0..=2 => 1,
        3..=8 => 3,
        _ => 5,
    }
}

/// Returns who should vote, given who does. All registered peers are candidates; `leader` is one of them.
///
/// The answer equals `current` if nothing should change, or nothing can. It is never empty unless `current` is.
pub fn voters(current: &BTreeSet<NodeId>, candidates: &[Candidate], leader: NodeId) -> BTreeSet<NodeId> {
    let of = |wanted: &[Standing]| -> BTreeSet<NodeId> {
        candidates.iter().filter(|one| wanted.contains(&one.standing)).map(|one| one.node).collect()
    };
    let registered: BTreeSet<NodeId> = candidates.iter().map(|one| one.node).collect();
    let present = of(&[Standing::Ready, Standing::Behind]);
    let leaving = of(&[Standing::Leaving]);
    let mut chosen: BTreeSet<NodeId> = current.intersection(&registered).copied().collect();
    let mut fresh: Vec<NodeId> = of(&[Standing::Ready]).difference(&chosen).copied().collect();
    fresh.reverse();

    // Voters that are gone give way to nodes that are there.
    let silent: Vec<NodeId> = chosen.intersection(&of(&[Standing::Silent])).copied().collect();
    for gone in silent {
        let Some(replacement) = fresh.pop() else { break };
        chosen.remove(&gone);
        chosen.insert(replacement);
    }
    while chosen.len() < target(candidates.len()) {
        let Some(further) = fresh.pop() else { break };
        chosen.insert(further);
    }
    let stay = chosen.intersection(&present).count();
    if !chosen.is_disjoint(&leaving) && stay * 2 <= chosen.len() {
        // Those that stay could decide nothing any more.
        let staying: BTreeSet<NodeId> = chosen.intersection(&present).copied().collect();
        chosen = if staying.is_empty() { fresh.pop().into_iter().collect() } else { staying };
    }
    let size = odd(chosen.len().min(target(candidates.len())));
    while chosen.len() > size {
        let worst = chosen.iter().copied().max_by_key(|node| (*node != leader, !present.contains(node), *node));
        let Some(worst) = worst else { break };
        chosen.remove(&worst);
    }
    if chosen.is_empty() { current.clone() } else { chosen }
}

/// Returns the greatest odd number that is no greater.
fn odd(number: usize) -> usize {
    if number.is_multiple_of(2) { number.saturating_sub(1) } else { number }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Behind, Leaving, Ready, Silent};
    use super::*;

    fn set(nodes: &[u32]) -> BTreeSet<NodeId> {
        nodes.iter().copied().map(NodeId).collect()
    }

    /// Returns who should vote among nodes 1, 2, … that stand so, if node 1 leads.
    fn after(current: &[u32], standings: &[Standing]) -> BTreeSet<NodeId> {
        let number = |at: usize| NodeId(u32::try_from(at + 1).expect("few nodes"));
        let candidates: Vec<Candidate> = standings
            .iter()
            .enumerate()
            .map(|(at, standing)| Candidate { node: number(at), standing: *standing })
            .collect();
        voters(&set(current), &candidates, NodeId(1))
    }

    #[test]
    fn one_votes_until_three_can() {
        assert_eq!(after(&[1], &[Ready]), set(&[1]));
        assert_eq!(after(&[1], &[Ready, Ready]), set(&[1]));
        assert_eq!(after(&[1], &[Ready, Ready, Behind]), set(&[1]));
        assert_eq!(after(&[1], &[Ready, Ready, Silent]), set(&[1]));
        assert_eq!(after(&[1], &[Ready, Ready, Ready]), set(&[1, 2, 3]));
    }

    #[test]
    fn five_vote_from_nine_nodes_on() {
        assert_eq!(after(&[1, 2, 3], &[Ready; 8]), set(&[1, 2, 3]));
        assert_eq!(after(&[1, 2, 3], &[Ready; 9]), set(&[1, 2, 3, 4, 5]));
    }

    #[test]
    fn a_voter_that_is_gone_gives_way_to_a_node_that_is_there() {
        assert_eq!(after(&[1, 2, 3], &[Ready, Ready, Silent]), set(&[1, 2, 3]));
        assert_eq!(after(&[1, 2, 3], &[Ready, Silent, Ready, Ready]), set(&[1, 3, 4]));
        assert_eq!(after(&[1, 2, 3], &[Ready, Silent, Ready, Behind]), set(&[1, 2, 3]));
    }

    #[test]
    fn a_voter_that_was_removed_is_none_any_more_and_the_number_stays_odd() {
        assert_eq!(after(&[1, 2, 7], &[Ready, Ready]), set(&[1]));
    }

    #[test]
    fn an_orderly_stop_changes_nothing_while_a_majority_stays() {
        assert_eq!(after(&[1, 2, 3], &[Ready, Ready, Leaving]), set(&[1, 2, 3]));
    }

    #[test]
    fn those_that_stay_go_on_alone_if_they_would_be_no_majority() {
        assert_eq!(after(&[1, 2, 3], &[Ready, Leaving, Silent]), set(&[1]));
        assert_eq!(after(&[1], &[Leaving, Ready]), set(&[2]));
        assert_eq!(after(&[1], &[Leaving, Silent]), set(&[1]));
    }
}
