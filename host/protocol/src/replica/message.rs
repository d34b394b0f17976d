//! What members of one partition say to one another.
//!
//! | question | from → to | answers |
//! |---|---|---|
//! | [`Message::PromiseRequest`] | candidate → members of `S` | [`Message::Promise`], [`Message::Refusal`] |
//! | [`Message::Fetch`] | candidate → the member with the greatest log | [`Message::Records`] |
//! | [`Message::Append`] | primary → whoever shall have a copy | [`Message::Acknowledgement`], [`Message::Refusal`] |
//! | [`Message::Confirm`] | primary → members of `S` | [`Message::Confirmed`], [`Message::Refusal`] |
//!
//! Each carries the epoch of the reign that asks, also the answers. Peers may lose, repeat, delay and reorder all of them;
//! none may change what was decided. The connection vouches for node and boot at its other end, so no message names its
//! sender.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::update::Record;
use steward_model::{Epoch, Offset, Position};

use super::lineage::Lineage;

/// One message about one partition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// The sender was named for this epoch: who promises it supports no lower one.
    PromiseRequest {
        /// The epoch for which the sender was named.
        epoch: Epoch,
    },
    /// The sender will support no epoch below this one, and has that on disk.
    Promise {
        /// No lower epoch has the support of the sender from now on.
        epoch: Epoch,
        /// The log of the sender, all of it durable.
        log: LogOutline,
    },
    /// Records of a reign, or none: then it asks what the receiver has, and tells it what is committed.
    Append(Append),
    /// The sender holds the log of the primary of `epoch` up to and including `through`, durably. This says exactly
    /// what appends have proven, never the sender's own end.
    Acknowledgement {
        /// The reign in which the append was accepted.
        epoch: Epoch,
        /// The last record that appends have proven; none: the empty log.
        through: Option<Position>,
        /// The last record that the sender knows to be committed.
        committed: Option<Offset>,
        /// What the sender knows every member to hold.
        low: Option<Offset>,
        /// The oldest offset of the sender's log.
        start: Offset,
    },
    /// What was asked for is not done.
    Refusal {
        /// The reign that asked.
        epoch: Epoch,
        /// Why not.
        reason: Refused,
    },
    /// The sender adopts the receiver's log and asks for what follows.
    Fetch {
        /// The epoch for which the sender was named, and which the receiver has promised.
        epoch: Epoch,
        /// The last record that both have; none: neither has any.
        after: Option<Position>,
    },
    /// Records of the sender's log, which the receiver adopts.
    Records {
        /// The epoch for which the receiver was named.
        epoch: Epoch,
        /// The record before the first of them.
        after: Option<Position>,
        /// In their order, without gaps.
        #[serde(with = "shared")]
        records: Vec<Arc<Record>>,
    },
    /// Has the receiver promised anything above this epoch?
    Confirm {
        /// The reign of the sender.
        epoch: Epoch,
        /// Which question of this reign; it covers the reads that came before it was first asked.
        round: u64,
    },
    /// The sender has promised nothing above this epoch.
    Confirmed {
        /// The reign that asked.
        epoch: Epoch,
        /// The question that this answers.
        round: u64,
    },
}

/// Records of a reign on their way to a copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Append {
    /// The reign of the sender.
    pub epoch: Epoch,
    /// The record before the first one; none: the log begins with it.
    pub previous: Option<Position>,
    /// In their order, without gaps.
    #[serde(with = "shared")]
    pub records: Vec<Arc<Record>>,
    /// The last record that the sender knows to be committed.
    pub committed: Option<Offset>,
    /// The last record that every in-sync member holds: logs are kept from behind it on.
    pub low: Option<Offset>,
}

/// A log without its records: enough to find where it parts from another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct LogOutline {
    /// Which epoch began at which offset.
    pub lineage: Lineage,
    /// The last record; none: the log has none.
    pub last: Option<Position>,
    /// The oldest offset that the log still has.
    pub start: Offset,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Refused {
    /// A higher epoch was promised: the reign that asked is over.
    Promised(Epoch),
    /// The record before the first one is not in the log.
    Unmatched {
        /// What is there, so that the primary finds where the two logs part.
        log: LogOutline,
        /// The last record that the refusing member knows to be committed. Every log of a reign agrees up to there.
        committed: Option<Offset>,
    },
}

impl Format for Message {
    const NAME: &'static str = "message of a replica";
    // The second has recordings in its records.
    const VERSION: u8 = 2;
    const READABLE_FROM: u8 = 2;
}

impl Append {
    /// Returns the last record that the message proves to whoever takes it.
    pub fn proves(&self) -> Option<Position> {
        self.records.last().map_or(self.previous, |record| Some(record.position))
    }
}

impl std::fmt::Display for Append {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Append { epoch, previous, records, committed, low } = self;
        write!(f, "append in epoch {epoch} after {}: {}", shown(previous), Run(records))?;
        write!(f, ", committed {}, low {}", shown(committed), shown(low))
    }
}

impl std::fmt::Display for LogOutline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "log {} to {}, from {}", self.lineage, shown(&self.last), self.start)
    }
}

/// What a copy says beside what it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    /// The last record that it knows to be committed.
    pub(super) committed: Option<Offset>,
    /// The last one that it knows every member to hold.
    pub(super) low: Option<Offset>,
    /// The oldest offset of its log.
    pub(super) start: Offset,
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Message::PromiseRequest { epoch } => write!(f, "promise epoch {epoch}?"),
            Message::Promise { epoch, log } => write!(f, "promised epoch {epoch}, {log}"),
            Message::Append(append) => write!(f, "{append}"),
            Message::Acknowledgement { epoch, through, committed, start, .. } => {
                let (through, committed) = (shown(through), shown(committed));
                write!(f, "persisted up to {through} in epoch {epoch}, committed {committed}, log from {start}")
            }
            Message::Refusal { epoch, reason: Refused::Promised(promised) } => {
                write!(f, "epoch {epoch} is over, {promised} is promised")
            }
            Message::Refusal { epoch, reason: Refused::Unmatched { log, committed } } => {
                write!(f, "append in epoch {epoch} does not fit, {log}, committed {}", shown(committed))
            }
            Message::Fetch { epoch, after } => write!(f, "what follows {} for epoch {epoch}?", shown(after)),
            Message::Records { epoch, after, records } => {
                write!(f, "records after {} for epoch {epoch}: {}", shown(after), Run(records))
            }
            Message::Confirm { epoch, round } => write!(f, "is epoch {epoch} the last one? question {round}"),
            Message::Confirmed { epoch, round } => write!(f, "epoch {epoch} is the last one, answer {round}"),
        }
    }
}

impl Message {
    /// Returns about how many bytes of records the message carries; 0 for all that carry none, which are small.
    pub fn record_bytes(&self) -> usize {
        let records = match self {
            Message::Append(append) => &append.records,
            Message::Records { records, .. } => records,
            Message::PromiseRequest { .. }
            | Message::Promise { .. }
            | Message::Acknowledgement { .. }
            | Message::Refusal { .. }
            | Message::Fetch { .. }
            | Message::Confirm { .. }
            | Message::Confirmed { .. } => return 0,
        };
        records.iter().map(|record| record.bytes()).sum()
    }
}

/// Records as people read them: the positions of the first and the last.
struct Run<'a>(&'a [Arc<Record>]);

impl std::fmt::Display for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            [] => f.write_str("nothing"),
            [only] => write!(f, "{}", only.position),
            [first, .., last] => write!(f, "{} to {}", first.position, last.position),
        }
    }
}

/// Returns the text of a value, or `nothing`.
pub(super) fn shown<T: std::fmt::Display>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| "nothing".to_owned(), T::to_string)
}

/// Records that log, memory and messages share are written as if each stood there for itself.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};
    use steward_model::update::Record;

    pub(super) fn serialize<S: Serializer>(records: &[Arc<Record>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(records.iter().map(Arc::as_ref))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<Record>>, D::Error> {
        Ok(Vec::<Record>::deserialize(deserializer)?.into_iter().map(Arc::new).collect())
    }
}

#[cfg(test)]
mod tests {
    use steward_model::codec;
    use steward_model::update::Entry;

    use super::*;

    #[test]
    fn messages_with_records_round_trip() {
        let epoch = Epoch::ZERO.next_ownership();
        let position = Position { epoch, offset: Offset(0) };
        let record = Arc::new(Record { position, previous: Epoch::ZERO, entry: Entry::Marker });
        let append = Append { epoch, previous: None, records: vec![record], committed: None, low: Some(Offset(3)) };
        let message = Message::Append(append);
        assert_eq!(codec::decode::<Message>(&codec::encode(&message)), Ok(message));
    }

    #[test]
    fn a_lineage_that_falls_is_no_message() {
        let bytes = codec::encode(&Message::PromiseRequest { epoch: Epoch::ZERO });
        assert!(codec::decode::<Message>(&bytes).is_ok());
        let falling = vec![(Epoch::ZERO.next_ownership(), Offset(4)), (Epoch::ZERO, Offset(5))];
        assert!(Lineage::try_from(falling).is_err());
    }
}
