//! What a partition can be told.

use steward_model::operation::EffectKey;
use steward_model::{Epoch, Position, Timestamp};
use steward_protocol::replica::{self, Member, Row};
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
        /// When.
        at: Timestamp,
    },
    /// What is below is old enough to be forgotten, says the state store of the primary.
    Forget(Horizons),
    /// Another member said something, over a connection that vouches for its node and boot.
    Received {
        /// Who said it.
        from: Member,
        /// What was said.
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
            Message::Row(row) => write!(f, "row epoch={} primary={} version={}", row.epoch, row.primary, row.version),
            Message::Propose(proposal) => write!(f, "propose {}", proposal.link()),
            Message::Persisted(position) => write!(f, "persisted through={position}"),
            Message::PromisePersisted(epoch) => write!(f, "promise-persisted epoch={epoch}"),
            Message::Settle { keys, .. } => write!(f, "settle {} effects", keys.len()),
            Message::Forget(Horizons { tombstones_below, answers_below }) => {
                write!(f, "forget tombstones below {tombstones_below} and answers below {answers_below}")
            }
            Message::Received { from, message } => write!(f, "received from={from} {message}"),
            Message::SpaceInLog => f.write_str("space in log"),
            Message::Truncated { after: Some(after) } => write!(f, "truncated after={after}"),
            Message::Truncated { after: None } => f.write_str("truncated all"),
        }
    }
}
