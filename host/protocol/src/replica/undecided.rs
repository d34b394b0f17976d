//! A proposal for another in-sync set, from the moment it is made until the row changes; what becomes of it is in `alter`.

use std::collections::BTreeSet;

use steward_model::Moment;

use super::Member;
use super::commit::Configuration;

/// A change that the system group has not decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Undecided {
    pub(super) in_sync: BTreeSet<Member>,
    pub(super) write_quorum: u32,
    /// The version of the row that it was decided on.
    pub(super) version: u64,
    /// It was refused: the row as it is was proposed in its place.
    pub(super) withdrawn: bool,
    /// When it is proposed again.
    pub(super) again: Moment,
}

impl Undecided {
    pub(super) fn configuration(&self) -> Configuration<'_> {
        Configuration::new(&self.in_sync, self.write_quorum)
    }
}
