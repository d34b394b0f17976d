//! What can happen to a replica.

use std::collections::BTreeSet;
use std::sync::Arc;

use steward_model::update::{Entry, Record};
use steward_model::{Epoch, Offset, Position};

use super::effect::LogRead;
use super::message::{LogOutline, shown};
use super::{Member, Message, Row};
use crate::cluster::row::Members;

/// Something that happened, to the disk, the partition table or another member.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The system group changed the partition's row, or the replica has just been opened and this is the row so far.
    TableChanged(Row),
    /// Who shall have a copy, in the in-sync set or not: the primary feeds them, and proposes those that have caught up.
    TargetsChanged(BTreeSet<Member>),
    /// The quorum that the group wants: the primary raises `W` to it as soon as it has the members.
    QuorumChanged(u32),
    /// The promise of this epoch is durable.
    PromisePersisted(Epoch),
    /// An admitted operation wants this entry appended. Its document carries [`super::Replica::next_position`].
    Proposed(Entry),
    /// The own log is durable up to and including this record, which stands in it now.
    Persisted(Position),
    /// Another member said something, over a connection that vouches for its node and boot.
    Received {
        /// The member at the other end of the connection.
        from: Member,
        /// What it said.
        message: Message,
    },
    /// The log was read as [`super::Effect::ReadLog`] asked.
    LogRead {
        /// What was asked for.
        read: LogRead,
        /// What the log has there, from the first record on; none: it begins further up.
        records: Vec<Arc<Record>>,
    },
    /// The log no longer has what is below this offset.
    Trimmed {
        /// The oldest offset that it has.
        start: Offset,
    },
    /// The copy was made anew out of another one: documents as of the last record of `log`, and the records of the log from
    /// its start on. Everything of it is durable, and so is the promise of its last epoch.
    Rebuilt {
        /// The log that it has now, all of it committed.
        log: LogOutline,
    },
    /// Somebody waits for the confirmation of reads up to this number; numbers rise, also across reigns.
    ReadsAsked {
        /// The number of the last read that waits.
        through: u64,
    },
    /// The system group said, when it was asked after this read had come, that the row has this epoch.
    RowConfirmed {
        /// The epoch of the row.
        epoch: Epoch,
        /// The number of the last read that had come before.
        through: u64,
    },
    /// The system group has refused an alteration of the row with this version.
    AlterationRefused {
        /// The version that the alteration carried.
        version: u64,
    },
    /// The partition is to be handed to this member.
    HandOffAsked {
        /// Who shall reign next.
        to: Member,
    },
    /// The node stops: the system group is going to name another member. Said again within `hand_off_patience` until it has, else
    /// the reign goes on; reigns that begin meanwhile admit nothing either.
    LeaveAsked,
    /// Time has passed: [`super::Replica::deadline`] is reached, or somebody looks in between.
    Tick,
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Event::TableChanged(row) => write!(f, "table changed to {row}"),
            Event::TargetsChanged(targets) => write!(f, "copies belong on {}", Members(targets)),
            Event::QuorumChanged(quorum) => write!(f, "the group wants {quorum} to hold an update"),
            Event::PromisePersisted(epoch) => write!(f, "persisted the promise of epoch {epoch}"),
            Event::Proposed(entry) => write!(f, "proposed {entry}"),
            Event::Persisted(position) => write!(f, "persisted up to {position}"),
            Event::Received { from, message } => write!(f, "heard from {from}: {message}"),
            Event::LogRead { read, records } => write!(f, "read {} records: {read}", records.len()),
            Event::Trimmed { start } => write!(f, "log begins at {start}"),
            Event::Rebuilt { log } => write!(f, "made anew, committed up to {}, {log}", shown(&log.last)),
            Event::ReadsAsked { through } => write!(f, "reads up to {through} wait"),
            Event::RowConfirmed { epoch, through } => {
                write!(f, "system group: epoch {epoch} is the last one, reads up to {through}")
            }
            Event::AlterationRefused { version } => write!(f, "alteration of version {version} was refused"),
            Event::HandOffAsked { to } => write!(f, "to be handed to {to}"),
            Event::LeaveAsked => f.write_str("to be given away, for the node stops"),
            Event::Tick => f.write_str("time has passed"),
        }
    }
}
