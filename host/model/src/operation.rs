//! Operations: actions on self-links on their way through the host, and what guests decide about them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::bytes_run;
use crate::document::Version;
use crate::epoch::Epoch;
use crate::line::one_line;
use crate::link::Link;
use crate::mutation::{self, Mutation};
use crate::offset::Position;
use crate::time::Timestamp;

/// What an operation asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Read.
    Get,
    /// Create a child, or what a service makes of it.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Delete.
    Delete,
}

impl Action {
    /// Returns the word as HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Get => "GET",
            Action::Post => "POST",
            Action::Put => "PUT",
            Action::Patch => "PATCH",
            Action::Delete => "DELETE",
        }
    }
}

/// Why a handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// A client asked.
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

/// One header of a request or reply; names are lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Header {
    /// Lower-case name.
    pub name: String,
    /// Value.
    pub value: String,
}

/// What a handler is told besides the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The document's self-link; for a stateless service the path that was asked for.
    pub link: Link,
    /// The query part of the URI without the question mark.
    pub query: String,
    /// Headers of the request.
    pub headers: Vec<Header>,
    /// The body as it was sent: JSON in UTF-8.
    pub body: Option<Bytes>,
    /// Who asks: the self-link of a user, or empty.
    pub principal: String,
    /// Why the handler runs.
    pub cause: Cause,
    /// Now; fixed during one call.
    pub now: Timestamp,
    /// Randomness for the call.
    pub seed: u64,
    /// The document's version before this request; 0 while it is created.
    pub version: Version,
    /// False only while the document is created.
    pub exists: bool,
    /// When the document expires; zero: never.
    pub expires: Timestamp,
}

/// One request that a guest wants sent after the commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Effect {
    /// A self-link (with or without a query), or an allow-listed URL.
    pub to: String,
    /// What is asked of it.
    pub action: Action,
    /// Headers to send.
    pub headers: Vec<Header>,
    /// JSON body to send.
    #[serde(with = "optional_run")]
    pub body: Option<Bytes>,
    /// How long to wait after the commit, in milliseconds; 0: at once.
    pub delay_millis: i64,
    /// Not empty: the answer comes back to the document as `handle-reply` with this tag.
    pub reply_tag: String,
}

/// Most effects of one record.
pub const EFFECTS_MAX: u32 = 256;

/// Names one effect for ever, and is its idempotency key: `<link>@<incarnation>.<epoch>.<offset>#<number>`.
///
/// The record that issued it never comes again: epochs rise whenever a partition begins anew, so that neither a purged
/// document whose link is used once more, nor a volatile partition that starts empty, nor a loss that was accepted can make
/// the same name twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectKey {
    /// The document that issued it.
    pub link: Link,
    /// The record that issued it.
    pub at: Position,
    /// Its place among the effects of that record, below [`EFFECTS_MAX`].
    pub number: u32,
}

impl std::fmt::Display for EffectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Position { epoch, offset } = self.at;
        let reign = match mutation::is(Mutation::EffectKeyWithoutEpoch) {
            true => Epoch::ZERO,
            false => Epoch { incarnation: 0, ..epoch },
        };
        write!(f, "{}@{}.{}.{offset}#{}", self.link, epoch.incarnation, reign.as_u64(), self.number)
    }
}

/// What a handler decides. Nothing of it happens before the commit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The new state, a JSON object in UTF-8; none: state unchanged, no new version.
    pub document: Option<Bytes>,
    /// Status of the answer; 0: the host's choice.
    pub status: u16,
    /// Headers of the answer.
    pub headers: Vec<Header>,
    /// Body of the answer, JSON in UTF-8; none: the state after the request.
    pub reply: Option<Bytes>,
    /// Requests to send after the commit, in this order.
    pub effects: Vec<Effect>,
    /// When the document shall expire; none: unchanged; zero: never.
    pub expires: Option<Timestamp>,
}

/// Why a guest refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", one_line(code), one_line(message))]
pub struct Fault {
    /// 400 to 599.
    pub status: u16,
    /// A stable, short name in kebab case.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// JSON pointer to the field at fault, or empty.
    pub pointer: String,
}

/// The answer to an effect, as its document is told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectReply {
    /// HTTP status; 0 if nothing answered before the effect was given up.
    pub status: u16,
    /// Headers of the answer.
    pub headers: Vec<Header>,
    /// Body of the answer.
    pub body: Option<Bytes>,
    /// The link or URL that was asked.
    pub from: String,
}

/// Serializes an optional run of bytes.
mod optional_run {
    use super::{Bytes, bytes_run};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Run(#[serde(with = "bytes_run")] Bytes);

    pub(super) fn serialize<S: Serializer>(run: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
        run.clone().map(Run).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
        Ok(Option::<Run>::deserialize(deserializer)?.map(|run| run.0))
    }
}
