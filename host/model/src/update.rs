//! Updates: the entries of a partition log. They carry the results of operations, never the requests, so that whoever reads the log
//! again runs no guest code. Where a node records, a request stands beside its result as a note ([`crate::recording`]).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::{Format, bytes_run};
use crate::document::{Document, Version};
use crate::epoch::Epoch;
use crate::offset::{Offset, Position};
use crate::operation::{Effect, EffectKey, Header, header_bytes};
use crate::time::Timestamp;

/// One record of a partition log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// Its name: the epoch of the reign that appended it, and its offset.
    pub position: Position,
    /// The epoch of the record before it; [`Epoch::ZERO`] for the first.
    pub previous: Epoch,
    /// What it changes.
    pub entry: Entry,
}

/// What a record changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Entry {
    /// A reign begins, at this offset. When a marker is committed, every record before it is committed too.
    Marker,
    /// A document changed, or effects of it were issued or settled.
    Update(Box<Update>),
    /// Old tombstones and old remembered answers are forgotten. The primary decides how old, and the record says so;
    /// all replicas forget the same at the same place of their logs, and none needs a clock.
    Forget {
        /// Tombstones whose last record stands below this offset are removed.
        tombstones_below: Offset,
        /// Answers to requests that were given below this offset are no longer remembered.
        answers_below: Offset,
    },
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Entry::Marker => f.write_str("marker"),
            Entry::Update(update) => {
                let what = match update.change {
                    Change::NewVersion => "update",
                    Change::Renewal => "renewal",
                    Change::None => "note",
                };
                write!(f, "{what} of {}", update.document.link)
            }
            Entry::Forget { tombstones_below, answers_below } => {
                write!(f, "forget tombstones below {tombstones_below} and answers below {answers_below}")
            }
        }
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} after epoch {}: {}", self.position, self.previous, self.entry)
    }
}

impl Record {
    /// Returns about how many bytes the record takes in memory, in the log and on its way to another node.
    pub fn bytes(&self) -> usize {
        /// What a record takes that is about no document, roughly.
        const BARE_BYTES: usize = 64;
        match &self.entry {
            Entry::Update(update) => update.bytes(),
            Entry::Marker | Entry::Forget { .. } => BARE_BYTES,
        }
    }
}

impl Format for Record {
    const NAME: &'static str = "record";
    // The second has the id of the request in its effects, the third the cause in its document, the fourth a recording.
    const VERSION: u8 = 4;
    const READABLE_FROM: u8 = 4;
}

/// What happens to the versions of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Change {
    /// `Update::document` is the next version; older ones are kept as far as `Update::keep_versions` says.
    NewVersion,
    /// `Update::document` is the first version of a new life: older versions are removed.
    Renewal,
    /// The document gets no new version: the record only has effects, settlements or a remembered answer.
    None,
}

/// Names one request for ever, on all nodes that pass it on: the first 16 bytes of the BLAKE3 of the id under which it
/// entered the group. If a node sends it again because the answer was lost, it keeps this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct RequestId(pub [u8; 16]);

impl RequestId {
    /// Returns the name of the request that entered as `id`.
    pub fn of(id: &str) -> RequestId {
        RequestId(short_hash(id.as_bytes()))
    }
}

/// The cluster in which an update was made; zero: this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Origin(pub u16);

/// The result of one operation on one document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Update {
    /// What happens to the versions.
    pub change: Change,
    /// The request that the operation carried out.
    pub request: RequestId,
    /// The cluster in which it was made.
    pub origin: Origin,
    /// The document after the operation. With [`Change::None`] its body is empty: the state is the one before.
    pub document: Document,
    /// How many versions before the newest one a client may still read; none: all.
    pub keep_versions: Option<u64>,
    /// Effects that the handler issued, in its order; they enter the outbox.
    pub effects: Vec<PendingEffect>,
    /// Effects of this document that were settled by the operation: they leave the outbox.
    pub settled: Vec<EffectKey>,
    /// What to answer if the same request comes again.
    pub remembered: Option<RememberedReply>,
}

impl Update {
    /// Returns the update at its place in the log, which only the primary knows: a new version, the effects and the remembered
    /// answer carry it.
    #[must_use]
    pub fn placed(mut self, position: Position) -> Update {
        match self.change {
            Change::NewVersion | Change::Renewal => {
                (self.document.epoch, self.document.offset) = (position.epoch, position.offset);
            }
            // No version is made: the document is the one that was there.
            Change::None => {}
        }
        self.effects.iter_mut().for_each(|effect| effect.key.at = position);
        if let Some(reply) = &mut self.remembered {
            reply.at = position;
            reply.made = Position { epoch: self.document.epoch, offset: self.document.offset };
        }
        self
    }

    /// Returns about how many bytes the update takes in memory and in the log.
    pub fn bytes(&self) -> usize {
        /// What a record takes besides texts and bodies, roughly.
        const FIXED_BYTES: usize = 256;
        let document = &self.document;
        let texts = [&document.kind, &document.principal, &document.source].map(String::len).iter().sum::<usize>();
        let effects: usize = self.effects.iter().map(|pending| pending.bytes()).sum();
        let settled: usize = self.settled.iter().map(|key| key.link.as_str().len() + 32).sum();
        let reply = self.remembered.as_ref().map_or(0, RememberedReply::bytes);
        FIXED_BYTES
            + document.link.as_str().len()
            + texts
            + document.body.len()
            + document.recording.len()
            + effects
            + settled
            + reply
    }
}

/// An effect that waits to be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PendingEffect {
    /// Its name, which is also its idempotency key.
    pub key: EffectKey,
    /// The earliest time at which it may be sent, by the steady clock of the primary.
    pub due: Timestamp,
    /// When the handler decided it, by the steady clock of the primary.
    pub issued: Timestamp,
    /// The request to send.
    pub effect: Effect,
    /// The id of the client's request from which it came, through however many effects; one search for it shows all of
    /// them.
    pub request: String,
}

impl PendingEffect {
    /// Returns about how many bytes the effect takes in memory and in the log.
    pub fn bytes(&self) -> usize {
        96 + self.key.link.as_str().len() + self.request.len() + self.effect.bytes()
    }
}

impl Format for PendingEffect {
    const NAME: &'static str = "pending effect";
    const VERSION: u8 = 2;
    const READABLE_FROM: u8 = 2;
}

fn short_hash(bytes: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    short
}

/// Names a request that may be repeated: the first 16 bytes of the BLAKE3 of who has chosen its idempotency key, and of the key. A client may
/// choose any text, also one that is the key of an effect; its request must not pass for the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestKey(pub [u8; 16]);

impl RequestKey {
    /// Returns the name of the request of a client that has this idempotency key.
    pub fn of(idempotency_key: &str) -> RequestKey {
        RequestKey::chosen_by("client", idempotency_key)
    }

    /// Returns the name of the request by which an effect is carried out.
    pub fn of_effect(key: &EffectKey) -> RequestKey {
        RequestKey::chosen_by("effect", &key.to_string())
    }

    fn chosen_by(whom: &str, key: &str) -> RequestKey {
        RequestKey(short_hash(format!("{whom}:{key}").as_bytes()))
    }
}

impl std::fmt::Display for RequestKey {
    /// Writes 32 hexadecimal digits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Largest body of an answer that is remembered, in bytes.
pub const REMEMBERED_BODY_BYTES_MAX: usize = 16 * 1024;

/// The body of an answer that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RememberedBody {
    /// The answer had no body.
    Empty,
    /// The state of the document after the request. It is read from the kept versions, as long as its version is among
    /// them.
    State,
    /// What the service answered, at most [`REMEMBERED_BODY_BYTES_MAX`].
    Json(#[serde(with = "bytes_run")] Bytes),
    /// It was larger than [`REMEMBERED_BODY_BYTES_MAX`]: a repeat gets everything else of the answer.
    TooLarge {
        /// How many bytes it had.
        bytes: u64,
    },
}

impl RememberedBody {
    /// Returns how a body that a service chose is remembered.
    pub fn of_json(json: &Bytes) -> RememberedBody {
        match json.len() {
            length if length > REMEMBERED_BODY_BYTES_MAX => RememberedBody::TooLarge { bytes: length as u64 },
            _ => RememberedBody::Json(json.clone()),
        }
    }
}

/// The first answer to a request, kept with the document so that a repeat gets the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RememberedReply {
    /// The idempotency key of the request, hashed.
    pub key: RequestKey,
    /// Digest of everything that the request asked for. If another request comes under the same key, the host refuses
    /// it.
    pub request_digest: [u8; 16],
    /// The status of the answer, as a number of HTTP.
    pub status: u16,
    /// Version of the document after the request.
    pub version: Version,
    /// The record that made that version; the entity tag of the answer.
    pub made: Position,
    /// The record of the request itself: what is remembered is forgotten in this order.
    pub at: Position,
    /// When the request was answered, by the clock of the primary.
    pub answered: Timestamp,
    /// Headers of the answer that the guest chose.
    pub headers: Vec<Header>,
    /// The body of the answer, or where it is found.
    pub body: RememberedBody,
}

impl RememberedReply {
    /// Returns about how many bytes the answer takes in memory and in the log.
    pub fn bytes(&self) -> usize {
        let body = match &self.body {
            RememberedBody::Json(json) => json.len(),
            RememberedBody::Empty | RememberedBody::State | RememberedBody::TooLarge { .. } => 0,
        };
        96 + header_bytes(&self.headers) + body
    }
}

impl Format for RememberedReply {
    const NAME: &'static str = "remembered answer";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::document::UpdateAction;
    use crate::link::Link;
    use crate::operation::{Action, Cause};

    fn record() -> Record {
        let link = Link::parse("/core/examples/one").expect("a valid link");
        let document = Document {
            link: link.clone(),
            kind: "k".into(),
            version: Version(3),
            epoch: Epoch { incarnation: 0, loss: 0, ownership: 2 },
            offset: Offset(9),
            updated: Timestamp(1),
            action: UpdateAction::Patch,
            expires: Timestamp(0),
            principal: String::new(),
            source: String::new(),
            cause: Cause::Client,
            state_version: 1,
            body: Bytes::from_static(b"{\"a\":1}"),
            recording: Bytes::from_static(b"recorded"),
        };
        let key = EffectKey { link, at: Position::default(), number: 0 };
        let effect = Effect {
            to: "/core/examples/two".into(),
            action: Action::Patch,
            headers: vec![],
            body: Some(Bytes::from_static(b"{}")),
            delay_millis: 0,
            reply_tag: String::new(),
        };
        let pending = PendingEffect { key, due: Timestamp(1), issued: Timestamp(1), request: "r-1".to_owned(), effect };
        let update = Update {
            change: Change::NewVersion,
            request: RequestId::of("r-1"),
            origin: Origin::default(),
            document,
            keep_versions: Some(100),
            effects: vec![pending],
            settled: vec![],
            remembered: None,
        };
        let position = Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(9) };
        Record { position, previous: Epoch::ZERO, entry: Entry::Update(Box::new(update)) }
    }

    #[test]
    fn records_round_trip() {
        let bytes = codec::encode(&record());
        assert_eq!(codec::decode::<Record>(&bytes), Ok(record()));
    }

    #[test]
    fn damaged_records_are_refused_not_misread() {
        let bytes = codec::encode(&record());
        assert!(codec::decode::<Record>(&bytes[..bytes.len() - 3]).is_err());
        let refused = codec::decode::<Record>(&[9, 9, 0]);
        assert_eq!(refused, Err(codec::Error::Version { name: "record", found: 9, reads: 4 }));
    }

    #[test]
    fn an_update_gets_its_place_everywhere_it_is_named() {
        let Entry::Update(mut update) = record().entry else { unreachable!("it is one") };
        let json = Bytes::from(vec![b'1'; REMEMBERED_BODY_BYTES_MAX + 1]);
        update.remembered = Some(RememberedReply {
            key: RequestKey::of("k"),
            request_digest: [0; 16],
            status: 200,
            version: Version(3),
            made: Position::default(),
            at: Position::default(),
            answered: Timestamp(1),
            headers: vec![],
            body: RememberedBody::of_json(&json),
        });
        let place = Position { epoch: Epoch::ZERO.next_ownership(), offset: Offset(77) };
        let placed = update.clone().placed(place);
        assert_eq!((placed.document.epoch, placed.document.offset), (place.epoch, place.offset));
        assert_eq!(placed.effects[0].key.at, place);
        let reply = placed.remembered.expect("it is remembered");
        assert_eq!((reply.at, reply.made), (place, place));
        assert_eq!(reply.body, RememberedBody::TooLarge { bytes: json.len() as u64 });

        let unchanged = Update { change: Change::None, ..*update }.placed(place);
        assert_eq!(unchanged.document.offset, Offset(9), "no version was made");
        assert_eq!(unchanged.remembered.map(|reply| (reply.at, reply.made.offset)), Some((place, Offset(9))));
    }
}
