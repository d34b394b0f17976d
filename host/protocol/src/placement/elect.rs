//! The choice of the member that the system group names as primary.

use steward_model::{Member, PartitionId};

use super::hash::score;

/// Returns the member with the greatest score for `partition`; none if there are no members.
///
/// Naming is a hint: the candidate has to collect promises before it serves, so a poor choice costs time, not data.
pub fn candidate(partition: PartitionId, members: impl IntoIterator<Item = Member>) -> Option<Member> {
    // The member decides between equal scores: the answer must not hang on the order in which members come.
    members.into_iter().max_by_key(|member| (score(partition, member.node), *member))
}
