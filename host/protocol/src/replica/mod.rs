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
//! 1. *Promise.* A promise of `E` on disk means: no support for any lower epoch, ever. The candidate gives its own before
//!    anybody else's counts, since it fences the reign that this very node may have had before (I7).
//! 2. *Adopt.* Of the `r` logs that came with the promises the greatest by (last epoch, offset) holds everything that was
//!    ever committed. Not the longest: a member that was fenced with a long unacknowledged tail has a longer log than one
//!    that followed the next reign for a single record, and the single record may be committed.
//! 3. *Activate.* The candidate appends a *marker*, the first record of its epoch. Until `W` members hold it nothing of
//!    the reign and nothing left over from earlier ones is committed (I5); Raft's leader commits an entry of its own term
//!    first for the same reason. With the marker everything before it is committed at once.
//! 4. *Serve.* Updates are appended as they come, before the ones in front are committed. The `W`-th greatest proven end
//!    of `S` is the commit offset; it never falls.
//! 5. *Step down.* A row of a higher epoch ends the reign. What was appended and not committed is neither lost nor
//!    certain: the next reign commits it with its marker, or orders something else there, and then it is cut.
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
//!   volatile lane: at once);
//! - ask [`Replica::admits`] under the same lock before [`Event::Proposed`].
//!
//! A reign of a lone member, as a trace of a world prints it (`tests/scripts/activation.txt` is the same in the words of scripts):
//!
//! ```text
//!  table changed to epoch 1 of 1.1, in sync 1.1, W 1, r 1, version 1   ►  persist the promise of epoch 1
//!  persisted the promise of epoch 1                                    ►  persist 1@0 after epoch 0: marker
//!  persisted up to 1@0                                                 ►  commit up to 0, serve epoch 1
//! ```
//!
//! # Where to read on
//!
//! `candidate` from the row to the marker, `primary` from the marker to the commit, `commit` the rule of the quorum,
//! `truncate` the cut, `open` what a restart may find, [`invariants`] what is checked after every event. Numbers (I4, W, r)
//! are those of host/docs/protocol.md.
//!
//! Departures from the source: promises and acknowledgements of other members are understood, the messages that ask for
//! them are not sent yet; a candidate whose log is not the greatest therefore waits. Confirmations of reads are left out:
//! with one member the primary confirms its own. Source: host/docs/protocol.md, "The partition log", "A new reign".

mod candidate;
mod commit;
mod effect;
mod event;
pub mod invariants;
mod lineage;
mod message;
mod open;
mod primary;
mod progress;
mod role;
mod status;
mod truncate;

use steward_model::{Epoch, Lane, Moment, Offset, PartitionId, Position};

pub use crate::cluster::row::Row;
pub use effect::Effect;
pub use event::Event;
pub use lineage::{LINEAGE_EPOCHS_MIN, Lineage, LineageError};
pub use message::Message;
pub use open::{OpenError, Recovered};
pub use status::{NotAdmitted, RoleName, Status};
pub use steward_model::Member;

use role::Role;

/// One copy of one partition. See the head of this module for how to drive it.
#[derive(Debug, Clone, PartialEq)]
pub struct Replica {
    own: Member,
    partition: PartitionId,
    /// The newest row of the partition table that was heard of.
    row: Option<Row>,
    /// The highest epoch whose promise is durable here.
    promised: Epoch,
    /// The highest epoch whose promise was asked to be persisted.
    promising: Epoch,
    lineage: Lineage,
    /// The last record of the own log, durable or not.
    end: Option<Position>,
    /// The last durable record of the own log.
    durable: Option<Offset>,
    /// The own log has been cut since it was opened: what is reported persisted may be a record that was cut meanwhile.
    was_cut: bool,
    /// The last record known to be committed.
    committed: Option<Offset>,
    role: Role,
    /// When the replica took its role.
    since: Moment,
}

impl Replica {
    /// Takes one event and appends what must be done about it to `effects`.
    ///
    /// Events of an epoch that is over change nothing but what is known about the own disk.
    ///
    /// # Panics
    /// If the caller breaks a rule: proposes without having been admitted, reports something persisted that was not
    /// asked for, cuts off what is committed or what this replica orders itself, or shows a row that names this very boot for an epoch it promised before.
    pub fn handle(&mut self, now: Moment, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::TableChanged(row) => self.table_changed(now, row, effects),
            Event::PromisePersisted(epoch) => self.promise_persisted(now, epoch, effects),
            Event::Proposed(entry) => self.proposed(entry, effects),
            Event::Persisted(position) => self.persisted(now, position, effects),
            Event::Truncated { after } => self.truncated(after),
            Event::Received { from, message } => self.received(now, from, message, effects),
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

    /// Returns which epoch began at which offset in the own log.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    fn received(&mut self, now: Moment, from: Member, message: Message, effects: &mut Vec<Effect>) {
        match message {
            Message::Promise { epoch, last } => self.promise_received(now, from, epoch, last, effects),
            Message::Acknowledgement { epoch, through } => {
                self.acknowledgement_received(now, from, epoch, through, effects);
            }
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
    match lane {
        Lane::Persisted => row.in_sync.iter().any(|listed| listed.node == member.node),
        Lane::Volatile => row.in_sync.contains(&member),
    }
}
