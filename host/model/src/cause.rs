//! Why a service is called.

use serde::{Deserialize, Serialize};

/// What led to the call of a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// A client sent a request.
    Client,
    /// An effect of another document, or of this one, asked.
    Effect,
    /// The document starts on this node.
    Start,
    /// The maintenance interval has passed, or the document has expired.
    Maintenance,
    /// An effect with a reply tag was answered.
    Reply,
}

impl Cause {
    /// Returns the word for it in metrics and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Client => "client",
            Cause::Effect => "effect",
            Cause::Start => "start",
            Cause::Maintenance => "maintenance",
            Cause::Reply => "reply",
        }
    }
}
