//! Progress: how much of the primary's log each member is known to hold durably.

use std::collections::BTreeMap;

use steward_model::{Boot, Lane, NodeId, Offset};

use super::Member;

/// The proven end of each member during one reign.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Progress {
    lane: Lane,
    proven: BTreeMap<NodeId, (Boot, Offset)>,
}

impl Progress {
    pub(super) fn new(lane: Lane) -> Progress {
        Progress { lane, proven: BTreeMap::new() }
    }

    /// Notes that `member` holds everything through `offset`.
    ///
    /// Acknowledgements may overtake each other, so the highest stays. In the volatile lane another boot is another
    /// member: what an older one held went with its memory.
    pub(super) fn prove(&mut self, member: Member, offset: Offset) {
        let (boot, highest) = self.proven.entry(member.node).or_insert((member.boot, offset));
        let is_reboot = *boot != member.boot;
        match self.lane {
            Lane::Volatile if is_reboot && member.boot < *boot => {}
            Lane::Volatile if is_reboot => (*boot, *highest) = (member.boot, offset),
            Lane::Persisted | Lane::Volatile => {
                *boot = (*boot).max(member.boot);
                *highest = (*highest).max(offset);
            }
        }
    }

    /// Returns the last offset that `member` is known to hold, or none.
    pub(super) fn proven(&self, member: Member) -> Option<Offset> {
        let (boot, offset) = self.proven.get(&member.node)?;
        match self.lane {
            Lane::Persisted => Some(*offset),
            Lane::Volatile => (*boot == member.boot).then_some(*offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(boot: u32) -> Member {
        Member { node: NodeId(1), boot: Boot(boot) }
    }

    #[test]
    fn an_acknowledgement_that_was_overtaken_lowers_nothing() {
        let mut progress = Progress::new(Lane::Persisted);
        progress.prove(member(1), Offset(7));
        progress.prove(member(1), Offset(3));
        assert_eq!(progress.proven(member(1)), Some(Offset(7)));
    }

    #[test]
    fn a_disk_survives_the_reboot_of_its_node() {
        let mut progress = Progress::new(Lane::Persisted);
        progress.prove(member(1), Offset(7));
        assert_eq!(progress.proven(member(2)), Some(Offset(7)));
    }

    #[test]
    fn memory_does_not_survive_a_reboot() {
        let mut progress = Progress::new(Lane::Volatile);
        progress.prove(member(1), Offset(7));
        progress.prove(member(2), Offset(0));
        progress.prove(member(1), Offset(9));
        assert_eq!(progress.proven(member(1)), None);
        assert_eq!(progress.proven(member(2)), Some(Offset(0)));
    }
}
