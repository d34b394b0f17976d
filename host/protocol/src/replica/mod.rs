//! The partition replica: one copy of one partition, and its part in deciding which updates are certain.
//!
//! Problem: an update that a client was told of must survive every crash, and no two nodes may ever order the updates of
//! one partition at the same time, although each of them knows only its own disk and what the others last said.
//!
//! Promise: [`Effect::Commit`] names only records that `W` members of the in-sync set hold durably, and only once a
//! record of this very reign does (its marker). Whoever reigns next listens to `r = #S − W + 1` members, hence to at
//! least one that holds every committed record, and carries them on. Epochs fence: a replica that has promised a higher
//! epoch has nothing more to say in a lower one.
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
//! The core has no clock, no disk and no peers: [`Replica::handle`] takes what happened and appends what must be done to
//! a list of the caller's. Rules for the caller, who holds a lock around the replica:
//!
//! - carry effects out in their order; what is persisted must become durable in the order in which it was asked for;
//! - say [`Event::Persisted`] and [`Event::PromisePersisted`] only when a power cut could not take it back (in the
//!   volatile lane: at once);
//! - ask [`Replica::admits`] under the same lock before [`Event::Proposed`].
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
