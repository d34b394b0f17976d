//! Roles: what a replica does for its partition, and what it has only while it does that.

use std::collections::BTreeMap;

use steward_model::{Boot, Epoch, Moment, NodeId, Offset};

use super::Member;
use super::feed::Feed;
use super::message::LogOutline;
use super::progress::Progress;
use super::reads::Reads;
use super::tail::Tail;
use super::undecided::Undecided;

/// What the replica does for its partition; carries what only that role has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// Holds a log, counts for nothing.
    Tailing,
    /// Counts for commits and promises; another member orders updates, or nobody does yet.
    InSync,
    /// Named, collects promises.
    Candidate(Candidate),
    /// Has appended its marker, which is not committed yet.
    Activating(Box<Reign>),
    /// Orders updates.
    Primary(Box<Reign>),
}

/// What a candidate has heard.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Candidate {
    /// The epoch it was named for.
    pub(super) epoch: Epoch,
    /// Who has promised it, in which boot, with which log. The own promise is here once it is durable.
    pub(super) promises: BTreeMap<NodeId, (Boot, LogOutline)>,
    /// From whom the rest of the greatest log is asked for, if this replica does not have it.
    pub(super) source: Option<Source>,
    /// When those who have not promised are asked again.
    pub(super) ask_again: Moment,
}

/// The member whose log a candidate adopts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) member: Member,
    /// When it is asked again.
    pub(super) ask_again: Moment,
    /// When somebody else is looked for.
    pub(super) give_up: Moment,
}

/// What a replica has that has begun to reign.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Reign {
    pub(super) epoch: Epoch,
    /// Where the marker of the reign is. Nothing is committed before it is: only then do `W` members hold a record that
    /// no candidate of a lower epoch can displace.
    pub(super) marker: Offset,
    /// What each member is known to hold.
    pub(super) progress: Progress,
    /// What is on its way to whom.
    pub(super) feeds: BTreeMap<NodeId, Feed>,
    /// The newest records, for whoever lacks them.
    pub(super) tail: Tail,
    /// A change of the in-sync set that the system group has not decided.
    pub(super) undecided: Option<Undecided>,
    /// When the in-sync set is looked at again.
    pub(super) review: Option<Moment>,
    /// Nothing is proposed before.
    pub(super) quiet_until: Moment,
    pub(super) reads: Reads,
    /// The partition is being given away.
    pub(super) hand_off: Option<HandOff>,
}

/// What a primary knows that gives its partition away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct HandOff {
    /// Who is to reign next; none: the system group chooses, once the node has said that it leaves.
    pub(super) to: Option<Member>,
    /// When the reign goes on as it was, if no other has begun.
    pub(super) until: Moment,
    /// The successor has been proposed, so that it is proposed once.
    pub(super) is_proposed: bool,
}
