//! Operations and replies: what enters the road and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use steward_model::codec::bytes_run;
use steward_model::document::Document;
use steward_model::operation::{Cause, EffectKey, EffectReply, Header};
use steward_model::render::write_integer;
use steward_model::update::RequestKey;
use steward_model::{Action, Link, Moment, Position, Version};

use super::body::Body;
use super::freshness::{Copied, Freshness};
use crate::partition::Wanted;

/// What an operation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Somebody asked for the action on the document, factory or stateless service at the link.
    Act,
    /// The document starts on this node.
    Start,
    /// The maintenance interval has passed.
    Maintain,
    /// The document's expiry has passed.
    Expire,
    /// The document gets the shape that the module writes, if it has another one.
    Migrate,
    /// An effect of the document was answered, and its guest wants to know.
    Answered {
        /// Which effects are settled by this operation.
        settled: Vec<EffectKey>,
        /// The tag that the guest gave it.
        tag: String,
        reply: EffectReply,
    },
}

impl Purpose {
    /// Returns the effects that the operation settles.
    pub(crate) fn settled(&self) -> Vec<EffectKey> {
        match self {
            Purpose::Answered { settled, .. } => settled.clone(),
            Purpose::Act | Purpose::Start | Purpose::Maintain | Purpose::Expire | Purpose::Migrate => Vec::new(),
        }
    }
}

/// Entity tags that a request names, written `<epoch>-<offset>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tags {
    /// That of any document that exists.
    Any,
    Listed(Vec<String>),
}

impl Tags {
    fn have(&self, tag: &str) -> bool {
        match self {
            Tags::Any => true,
            Tags::Listed(tags) => tags.iter().any(|listed| listed == tag),
        }
    }
}

/// What must be true of a document for the operation to go on; of two demands, both: source RFC 9110, section 13.2.2.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Condition {
    /// The document exists and has one of these tags: `If-Match`.
    pub matching: Option<Tags>,
    /// The document does not exist, or has none of these tags: `If-None-Match`.
    pub none_matching: Option<Tags>,
}

impl Condition {
    /// Returns true if a document with this tag, or one that is not there, is as `If-Match` demands.
    pub(super) fn matches(&self, tag: Option<&str>) -> bool {
        self.matching.as_ref().is_none_or(|tags| tag.is_some_and(|tag| tags.have(tag)))
    }

    /// Returns true if it is as `If-None-Match` excludes.
    pub(super) fn excludes(&self, tag: Option<&str>) -> bool {
        self.none_matching.as_ref().is_some_and(|tags| tag.is_some_and(|tag| tags.have(tag)))
    }

    /// Returns true if it names states, and not only that there is one.
    pub(super) fn names_states(&self) -> bool {
        matches!(self.matching, Some(Tags::Listed(_)))
    }
}

/// One action on one self-link.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// Name of the operation: that of a client's request, an effect's key, or what the host calls it.
    pub id: String,
    /// The id of the request from which it all began, if it came here by effects.
    pub root: Option<String>,
    /// The method, as services know it.
    pub action: Action,
    /// The document, factory or service that is asked.
    pub link: Link,
    /// The query part of the URI.
    pub query: String,
    /// Headers that guests see.
    pub headers: Vec<Header>,
    /// What is sent with it.
    pub body: Option<Body>,
    /// Who asks: the self-link of a user, or empty.
    pub principal: String,
    /// Who began it: a client, an effect, another guest, or the host.
    pub cause: Cause,
    /// What the host wants with it: to act for somebody, or one of its own duties.
    pub purpose: Purpose,
    /// When nobody waits any more.
    pub deadline: Moment,
    /// How long that was at the beginning.
    pub wait: Wait,
    /// What must be true first.
    pub condition: Condition,
    /// The same key means the same request.
    pub idempotency_key: Option<RequestKey>,
    /// Which version is asked for, with GET.
    pub version: Option<Version>,
    /// How new the answer has to be, with GET.
    pub freshness: Freshness,
    /// How many members shall hold its update before it is answered, if more than a commit needs.
    pub wanted: Option<Wanted>,
    /// What was asked at first, if the host turned it into another action; names the request when it is repeated.
    pub first_action: Option<Action>,
    /// Re-create a deleted document and forget its history: the pragma `xn-force-index-update`.
    pub force: bool,
    /// The child that a POST to a factory creates, once it has a link.
    pub child: Option<Link>,
    /// Another node has handed it on: it goes no further.
    pub handed_on: bool,
}

/// How long somebody waits for an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    pub span: Duration,
    /// A client has said so, and waits no longer for whatever reason.
    pub said: bool,
}

impl Operation {
    /// Returns the id of the request from which it all began: one search for it shows what became of the request everywhere.
    pub(crate) fn root(&self) -> &str {
        self.root.as_deref().unwrap_or(&self.id)
    }
}

/// How an operation ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// Done.
    Ok,
    /// A document was created.
    Created,
    /// A task was created and goes on.
    Accepted,
    /// The client has the newest state already.
    NotModified,
    /// What the guest chose.
    Chosen(u16),
}

impl Status {
    /// Returns its number in HTTP, as far as the answer to an update goes.
    pub(crate) fn number(self) -> u16 {
        match self {
            Status::Ok | Status::NotModified => 200,
            Status::Created => 201,
            Status::Accepted => 202,
            Status::Chosen(status) => status,
        }
    }
}

/// What a reply carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Content {
    /// Nothing.
    Empty,
    /// The state of [`Reply::document`] with its built-in fields.
    State,
    /// A JSON text.
    Json(#[serde(with = "bytes_run")] Bytes),
}

/// What an operation gives back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub status: Status,
    /// The document after the operation, if it concerns one.
    pub document: Option<Arc<Document>>,
    /// What the client gets.
    pub content: Content,
    /// Headers that the guest chose.
    pub headers: Vec<Header>,
    /// True if this is the first answer to a repeated request.
    pub replayed: bool,
    /// The name of the node that has answered; none: this one.
    pub owner: Option<Arc<str>>,
    /// Which copy has answered, if any was allowed to.
    pub copy: Option<Copied>,
}

impl Reply {
    /// Returns a reply that shows a document.
    pub(crate) fn state(status: Status, document: Arc<Document>) -> Reply {
        Reply { document: Some(document), content: Content::State, ..Reply::empty(status) }
    }

    /// Returns the place of the record that made the document it shows.
    pub(crate) fn position(&self) -> Option<Position> {
        let document = self.document.as_deref()?;
        Some(Position { epoch: document.epoch, offset: document.offset })
    }

    /// Returns the name of the node that has answered, given that of this one.
    pub(crate) fn answered_by<'a>(&'a self, here: &'a str) -> &'a str {
        self.owner.as_deref().unwrap_or(here)
    }

    /// Returns a reply without content.
    pub(crate) fn empty(status: Status) -> Reply {
        let headers = Vec::new();
        Reply { status, document: None, content: Content::Empty, headers, replayed: false, owner: None, copy: None }
    }
}

/// Returns the entity tag of a document without quotes: `<epoch>-<offset>`, the place of the record that made its state. No other
/// state of the same link ever has it, also not one of a later life that begins at version 0 again.
pub(crate) fn entity_tag(document: &Document) -> String {
    let mut tag = Vec::with_capacity(24);
    write_entity_tag(&mut tag, document);
    tag.into_iter().map(char::from).collect()
}

/// Appends [`entity_tag`] to `out`; it consists of digits and a dash.
pub(crate) fn write_entity_tag(out: &mut Vec<u8>, document: &Document) {
    write_integer(out, document.epoch.as_u64());
    out.push(b'-');
    write_integer(out, document.offset.0);
}

#[cfg(test)]
mod tests {
    use steward_model::{Epoch, Offset, Timestamp};

    use super::*;

    #[test]
    fn a_tag_writes_the_epoch_as_clients_see_it() {
        let epoch = Epoch { incarnation: 2, loss: 1, ownership: 7 };
        let link = Link::parse("/core/notes/n").expect("a valid link");
        let document = Document { epoch, offset: Offset(9), ..Document::bare(link, Timestamp(1)) };
        assert_eq!(entity_tag(&document), format!("{}-9", epoch.as_u64()));
    }
}
