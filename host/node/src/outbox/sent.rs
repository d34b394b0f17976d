//! What became of an effect that was sent.

use steward_model::operation::EffectReply;

use crate::operation::Patience;

/// What became of sending.
pub(super) enum Sent {
    /// There is an answer that would not change.
    Answered(EffectReply),
    /// It may be answered later.
    Later {
        /// Why it was not.
        reason: String,
        /// How long it is worth trying.
        patience: Patience,
        /// The answer if it is given up.
        otherwise: EffectReply,
    },
}

/// Returns what the document of an effect is told that nobody answered.
pub(super) fn unanswered(to: &str) -> EffectReply {
    EffectReply { status: 0, headers: Vec::new(), body: None, from: to.to_owned() }
}
