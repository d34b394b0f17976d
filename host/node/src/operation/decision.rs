//! The decision on one operation, by a guest or by the host, before it becomes a record of the log.

use bytes::Bytes;
use steward_model::Timestamp;
use steward_model::document::UpdateAction;
use steward_model::operation::{Effect, EffectKey, Header, Outcome};

use super::Status;

/// What happens to the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: no new version.
    Unchanged,
    /// It gets this state.
    State(Bytes),
    /// It gets this state as the first version of a new life; older versions are forgotten.
    Reborn(Bytes),
    /// It becomes a tombstone with this state.
    Tombstone(Bytes),
    /// It becomes a tombstone without a state; older versions are forgotten.
    Expired,
}

/// The body of an answer where there is no document.
pub(super) const NO_DOCUMENT: Bytes = Bytes::from_static(b"{}");

/// What the client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// The document after the operation.
    State,
    /// This JSON text.
    Json(Bytes),
    /// There is no document: [`NO_DOCUMENT`].
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    pub next: Next,
    pub action: UpdateAction,
    pub status: Status,
    pub answer: Answer,
    pub headers: Vec<Header>,
    pub effects: Vec<Effect>,
    pub expires: Option<Timestamp>,
    pub settled: Vec<EffectKey>,
    pub source: Option<String>,
    /// The document begins anew, whatever was there before.
    pub creates: bool,
}

impl Decision {
    /// Returns the decision to leave everything as it is and show the document.
    pub(super) fn nothing(action: UpdateAction) -> Decision {
        Decision {
            next: Next::Unchanged,
            action,
            status: Status::Ok,
            answer: Answer::State,
            headers: Vec::new(),
            effects: Vec::new(),
            expires: None,
            settled: Vec::new(),
            source: None,
            creates: false,
        }
    }

    /// Returns the decision to delete what is not there.
    pub(super) fn absent() -> Decision {
        Decision { answer: Answer::Nothing, ..Decision::nothing(UpdateAction::Delete) }
    }

    /// Returns the decision that a guest's outcome stands for.
    pub(super) fn of_guest(outcome: Outcome, action: UpdateAction, usual: Status) -> Decision {
        Decision {
            next: outcome.document.map_or(Next::Unchanged, Next::State),
            status: if outcome.status == 0 { usual } else { Status::Chosen(outcome.status) },
            answer: outcome.reply.map_or(Answer::State, Answer::Json),
            headers: outcome.headers,
            effects: outcome.effects,
            expires: outcome.expires,
            ..Decision::nothing(action)
        }
    }

    /// Returns true if there is nothing to put into the log.
    pub(super) fn changes_nothing(&self) -> bool {
        self.next == Next::Unchanged && self.effects.is_empty() && self.settled.is_empty() && self.expires.is_none()
    }
}
