//! Recordings: what a version of a document was made of, so that its handler can be run once more over the same input.
//!
//! Problem: a log of results says what a version is and not why. Promise: where a node records, a version carries everything
//! that its handler was told besides the state before, and what it decided besides the state after. What is large is left
//! out and said to be so: a recording never takes more than about [`REQUEST_BYTES_MAX`] and [`EFFECTS_BYTES_MAX`].
//!
//! Left out: what the handler read of other documents, and what it logged.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::Format;
use crate::module::Digest;
use crate::operation::{Action, Effect, EffectReply, Header, header_bytes, optional_run};
use crate::time::Timestamp;
use crate::update::RememberedBody;

/// Largest request that is recorded, in bytes: its query, its headers and its body, and the answer to an effect.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Largest effects of one version that are recorded, in bytes, all together.
pub const EFFECTS_BYTES_MAX: usize = 64 * 1024;

/// What a version was made of. It stands encoded in [`Document::recording`](crate::Document::recording).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The module that ran, or under which the host decided by itself.
    pub module: Digest,
    /// What the handler was told.
    pub request: Recorded,
    /// Status of the answer, as a number of HTTP.
    pub status: u16,
    /// Body of the answer.
    pub reply: RememberedBody,
    /// What it wanted sent.
    pub effects: RecordedEffects,
}

impl Format for Recording {
    const NAME: &'static str = "recording of a request";
}

/// A request, as far as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recorded {
    /// All of it.
    Whole(Box<RecordedRequest>),
    /// It was larger than [`REQUEST_BYTES_MAX`].
    TooLarge {
        /// How many bytes it had.
        bytes: u64,
    },
}

/// What a handler was told besides the state. Link, principal and cause stand in the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedRequest {
    /// What was asked for.
    pub asked: RecordedAction,
    /// The query part of the URI without the question mark.
    pub query: String,
    /// The headers that the handler saw.
    pub headers: Vec<Header>,
    /// The body as it was sent: JSON in UTF-8.
    #[serde(with = "optional_run")]
    pub body: Option<Bytes>,
    /// The time of day that it was given.
    pub now: Timestamp,
    /// The number that its randomness came from.
    pub seed: u64,
}

/// What was asked for when a version was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordedAction {
    /// To create the document.
    Create,
    /// This action on the document.
    Act(Action),
    /// To start the document on its node.
    Start,
    /// To do what is to be done from time to time.
    Maintain,
    /// To end, because its time had passed.
    Expire,
    /// To take the shape of the module's states.
    Migrate,
    /// To hear the answer to an effect.
    Hear {
        /// The tag that the guest gave the effect.
        tag: String,
        /// What was answered, or that the effect was given up.
        reply: EffectReply,
    },
}

impl RecordedAction {
    /// Returns the word for it that people read: an action as HTTP writes it, the others in lower case.
    pub fn as_str(&self) -> &'static str {
        match self {
            RecordedAction::Create => "create",
            RecordedAction::Act(action) => action.as_str(),
            RecordedAction::Start => "start",
            RecordedAction::Maintain => "maintenance",
            RecordedAction::Expire => "expire",
            RecordedAction::Migrate => "migrate",
            RecordedAction::Hear { .. } => "reply",
        }
    }
}

impl Recorded {
    /// Returns what is recorded of a request.
    pub fn of(request: RecordedRequest) -> Recorded {
        match request.bytes() {
            bytes if bytes > REQUEST_BYTES_MAX => Recorded::TooLarge { bytes: bytes as u64 },
            _ => Recorded::Whole(Box::new(request)),
        }
    }
}

impl RecordedRequest {
    fn bytes(&self) -> usize {
        let heard = match &self.asked {
            RecordedAction::Hear { tag, reply } => {
                let body = reply.body.as_ref().map_or(0, Bytes::len);
                tag.len() + header_bytes(&reply.headers) + reply.from.len() + body
            }
            RecordedAction::Create
            | RecordedAction::Act(_)
            | RecordedAction::Start
            | RecordedAction::Maintain
            | RecordedAction::Expire
            | RecordedAction::Migrate => 0,
        };
        self.query.len() + header_bytes(&self.headers) + self.body.as_ref().map_or(0, Bytes::len) + heard
    }
}

/// The effects of a version, as far as they are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordedEffects {
    /// All of them, in their order.
    Whole(Vec<Effect>),
    /// They were larger than [`EFFECTS_BYTES_MAX`].
    TooLarge {
        /// How many there were.
        count: u64,
        /// How many bytes they had together.
        bytes: u64,
    },
}

impl RecordedEffects {
    /// Returns what is recorded of effects.
    pub fn of(effects: &[Effect]) -> RecordedEffects {
        let bytes: usize = effects.iter().map(Effect::bytes).sum();
        match bytes > EFFECTS_BYTES_MAX {
            true => RecordedEffects::TooLarge { count: effects.len() as u64, bytes: bytes as u64 },
            false => RecordedEffects::Whole(effects.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    fn request(asked: RecordedAction, body: usize) -> RecordedRequest {
        let headers = vec![Header { name: "x-who".to_owned(), value: "me".to_owned() }];
        let body = Some(Bytes::from(vec![b'1'; body]));
        RecordedRequest { asked, query: "a=b".to_owned(), headers, body, now: Timestamp(7), seed: 9 }
    }

    fn recording(request: RecordedRequest, effects: &[Effect]) -> Recording {
        Recording {
            module: Digest::of(b"module"),
            request: Recorded::of(request),
            status: 200,
            reply: RememberedBody::State,
            effects: RecordedEffects::of(effects),
        }
    }

    fn effect(body: usize) -> Effect {
        Effect {
            to: "/core/examples/two".to_owned(),
            action: Action::Post,
            headers: vec![],
            body: Some(Bytes::from(vec![b'1'; body])),
            delay_millis: 5,
            reply_tag: "t".to_owned(),
        }
    }

    #[test]
    fn recordings_round_trip() {
        let reply =
            EffectReply { status: 200, headers: vec![], body: Some(Bytes::from_static(b"{}")), from: "/a".into() };
        for asked in [
            RecordedAction::Create,
            RecordedAction::Act(Action::Patch),
            RecordedAction::Hear { tag: "t".to_owned(), reply },
        ] {
            let recording = recording(request(asked, 10), &[effect(3)]);
            assert_eq!(codec::decode(&codec::encode(&recording)), Ok(recording));
        }
    }

    #[test]
    fn what_is_too_large_is_left_out_and_said() {
        let recording = recording(
            request(RecordedAction::Act(Action::Put), REQUEST_BYTES_MAX),
            &[effect(EFFECTS_BYTES_MAX), effect(0)],
        );
        let Recorded::TooLarge { bytes } = recording.request else { panic!("it is too large") };
        assert!(bytes > REQUEST_BYTES_MAX as u64);
        let RecordedEffects::TooLarge { count, bytes } = recording.effects else { panic!("they are too large") };
        assert!(count == 2 && bytes > EFFECTS_BYTES_MAX as u64);
        assert!(codec::encode(&recording).len() < 256);
        let heard = EffectReply {
            status: 200,
            headers: vec![],
            body: Some(Bytes::from(vec![b'1'; REQUEST_BYTES_MAX])),
            from: String::new(),
        };
        let heard = Recorded::of(request(RecordedAction::Hear { tag: String::new(), reply: heard }, 0));
        assert!(matches!(heard, Recorded::TooLarge { .. }), "what was answered counts, too");
    }
}
