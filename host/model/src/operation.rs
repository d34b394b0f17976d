//! Operations: actions on self-links on their way through the host, and what guests decide about them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use crate::cause::Cause;
use crate::codec::bytes_run;
use crate::document::Version;
use crate::epoch::Epoch;
use crate::line::one_line;
use crate::link::Link;
use crate::mutation::{self, Mutation};
use crate::offset::Position;
use crate::time::Timestamp;

/// The action that an operation asks for: the methods of HTTP that change or read a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// Read the state; changes nothing.
    Get,
    /// Create a child of a factory. At a document: whatever the service makes of it.
    Post,
    /// Replace the state as a whole.
    Put,
    /// Change the state in part, as the service understands it.
    Patch,
    /// End the document; a tombstone stays for a while.
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

/// One header of a request or of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Header {
    /// Its name, in lower case.
    pub name: String,
    /// Its value; a header whose value is no text never gets here.
    pub value: String,
}

/// Returns about how many bytes headers take.
pub(crate) fn header_bytes(headers: &[Header]) -> usize {
    headers.iter().map(|header| header.name.len() + header.value.len() + 8).sum()
}

/// What a handler is told besides the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The document's self-link; for a stateless service the path that was asked for.
    pub link: Link,
    /// The query part of the URI without the question mark.
    pub query: String,
    /// The headers that came with the request; empty if no client or effect asked.
    pub headers: Vec<Header>,
    /// The body as it was sent: JSON in UTF-8.
    pub body: Option<Bytes>,
    /// The self-link of the user who asks, or empty. Always empty as long as requests have no users.
    pub principal: String,
    /// What led to this call.
    pub cause: Cause,
    /// The time of day, which stands still during one call.
    pub now: Timestamp,
    /// From this number comes everything random that the guest draws in this call; nobody outside can guess it.
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
    /// The action at the target.
    pub action: Action,
    /// Headers to send with it. Towards hosts outside, the host sets those of the transport itself and drops the
    /// guest's.
    pub headers: Vec<Header>,
    /// The body to send, JSON in UTF-8.
    #[serde(with = "optional_run")]
    pub body: Option<Bytes>,
    /// How long to wait before it is sent, in milliseconds, counted from the decision of the handler; 0: not at all;
    /// never negative.
    pub delay_millis: i64,
    /// The tag under which `handle-reply` is told the answer; empty: the document does not want to know it.
    pub reply_tag: String,
}

impl Effect {
    /// Returns about how many bytes the effect takes.
    pub fn bytes(&self) -> usize {
        let body = self.body.as_ref().map_or(0, Bytes::len);
        self.to.len() + self.reply_tag.len() + header_bytes(&self.headers) + body
    }
}

/// Names one effect for ever, and is its idempotency key: `<link>@<incarnation>.<epoch>.<offset>#<number>`.
///
/// No other record ever has the position of the record that issued it, because the epoch rises whenever a partition
/// begins anew. So no name comes twice, not even for a link whose document was forgotten and created again, in a
/// volatile partition that starts empty, or after a loss that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectKey {
    /// The document whose handler issued it.
    pub link: Link,
    /// The record with which it was committed.
    pub at: Position,
    /// Its place among the effects of that record, from 0; a node bounds how many one outcome may have.
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
    /// The new state, a JSON object in UTF-8; none: state unchanged, no new version; in `handle-create`,
    /// the state is the one that came.
    pub document: Option<Bytes>,
    /// The status of the answer, as a number of HTTP; 0: the host chooses 200, 201, 202 or 204.
    pub status: u16,
    /// Headers of the answer that the guest chose.
    pub headers: Vec<Header>,
    /// Body of the answer, JSON in UTF-8; none: the state after the request.
    pub reply: Option<Bytes>,
    /// Requests to send after the commit, in this order.
    pub effects: Vec<Effect>,
    /// When the document shall expire; zero: never. None: as the body of the creation or PUT wants it, else unchanged.
    pub expires: Option<Timestamp>,
}

/// A guest's refusal of a request: nothing has happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", one_line(code), one_line(message))]
pub struct Fault {
    /// Its status, as a number of HTTP from 400 to 599; any other number is told to clients as 400.
    pub status: u16,
    /// A stable, short name in kebab case.
    pub code: String,
    /// One sentence for people; may hold any character, so log lines write it through [`one_line`].
    pub message: String,
    /// JSON pointer to the field at fault, or empty.
    pub pointer: String,
}

/// The answer to an effect, as its document is told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectReply {
    /// HTTP status; 0 if nothing answered before the effect was given up.
    pub status: u16,
    /// The headers that came with the answer.
    pub headers: Vec<Header>,
    /// The body of the answer, JSON in UTF-8. If a host outside answers with another text, this is that text as a JSON
    /// string.
    #[serde(with = "optional_run")]
    pub body: Option<Bytes>,
    /// The link or URL that was asked.
    pub from: String,
}

/// Serializes an optional run of bytes.
pub(crate) mod optional_run {
    use super::{Bytes, bytes_run};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Run(#[serde(with = "bytes_run")] Bytes);

    pub(crate) fn serialize<S: Serializer>(run: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
        run.clone().map(Run).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
        Ok(Option::<Run>::deserialize(deserializer)?.map(|run| run.0))
    }
}
