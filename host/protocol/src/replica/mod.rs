//! The partition replica: one copy of one partition, and its part in deciding which updates are certain.
//!
//! Problem: an update that a client was told of must survive every crash, and no two nodes may ever order the updates of
//! one partition at the same time, although each of them knows only its own disk and what the others last said.
//!
//! # If you know Raft
//!
//! Each partition is a log that one member writes and others copy, with terms (here *epochs*), a rule for the greatest
//! log, and a commit by quorum. Three things differ:
//!
//! - **Nobody campaigns.** A Raft group of its own, the *system group*, names the primary in a *row* of the partition
//!   table and gives it a higher epoch. Being named is not being elected: the named member is a candidate, and has to
//!   collect promises as in Raft's phase of votes. A wrong name costs time and never data, so the system group may guess.
//! - **The members are a set that changes often** (`S`, the in-sync set of Kafka), and the two quorums are numbers in the
//!   row. `W` members hold a record before it is committed; `r` members promise before a reign begins; `W + r > #S`, so
//!   the two always meet (I4). A majority is the special case of both being `#S / 2 + 1`. `W = #S, r = 1` survives the
//!   loss of all members but one; `W = 1` commits alone and then needs everybody for a recovery.
//! - **Followers execute nothing.** Records carry results. What is committed is applied, and nothing has to be undone.
//!
//! # A reign
//!
//! ```text
//!            listed in S                named, this boot        r promises, own log the greatest
//!  Tailing ───────────────► InSync ────────────────► Candidate(E) ────────────────► Activating(E)
//!     ▲                       ▲ ▲                    persists promise E             persists marker E
//!     └─ left S ──────────────┘ │                          │                              │ W hold the marker
//!                               │                          │                              ▼
//!                               └────── a row of a higher epoch ◄─────────────────── Primary(E)
//! ```
//!
//! 1. *Promise.* A promise of `E` on disk means: no support for any lower epoch, ever. The candidate asks the members at
//!    once, and its own promise has to be on disk before anybody else's counts, since it fences the reign that this very
//!    node may have had before (I7).
//! 2. *Adopt.* Of the `r` logs that came with the promises the greatest by (last epoch, offset) holds everything that was
//!    ever committed. Not the longest: a member that was fenced with a long unacknowledged tail has a longer log than one
//!    that followed the next reign for a single record, and the single record may be committed. If it is another's, the
//!    candidate cuts what that one does not have and fetches what it lacks itself.
//! 3. *Activate.* The candidate appends a *marker*, the first record of its epoch. Until `W` members hold it nothing of
//!    the reign and nothing left over from earlier ones is committed (I5); Raft's leader commits an entry of its own term
//!    first for the same reason. With the marker everything before it is committed at once.
//! 4. *Serve.* Updates are appended as they come, before the ones in front are committed, and sent to every copy. The
//!    `W`-th greatest proven end of `S` is the commit offset; it never falls. A read is answered once members, asked after
//!    it came, have said that they promised nothing higher; no clock takes part.
//! 5. *Step down.* A higher epoch ends the reign, be it in a row, in a question for a promise, in an append or in a refusal.
//!    What was appended and not committed is neither lost nor certain: the next reign commits it with its marker, or orders
//!    something else there, and then it is cut.
//!
//! No role survives a restart: the acknowledgements were in memory. A node that was primary waits to be named for a
//! higher epoch, and the row tells the boots apart.
//!
//! # How a record is named
//!
//! By its position, (epoch, offset). Two logs that have the same position have the same record there and the same
//! records below (I8), because the epoch has one primary and the primary one log. So logs are compared by the list of
//! which epoch began where, the [`Lineage`], without a look at a record; and a report about a record that was cut is told
//! from one about the record that took its place.
//!
//! # How to drive it
//!
//! The core has no clock, no disk and no peers: [`Replica::handle`] takes an [`Event`] and appends [`Effect`]s to a list of
//! the caller's. Rules for the caller, who holds a lock around the replica:
//!
//! - carry effects out in their order; what is persisted must become durable in the order in which it was asked for;
//! - say [`Event::Persisted`] and [`Event::PromisePersisted`] only when a power cut could not take it back (in the
//!   volatile lane: at once), and only of records that stand in the log now: one that was cut may be appended once more,
//!   further up, and is not durable there because it was once;
//! - apply what is committed only once it is durable in the own log, too ([`Replica::durable`]);
//! - ask [`Replica::admits`] under the same lock before [`Event::Proposed`];
//! - hand on messages only of the member at the other end of the connection, and none that was queued by an earlier boot;
//!   losing, repeating and reordering them is harmless;
//! - say [`Event::Tick`] when [`Replica::deadline`] is reached. Late is as safe as early: time decides when something is
//!   asked again, never what is true.
//!
//! A reign of a lone member, as a trace of a world prints it (`tests/scripts/activation.txt` is the same in the words of scripts,
//! `cluster_reign.txt` is one of three):
//!
//! ```text
//!  table changed to epoch 1 of 1.1, in sync 1.1, W 1, r 1, version 1   ►  persist the promise of epoch 1
//!  persisted the promise of epoch 1                                    ►  persist 1@0 after epoch 0: marker
//!  persisted up to 1@0                                                 ►  commit up to 0, serve epoch 1
//! ```
//!
//! # Where to read on
//!
//! | | |
//! |---|---|
//! | `candidate`, `adopt` | from the row to the marker; the greatest log of another member |
//! | `follower`, `truncate` | promises, appends, acknowledgements; the cut |
//! | `primary`, `commit` | from the marker to the commit; the rule of the quorum |
//! | `feeds`, `feed`, `tail` | what is on its way to which copy |
//! | `alter`, `undecided` | changing the in-sync set |
//! | `confirm`, `reads` | reads |
//! | `hand_off`, `rebuild`, `open`, `time` | what the driver wants or finds |
//! | `message`, `event`, `effect` | the words |
//! | [`invariants`] | what is checked after every event |
//!
//! Numbers (I4, W, r) are those of host/docs/protocol.md. Left out: joining copies that are no prefix of a log, observers,
//! accepted losses. In production nobody tells a replica yet who shall have copies ([`Event::TargetsChanged`]), which quorum
//! the group wants, or to hand off: a group has one node there. Source: host/docs/protocol.md, "The partition log", "A new reign".

mod adopt;
mod alter;
mod candidate;
mod commit;
mod confirm;
mod effect;
mod event;
mod feed;
mod feeds;
mod follower;
mod following;
mod hand_off;
pub mod invariants;
mod lineage;
mod message;
mod open;
mod primary;
mod progress;
mod reads;
mod rebuild;
mod role;
mod settings;
mod status;
mod tail;
mod time;
mod truncate;
mod undecided;

use std::collections::BTreeSet;

use steward_model::mutation::{self, Mutation};
use steward_model::{Epoch, Lane, Moment, Offset, PartitionId, Position};

pub use crate::cluster::row::{Alteration, Row};
pub use effect::{Effect, LogRead, Purpose};
pub use event::Event;
pub use lineage::{LINEAGE_EPOCHS_MIN, Lineage, LineageError};
pub use message::{Append, LogOutline, Message, Refused};
pub use open::{OpenError, Recovered};
pub use settings::Settings;
pub use status::{CopyStatus, Fence, Holders, NotAdmitted, RoleName, Status};
pub use steward_model::Member;

use following::Following;
use message::Said;
use role::Role;

/// One copy of one partition. See the head of this module for how to drive it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Replica {
    own: Member,
    partition: PartitionId,
    settings: Settings,
    /// The newest row of the partition table that was heard of.
    row: Option<Row>,
    /// Who shall have a copy, as far as it was told.
    targets: BTreeSet<Member>,
    /// How many members the group wants to hold an update.
    quorum: u32,
    /// The highest epoch whose promise is durable here.
    promised: Epoch,
    /// The highest epoch whose promise was asked to be persisted.
    promising: Epoch,
    /// Who waits for a promise that is not durable yet, or for the answer to a question about it.
    asker: Option<(Epoch, Member)>,
    lineage: Lineage,
    /// The oldest offset that the own log has.
    start: Offset,
    /// The last record of the own log, durable or not.
    end: Option<Position>,
    /// The last durable record of the own log.
    durable: Option<Offset>,
    /// The own log has been cut since it was opened: what is reported persisted may be a record that was cut meanwhile.
    was_cut: bool,
    /// The last record known to be committed.
    committed: Option<Offset>,
    /// The last record that every in-sync member is known to hold; logs are kept from behind it on. Never falls.
    low: Option<Offset>,
    /// What was taken from the primary of the promised epoch.
    following: Option<Following>,
    role: Role,
    /// When the replica took its role.
    since: Moment,
    /// The node stops: no reign that begins before then admits anything.
    leaves_until: Option<Moment>,
}

impl Replica {
    /// Takes one event and appends what must be done about it to `effects`.
    ///
    /// Events of an epoch that is over change nothing but what is known about the own disk.
    ///
    /// # Panics
    /// If the caller breaks a rule: proposes without having been admitted, reports something persisted that was not
    /// asked for, or shows a row that names this very boot for an epoch it promised before; and if another reign has ordered
    /// something else in the place of what is committed here: then an invariant of the group is broken, and nothing may go on.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::TableChanged(row) => self.table_changed(now, row, effects),
            Event::TargetsChanged(targets) => {
                self.targets = targets;
                self.row_altered(now, effects);
            }
            Event::QuorumChanged(quorum) => {
                self.quorum = quorum;
                self.review(now, effects);
            }
            Event::PromisePersisted(epoch) => self.promise_persisted(now, epoch, effects),
            Event::Proposed(entry) => self.proposed(now, entry, effects),
            Event::Persisted(position) => self.persisted(now, position, effects),
            Event::Received { from, message } => self.received(now, from, message, effects),
            Event::LogRead { read, records } => self.log_read(now, read, records, effects),
            Event::Trimmed { start } => self.trimmed(start),
            Event::Rebuilt { log } => self.rebuilt(log, effects),
            Event::ReadsAsked { through } => self.reads_asked(now, through, effects),
            Event::RowConfirmed { epoch, through } => self.row_confirmed(now, epoch, through, effects),
            Event::AlterationRefused { version } => self.alteration_refused(now, version, effects),
            Event::HandOffAsked { to } => self.hand_off_asked(now, to, effects),
            Event::LeaveAsked => self.leave_asked(now, effects),
            Event::Tick => self.tick(now, effects),
        }
        self.assert_sound();
    }

    /// Returns the partition that this is a copy of.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Returns the last committed offset, or none if nothing is known to be committed; it never falls.
    pub fn committed(&self) -> Option<Offset> {
        self.committed
    }

    /// Returns the last record of the own log, durable or not.
    pub fn end(&self) -> Option<Position> {
        self.end
    }

    /// Returns true if the own log has the record at `position`, durable or not.
    pub fn holds(&self, position: Position) -> bool {
        self.end.is_some_and(|end| position.offset <= end.offset) && self.lineage.contains(position)
    }

    /// Returns the position of the record at `offset` of the own log, if its epoch is remembered.
    pub fn position_at(&self, offset: Offset) -> Option<Position> {
        Some(Position { epoch: self.lineage.epoch_at(offset)?, offset })
    }

    /// Returns true if this replica orders the records of that epoch, or begins to.
    pub fn reigns_in(&self, epoch: Epoch) -> bool {
        match &self.role {
            Role::Tailing | Role::InSync | Role::Candidate(_) => false,
            Role::Activating(reign) | Role::Primary(reign) => reign.epoch == epoch,
        }
    }

    /// Returns the epoch of the newest row that was heard of, or the zero epoch before the first.
    pub fn epoch(&self) -> Epoch {
        self.row.as_ref().map_or(Epoch::ZERO, |row| row.epoch)
    }

    /// Returns the highest epoch whose promise is durable here.
    pub fn promised(&self) -> Epoch {
        self.promised
    }

    /// Returns the highest epoch whose promise was asked to be persisted. A checkpoint has to repeat this one, not
    /// [`Replica::promised`]: it may be on its way to the disk, in a part of the log that the checkpoint releases.
    pub fn promise_asked(&self) -> Epoch {
        self.promising
    }

    /// Returns the oldest offset of the own log.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// Returns from which offset on the log has to be kept: below, every in-sync member holds everything (I22).
    pub fn keeps_from(&self) -> Offset {
        self.low.map_or(Offset(0), Offset::next)
    }

    /// Returns the last durable offset of the own log. What is committed beyond it must not be applied yet: the log is what a
    /// restart trusts.
    pub fn durable(&self) -> Option<Offset> {
        self.durable
    }

    /// Returns which epoch began at which offset in the own log.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    fn received(&mut self, now: Moment, from: Member, message: Message, effects: &mut Vec<Effect>) {
        match message {
            Message::PromiseRequest { epoch } => self.promise_wanted(now, from, epoch, effects),
            Message::Promise { epoch, log } => self.promise_received(now, from, epoch, log, effects),
            Message::Append(append) => self.append_received(now, from, append, effects),
            Message::Acknowledgement { epoch, through, committed, low, start } => {
                self.acknowledgement_received(now, from, (epoch, through), Said { committed, low, start }, effects);
            }
            Message::Refusal { epoch, reason } => self.refused(now, from, epoch, reason, effects),
            Message::Fetch { epoch, after } => self.fetch_asked(from, epoch, after, effects),
            Message::Records { epoch, after, records } => {
                self.records_received(now, (from, epoch), after, records, effects);
            }
            Message::Confirm { epoch, round } => self.confirm_asked(from, epoch, round, effects),
            Message::Confirmed { epoch, round } => self.confirmed_by(now, from, epoch, round, effects),
        }
    }

    fn enter(&mut self, now: Moment, role: Role) {
        self.role = role;
        self.since = now;
    }

    /// Returns the offset of the next record of the own log.
    fn next_offset(&self) -> Offset {
        self.end.map_or(Offset(0), |end| end.offset.next())
    }

    /// Returns the epoch of the last record of the own log, or the zero epoch.
    fn last_epoch(&self) -> Epoch {
        self.end.map_or(Epoch::ZERO, |end| end.epoch)
    }
}

/// Returns true if what `member` says counts in `row`: its node is listed, in the volatile lane with this very boot.
fn is_listed(row: &Row, lane: Lane, member: Member) -> bool {
    is_counted(&row.in_sync, lane, member)
}

/// Returns true if what `member` says counts in a configuration with these members.
fn is_counted(members: &BTreeSet<Member>, lane: Lane, member: Member) -> bool {
    match lane {
        Lane::Volatile if !mutation::is(Mutation::BootUnchecked) => members.contains(&member),
        Lane::Persisted | Lane::Volatile => members.iter().any(|listed| listed.node == member.node),
    }
}
