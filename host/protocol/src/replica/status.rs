//! What a replica tells about itself: to operations, and to people.

use steward_model::mutation::{self, Mutation};
use steward_model::{Epoch, Moment, Offset, PartitionId, Position};

use super::feed::Feed;
use super::message::shown;
use super::{Member, Replica, Role, Row};

/// Why an operation is not admitted here now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// No primary is known to be active yet; this replica is, or will be, on its way there. Park the operation.
    #[error("partition has no active primary yet: it is recovering")]
    Recovering,
    /// Another member orders the updates. Forward the operation.
    #[error("partition belongs to node {primary}")]
    NotPrimary {
        /// The member of the newest row, whether or not it is active.
        primary: Member,
    },
    /// The in-sync set is smaller than the quorum: nothing would be committed. Park the operation.
    #[error("partition has {in_sync} in-sync members, {write_quorum} are needed to commit")]
    TooFewInSync {
        /// How many there are.
        in_sync: usize,
        /// How many are needed.
        write_quorum: u32,
    },
}

/// The name of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleName {
    /// Holds a log, counts for nothing.
    Tailing,
    /// Counts; follows, or waits for a primary.
    InSync,
    /// Named, collects promises.
    Candidate,
    /// Waits for the commit of its marker.
    Activating,
    /// Orders updates.
    Primary,
}

impl RoleName {
    /// Returns the word that people see.
    pub fn as_str(self) -> &'static str {
        match self {
            RoleName::Tailing => "TAILING",
            RoleName::InSync => "IN_SYNC",
            RoleName::Candidate => "CANDIDATE",
            RoleName::Activating => "ACTIVATING",
            RoleName::Primary => "PRIMARY",
        }
    }
}

impl std::fmt::Display for RoleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RoleName::Tailing => "tailing",
            RoleName::InSync => "in sync",
            RoleName::Candidate => "candidate",
            RoleName::Activating => "activating",
            RoleName::Primary => "primary",
        })
    }
}

/// A replica at one moment, for `/core/partitions` and for tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The partition that this is a copy of.
    pub partition: PartitionId,
    /// What the replica does for it.
    pub role: RoleName,
    /// When it took that role.
    pub since: Moment,
    /// The newest row of the partition table that was heard of.
    pub row: Option<Row>,
    /// The highest epoch whose promise is durable here.
    pub promised: Epoch,
    /// How many members have promised the candidate's epoch; zero in every other role.
    pub promises: usize,
    /// The last record of the own log.
    pub end: Option<Position>,
    /// The last durable record of the own log.
    pub durable: Option<Offset>,
    /// The last record known to be committed.
    pub committed: Option<Offset>,
    /// What every in-sync member is known to hold.
    pub low: Option<Offset>,
    /// The copies that this replica feeds in its reign.
    pub copies: Vec<CopyStatus>,
    /// A change of the in-sync set is proposed and not decided.
    pub alters: bool,
}

/// A copy as its primary knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyStatus {
    /// The process start that keeps it.
    pub member: Member,
    /// The last record that it is known to hold.
    pub proven: Option<Offset>,
    /// It lacks more than the log has: it has to be made anew.
    pub is_lost: bool,
    /// When it answered last.
    pub heard: Moment,
}

/// How many members hold a record durably, as far as its primary has heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holders {
    /// Members of the in-sync set that hold it.
    pub holders: usize,
    /// Members of the in-sync set.
    pub members: usize,
}

/// How a copy stands to the state that a reader has seen elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// It has committed that record.
    Reached,
    /// It has not heard of it yet.
    Ahead,
    /// It has committed another record there: what the reader saw was never committed.
    Elsewhere,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Status { role, promised, end, durable, committed, .. } = self;
        let (end, durable, committed) = (shown(end), shown(durable), shown(committed));
        write!(f, "{role}, promised {promised}, end {end}, durable {durable}, committed {committed}")
    }
}

impl Replica {
    /// Returns what the replica does for its partition.
    pub fn role(&self) -> RoleName {
        match &self.role {
            Role::Tailing => RoleName::Tailing,
            Role::InSync => RoleName::InSync,
            Role::Candidate(_) => RoleName::Candidate,
            Role::Activating(_) => RoleName::Activating,
            Role::Primary(_) => RoleName::Primary,
        }
    }

    /// Returns how the replica stands.
    pub fn status(&self) -> Status {
        let promises = match &self.role {
            Role::Candidate(candidate) => candidate.promises.len(),
            Role::Tailing | Role::InSync | Role::Activating(_) | Role::Primary(_) => 0,
        };
        Status {
            partition: self.partition,
            role: self.role(),
            since: self.since,
            row: self.row.clone(),
            promised: self.promised,
            promises,
            end: self.end,
            durable: self.durable,
            committed: self.committed,
            low: self.low,
            copies: self.copies(),
            alters: matches!(&self.role, Role::Primary(reign) if reign.undecided.is_some()),
        }
    }

    fn copies(&self) -> Vec<CopyStatus> {
        let (Role::Activating(reign) | Role::Primary(reign)) = &self.role else { return Vec::new() };
        let copy = |feed: &Feed| CopyStatus {
            member: feed.member,
            proven: reign.progress.proven(feed.member),
            is_lost: feed.is_lost,
            heard: feed.heard,
        };
        reign.feeds.values().map(copy).collect()
    }

    /// Returns how many members of the in-sync set hold the record at `position`; none if this replica has no reign, or its log
    /// another record there. More may hold it than are known to.
    pub fn holders(&self, position: Position) -> Option<Holders> {
        let (Role::Activating(reign) | Role::Primary(reign), Some(row)) = (&self.role, &self.row) else { return None };
        let hold = |member: &&Member| reign.progress.proven(**member) >= Some(position.offset);
        let holders = row.in_sync.iter().filter(hold).count();
        self.holds(position).then_some(Holders { holders, members: row.in_sync.len() })
    }

    /// Returns how this copy stands to a record that a reader has seen committed elsewhere.
    pub fn fence(&self, seen: Position) -> Fence {
        if self.committed < Some(seen.offset) {
            return Fence::Ahead;
        }
        // Where the epoch is forgotten, 64 reigns have gone by: what was seen then is long committed.
        match self.lineage.epoch_at(seen.offset) {
            Some(epoch) if epoch != seen.epoch && !mutation::is(Mutation::FenceByOffset) => Fence::Elsewhere,
            Some(_) | None => Fence::Reached,
        }
    }
}
