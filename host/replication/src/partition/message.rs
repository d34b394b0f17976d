//! What a partition can be told.

use futures_channel::oneshot;
use steward_model::operation::EffectKey;
use steward_model::update::Entry;
use steward_model::{Epoch, Lsn, Position, Timestamp};
use steward_protocol::replica::{Event, Row};
use steward_storage::documents::Horizons;

use super::proposal::Proposal;

/// Something that a partition is told. Messages of one sender are taken in their order.
#[derive(Debug)]
pub enum Message {
    /// What the system group says about the partition.
    Row(Box<Row>),
    /// Somebody wants an update in the log.
    Propose(Box<Proposal>),
    /// The log is on disk through this place, where it had this record of the partition, the last one so far.
    Persisted {
        /// The record; it may have been cut meanwhile.
        end: Position,
        /// Everything in the log up to here is on disk.
        through: Lsn,
    },
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
    /// Somebody waits for the confirmation that what is committed here is the newest committed state of all.
    Confirm(oneshot::Sender<()>),
    /// The moment has come for which the copy wanted to be woken.
    Tick,
    /// Something for the core that concerns nothing else: what another member said, what the log has.
    Core(Box<Event>),
    /// The log may have room again for what it refused.
    SpaceInLog,
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Message::Row(row) => write!(f, "table changed to {row}"),
            Message::Propose(proposal) => write!(f, "proposed {proposal}"),
            Message::Persisted { end, .. } => write!(f, "{}", Event::Persisted(*end)),
            Message::PromisePersisted(epoch) => write!(f, "{}", Event::PromisePersisted(*epoch)),
            Message::Settle { keys, .. } => write!(f, "carried out effects: {}", keys.len()),
            Message::Forget(Horizons { tombstones_below, answers_below, .. }) => {
                let (tombstones_below, answers_below) = (*tombstones_below, *answers_below);
                write!(f, "proposed {}", Entry::Forget { tombstones_below, answers_below })
            }
            Message::Confirm(_) => f.write_str("a read waits"),
            Message::Tick => write!(f, "{}", Event::Tick),
            Message::Core(event) => write!(f, "{event}"),
            Message::SpaceInLog => f.write_str("found space in the log"),
        }
    }
}
