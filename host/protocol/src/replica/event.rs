//! What can happen to a replica.

use steward_model::update::Entry;
use steward_model::{Epoch, Position};

use super::message::shown;
use super::{Member, Message, Row};

/// Something that happened, to the disk, the partition table or another member.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The system group changed the partition's row, or the replica has just been opened and this is the row so far.
    TableChanged(Row),
    /// The promise of this epoch is durable.
    PromisePersisted(Epoch),
    /// An admitted operation wants this entry appended. Its document carries [`super::Replica::next_position`].
    Proposed(Entry),
    /// The own log is durable up to and including this record.
    Persisted(Position),
    /// Everything behind this record was cut off the own log, because another reign ordered something else there; none: all of
    /// it. Nothing of what was cut is known to be committed.
    Truncated {
        /// The last record that is left.
        after: Option<Position>,
    },
    /// Another member said something, over a connection that vouches for its node and boot.
    Received {
        /// The member at the other end of the connection.
        from: Member,
        /// A promise or an acknowledgement.
        message: Message,
    },
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Event::TableChanged(row) => write!(f, "table changed to {row}"),
            Event::PromisePersisted(epoch) => write!(f, "persisted the promise of epoch {epoch}"),
            Event::Proposed(entry) => write!(f, "proposed {entry}"),
            Event::Persisted(position) => write!(f, "persisted up to {position}"),
            Event::Truncated { after } => write!(f, "cut after {}", shown(after)),
            Event::Received { from, message } => write!(f, "heard from {from}: {message}"),
        }
    }
}
