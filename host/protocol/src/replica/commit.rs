//! The commit rule: how many members must hold a record before it is certain.
//!
//! The rule is joint-safe: while a change of the in-sync set is undecided, the old and the new configuration are both
//! asked, and the lower answer counts. Source: host/docs/protocol.md, "The road of
//! an update" and "Changing the in-sync set".

use std::collections::BTreeSet;

use steward_model::Offset;
use steward_model::mutation::{self, Mutation};

use super::progress::Progress;
use super::{Member, Row};
use crate::cluster::row::confirmers;

/// Whose acknowledgements count, and how many of them make a commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Configuration<'a> {
    pub(super) in_sync: &'a BTreeSet<Member>,
    pub(super) write_quorum: u32,
    /// How many members must promise a later reign.
    pub(super) recovery_quorum: u32,
}

impl<'a> Configuration<'a> {
    /// Returns the configuration of a row that is altered so: `r` is the least for which every `r` members meet every `W`.
    pub(super) fn new(in_sync: &'a BTreeSet<Member>, write_quorum: u32) -> Configuration<'a> {
        let members = u32::try_from(in_sync.len()).unwrap_or(u32::MAX);
        Configuration { in_sync, write_quorum, recovery_quorum: (members + 1).saturating_sub(write_quorum) }
    }

    pub(super) fn of(row: &'a Row) -> Configuration<'a> {
        let Row { in_sync, write_quorum, recovery_quorum, .. } = row;
        Configuration { in_sync, write_quorum: *write_quorum, recovery_quorum: *recovery_quorum }
    }

    /// Returns how many members, this one among them, every set of `r` members meets.
    pub(super) fn confirmers(self) -> usize {
        confirmers(self.in_sync.len(), self.recovery_quorum)
    }

    /// Returns the `W`-th largest proven end in the in-sync set; none if fewer than `W` members have proven anything.
    pub(super) fn held(self, progress: &Progress) -> Option<Offset> {
        // Sets have a handful of members: counting beats sorting, and needs no memory.
        let quorum = self.write_quorum as usize - usize::from(mutation::is(Mutation::OneHolderLess));
        // A member that has proven nothing is left out rather than counted at offset 0: it does not even hold the first
        // record.
        let ends = || self.in_sync.iter().filter_map(|member| progress.proven(*member));
        ends().filter(|end| ends().filter(|other| other >= end).count() >= quorum).max()
    }
}

/// Returns the highest offset that every configuration's quorum holds; none if one of them has no quorum, or there is no
/// configuration.
pub(super) fn committable<'a>(
    configurations: impl Iterator<Item = Configuration<'a>>,
    progress: &Progress,
) -> Option<Offset> {
    // An option orders none before every offset, so one configuration without a quorum holds all back.
    configurations.map(|configuration| configuration.held(progress)).min().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use steward_model::{Boot, Lane, NodeId};

    fn member(node: u32) -> Member {
        Member { node: NodeId(node), boot: Boot(1) }
    }

    fn set(nodes: &[u32]) -> BTreeSet<Member> {
        nodes.iter().map(|node| member(*node)).collect()
    }

    fn progress(ends: &[(u32, u64)]) -> Progress {
        let mut progress = Progress::new(Lane::Persisted);
        for (node, end) in ends {
            progress.prove(member(*node), Offset(*end));
        }
        progress
    }

    fn alone(in_sync: &BTreeSet<Member>, write_quorum: u32, ends: &[(u32, u64)]) -> Option<u64> {
        let configuration = Configuration::new(in_sync, write_quorum);
        committable(std::iter::once(configuration), &progress(ends)).map(|offset| offset.0)
    }

    #[test]
    fn the_w_th_largest_proven_end_is_committable() {
        let three = set(&[1, 2, 3]);
        let ends = [(1, 9), (2, 5), (3, 7)];
        assert_eq!([1, 2, 3].map(|w| alone(&three, w, &ends)), [Some(9), Some(7), Some(5)]);
    }

    #[test]
    fn equal_ends_are_counted_apart() {
        assert_eq!(alone(&set(&[1, 2, 3]), 2, &[(1, 4), (2, 4)]), Some(4));
    }

    #[test]
    fn strangers_and_silent_members_do_not_count() {
        assert_eq!(alone(&set(&[1, 2]), 2, &[(1, 9), (3, 9)]), None);
    }

    #[test]
    fn fewer_members_than_the_quorum_commit_nothing() {
        assert_eq!(alone(&set(&[1]), 2, &[(1, 9)]), None);
    }

    #[test]
    fn an_undecided_change_needs_both_quorums() {
        let (old, new) = (set(&[1, 2, 3]), set(&[1, 4, 5]));
        let both = [&old, &new].map(|in_sync| Configuration::new(in_sync, 2));
        assert_eq!(committable(both.into_iter(), &progress(&[(1, 9), (2, 8)])), None);
        assert_eq!(committable(both.into_iter(), &progress(&[(1, 9), (2, 8), (4, 3)])), Some(Offset(3)));
    }
}
