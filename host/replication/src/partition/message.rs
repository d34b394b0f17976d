//! What a partition can be told.

use steward_model::operation::EffectKey;
use steward_model::update::Entry;
use steward_model::{Epoch, Position, Timestamp};
use steward_protocol::replica::{self, Event, Member, Row};
use steward_storage::documents::Horizons;

use super::proposal::Proposal;

/// Something that a partition is told. Messages of one sender are taken in their order.
#[derive(Debug)]
pub enum Message {
    /// What the system group says about the partition.
    Row(Box<Row>),
    /// Somebody wants an update in the log.
    Propose(Box<Proposal>),
    /// The log is on disk through this record.
    Persisted(Position),
    /// The promise is on disk.
    PromisePersisted(Epoch),
    /// Effects were carried out and are no longer pending.
    Settle {
        /// Which; all of one document.
        keys: Vec<EffectKey>,
        /// The time of the record that says so.
        at: Timestamp,
    },
    /// What is below is old enough to be forgotten, says the state store of the primary.
    Forget(Horizons),
    /// Another member said something, over a connection that vouches for its node and boot.
    Received {
        /// The member at the other end of the connection.
        from: Member,
        /// A promise or an acknowledgement.
        message: replica::Message,
    },
    /// The log may have room again for what it refused.
    SpaceInLog,
    /// Another reign ordered something else behind this record; nothing of it was committed.
    Truncated {
        /// The last record that stays.
        after: Option<Position>,
    },
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Message::Row(row) => write!(f, "table changed to {row}"),
            Message::Propose(proposal) => write!(f, "proposed {proposal}"),
            Message::Persisted(position) => write!(f, "{}", Event::Persisted(*position)),
            Message::PromisePersisted(epoch) => write!(f, "{}", Event::PromisePersisted(*epoch)),
            Message::Settle { keys, .. } => write!(f, "carried out effects: {}", keys.len()),
            Message::Forget(Horizons { tombstones_below, answers_below }) => {
                let (tombstones_below, answers_below) = (*tombstones_below, *answers_below);
                write!(f, "proposed {}", Entry::Forget { tombstones_below, answers_below })
            }
            Message::Received { from, message } => {
                write!(f, "{}", Event::Received { from: *from, message: *message })
            }
            Message::SpaceInLog => f.write_str("found space in the log"),
            Message::Truncated { after } => write!(f, "{}", Event::Truncated { after: *after }),
        }
    }
}
