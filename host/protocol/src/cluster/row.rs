//! One row of the partition table, and the changes that it may undergo.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use steward_model::mutation::{self, Mutation};
use steward_model::{Epoch, Lane, Member, NodeId, PartitionId};

/// What the system group says about one partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Row {
    /// The current reign; rises with each naming.
    pub epoch: Epoch,
    /// Who was named for it. Named is not activated: it still has to collect `recovery_quorum` promises.
    pub primary: Member,
    /// The members whose acknowledgements count. In the volatile lane a member's boot is part of its identity.
    pub in_sync: BTreeSet<Member>,
    /// How many members must hold an update to commit it, at least 1; `W` in host/docs/protocol.md.
    pub write_quorum: u32,
    /// How many members must promise to recover every committed update; `r` in host/docs/protocol.md.
    pub recovery_quorum: u32,
    /// Counts the changes of members and quorums, for compare-and-set; never falls, also across epochs.
    pub version: u64,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Row { epoch, primary, in_sync, write_quorum, recovery_quorum, version } = self;
        write!(f, "epoch {epoch} of {primary}, in sync {}", Members(in_sync))?;
        write!(f, ", W {write_quorum}, r {recovery_quorum}, version {version}")
    }
}

/// Members as people read them.
pub(crate) struct Members<'a>(pub(crate) &'a BTreeSet<Member>);

impl std::fmt::Display for Members<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let members: Vec<String> = self.0.iter().map(Member::to_string).collect();
        f.write_str(&members.join(" "))
    }
}

/// Returns how many of `members` every set of `recovery_quorum` of them meets; one at least.
pub(crate) fn confirmers(members: usize, recovery_quorum: u32) -> usize {
    (members + 1).saturating_sub(recovery_quorum as usize).max(1)
}

impl Row {
    /// Returns the row of a partition that begins its life on `member` alone.
    pub(super) fn founded(incarnation: u16, member: Member) -> Row {
        Row {
            epoch: Epoch { incarnation, loss: 0, ownership: 1 },
            primary: member,
            in_sync: BTreeSet::from([member]),
            write_quorum: 1,
            recovery_quorum: 1,
            version: 0,
        }
    }

    /// Returns how many members a new reign needs before it serves: enough promises, and then enough that hold its marker.
    pub fn needed_to_begin(&self) -> u32 {
        self.recovery_quorum.max(self.write_quorum)
    }

    /// Returns how many members, the primary among them, have to say that they promised nothing higher before a read is answered:
    /// as many as every set of `r` members meets. Without so many the partition is neither read nor written.
    pub fn needed_to_confirm(&self) -> usize {
        confirmers(self.in_sync.len(), self.recovery_quorum)
    }

    /// Begins a new reign under `primary`.
    pub fn name(&mut self, primary: Member) {
        self.epoch = self.epoch.next_ownership();
        self.primary = primary;
        self.version += 1;
    }

    /// Begins a reign over nothing: every copy of a volatile partition is gone.
    pub fn restart_empty(&mut self, member: Member) {
        let loss = if mutation::is(Mutation::LossNotCounted) { None } else { self.epoch.loss.checked_add(1) };
        self.epoch = match loss {
            Some(loss) => Epoch { loss, ownership: 1, ..self.epoch },
            // A lone node in a crash loop gets here. Later epochs still compare as greater, which is what safety needs.
            None => self.epoch.next_ownership(),
        };
        self.primary = member;
        self.in_sync = BTreeSet::from([member]);
        self.write_quorum = 1;
        self.recovery_quorum = 1;
        self.version += 1;
    }

    /// Changes members and quorums, as the primary has proposed for this version of the row.
    pub fn alter(&mut self, in_sync: BTreeSet<Member>, write_quorum: u32) {
        let members = u32::try_from(in_sync.len()).unwrap_or(u32::MAX);
        self.in_sync = in_sync;
        self.write_quorum = write_quorum;
        // I4: `W + r = #S + 1`, the least `r` for which every `r` members meet every `W`.
        self.recovery_quorum = (members + 1).saturating_sub(write_quorum);
        self.version += 1;
    }

    /// Lets fewer members commit from now on. What `W` members hold, fewer hold too; in return as many must promise as meet
    /// every set of so few. After amnesia `r` is higher than that already, and stays: more would be out of reach.
    pub fn lower_write_quorum(&mut self, quorum: u32) {
        if self.write_quorum > quorum {
            self.write_quorum = quorum;
            let members = u32::try_from(self.in_sync.len()).unwrap_or(u32::MAX);
            if !mutation::is(Mutation::RecoveryQuorumNotRaised) {
                self.recovery_quorum = self.recovery_quorum.max((members + 1).saturating_sub(quorum));
            }
            self.version += 1;
        }
    }

    /// Takes a new process start into account, and nodes that lost their store with it.
    ///
    /// A persisted member returns with everything it acknowledged: only its boot changes. A volatile member returns
    /// empty, and a replaced one not at all: they leave the in-sync set, and `recovery_quorum` stays as it is, because
    /// each committed update lost at most that one holder.
    pub fn restart_member(&mut self, lane: Lane, member: Member, replaced: &[NodeId]) {
        let mut kept = self.in_sync.clone();
        let stale = kept.iter().find(|m| m.node == member.node).copied();
        if let Some(stale) = stale {
            kept.remove(&stale);
            if lane == Lane::Persisted || mutation::is(Mutation::EmptyMemberCounts) {
                kept.insert(member);
            }
        }
        let holders: BTreeSet<Member> = kept.iter().filter(|m| !replaced.contains(&m.node)).copied().collect();
        match (holders.is_empty(), lane) {
            (true, Lane::Volatile) => return self.restart_empty(member),
            // Nobody holds what was acknowledged: the old members stay listed until they return or an operator accepts
            // the loss.
            (true, Lane::Persisted) => {}
            (false, Lane::Persisted | Lane::Volatile) => kept = holders,
        }
        if kept != self.in_sync {
            self.in_sync = kept;
            self.version += 1;
        }
    }

    /// Takes a member out that will not come back, in a group that wants `quorum` members to hold an update; if it was the primary,
    /// `elect` names another of those that are left.
    ///
    /// As with a store that is replaced, `recovery_quorum` stays: each committed update lost at most that one holder.
    ///
    /// # Errors
    /// [`TooFewLeft`]. Nothing has changed then.
    pub fn forget_member(
        &mut self,
        gone: NodeId,
        quorum: u32,
        elect: impl FnOnce(&BTreeSet<Member>) -> Option<Member>,
    ) -> Result<(), TooFewLeft> {
        let left: BTreeSet<Member> = self.in_sync.iter().filter(|member| member.node != gone).copied().collect();
        let members = u32::try_from(left.len()).unwrap_or(u32::MAX);
        if members < self.recovery_quorum {
            return Err(TooFewLeft::ToRecover { left: members, needed: self.recovery_quorum });
        }
        // An active primary takes further members in. The next one is active once its marker is committed, and could not commit it.
        let needed = self.write_quorum.min(quorum);
        if members < needed {
            return Err(TooFewLeft::ToCommit { left: members, needed });
        }
        if mutation::is(Mutation::RecoveryQuorumFollowsRemoval) {
            self.recovery_quorum = (members + 1).saturating_sub(self.write_quorum).max(1);
        }
        self.in_sync = left;
        self.version += 1;
        if self.primary.node == gone && !mutation::is(Mutation::RemovedStaysNamed) {
            let chosen = elect(&self.in_sync);
            self.name(chosen.expect("as many members are left as must promise, and that is one at least"));
        }
        Ok(())
    }
}

/// Why a member cannot be taken out of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooFewLeft {
    /// Too few to find every committed update again.
    ToRecover {
        /// How many members would be left.
        left: u32,
        /// How many must promise before a reign.
        needed: u32,
    },
    /// Too few for a primary that is not active yet to commit anything.
    ToCommit {
        /// How many members would be left.
        left: u32,
        /// How many must hold an update.
        needed: u32,
    },
}

/// A change of one row by its primary.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Alteration {
    /// The partition whose row changes.
    pub partition: PartitionId,
    /// The reign of the primary that asks.
    pub epoch: Epoch,
    /// The version of the row that it was decided on.
    pub version: u64,
    /// The members to be.
    pub in_sync: BTreeSet<Member>,
    /// The acknowledgements needed from now on.
    pub write_quorum: u32,
}

/// A partition that is to get another primary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The partition whose row changes.
    pub partition: PartitionId,
    /// The reign to end; in another one the move is refused.
    pub epoch: Epoch,
    /// The node to name, an available member of the in-sync set.
    pub to: NodeId,
}
