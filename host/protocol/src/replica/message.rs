//! What members of one partition say to one another.
//!
//! Only answers so far: the questions (`PromiseReq`, `Append`, `Fetch` in host/docs/protocol.md, "Messages") come with a second member.

use steward_model::{Epoch, Position};

/// One message about one partition. Peers may repeat, delay and reorder them; none may change what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The sender will support no epoch below this one, and has that on disk.
    Promise {
        /// No lower epoch has the support of the sender from now on.
        epoch: Epoch,
        /// The last record of the sender's log.
        last: Option<Position>,
    },
    /// The sender holds the log of the primary of `epoch` up to and including `through`, durably. This says exactly
    /// what one append has proven, never the sender's own end.
    Acknowledgement {
        /// The reign in which the append was accepted.
        epoch: Epoch,
        /// The last record that the append has proven.
        through: Position,
    },
}

impl std::fmt::Display for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Message::Promise { epoch, last } => write!(f, "promised epoch {epoch}, log ends with {}", shown(last)),
            Message::Acknowledgement { epoch, through } => write!(f, "persisted up to {through} in epoch {epoch}"),
        }
    }
}

/// Returns the text of a value, or `nothing`.
pub(super) fn shown<T: std::fmt::Display>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| "nothing".to_owned(), T::to_string)
}
