//! Updates: the entries of a partition log. They carry results, never requests, so that replay runs no guest code.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::codec::bytes_run;
use crate::document::{Document, Version};
use crate::epoch::Epoch;
use crate::offset::{Offset, Position};
use crate::operation::{Effect, EffectKey, Header};
use crate::time::Timestamp;

/// One record of a partition log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its name: the reign that appended it, and its place.
    pub position: Position,
    /// The epoch of the record before it; [`Epoch::ZERO`] for the first.
    pub previous: Epoch,
    /// What it says.
    pub entry: Entry,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// A reign begins. Committed, it commits everything before it.
    Marker {
        /// Which epoch began at which offset, this one included.
        lineage: Vec<(Epoch, Offset)>,
    },
    /// A document changed, or effects of it were issued or settled.
    Update(Box<Update>),
    /// The digest that every replica has when it has applied everything before this record.
    DigestMark {
        /// Root over the partition's buckets.
        root: [u8; 16],
    },
}

/// What happens to the versions of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Change {
    /// `Update::document` is a new version.
    NewVersion,
    /// `Update::document` is the first version of a new life: older versions are removed.
    Renewal,
    /// No new version: only effects, settlements or remembered replies.
    None,
    /// The document and all its versions are removed, tombstones included.
    Purge,
}

/// The result of one operation on one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// What happens to the versions.
    pub change: Change,
    /// The document after the operation.
    pub document: Document,
    /// How many older versions the store may keep; none: all.
    pub keep_versions: Option<u64>,
    /// Effects issued by the operation.
    pub effects: Vec<PendingEffect>,
    /// Effects of this document that were settled by the operation: they leave the outbox.
    pub settled: Vec<EffectKey>,
    /// What to answer if the same request comes again.
    pub remembered: Option<RememberedReply>,
}

/// An effect that waits to be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEffect {
    /// Its name.
    pub key: EffectKey,
    /// When it may go out.
    pub due: Timestamp,
    /// When it was issued.
    pub issued: Timestamp,
    /// What to send.
    pub effect: Effect,
}

/// Names a request: the first 16 bytes of the BLAKE3 of its idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestKey(pub [u8; 16]);

impl RequestKey {
    /// Returns the name of the request with this idempotency key.
    pub fn of(idempotency_key: &str) -> RequestKey {
        let mut key = [0; 16];
        key.copy_from_slice(&blake3::hash(idempotency_key.as_bytes()).as_bytes()[..16]);
        RequestKey(key)
    }
}

/// The first answer to a request, kept with the document so that a repeat gets the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedReply {
    /// Which request.
    pub key: RequestKey,
    /// Digest of its action and body: another body under the same key is refused.
    pub request_digest: [u8; 16],
    /// Status of the answer.
    pub status: u16,
    /// Version of the document after the request.
    pub version: Version,
    /// When the request was answered; it is forgotten a day later.
    pub answered: Timestamp,
    /// Headers of the answer that the guest chose.
    pub headers: Vec<Header>,
    /// Body of the answer.
    #[serde(with = "bytes_run")]
    pub body: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::document::UpdateAction;
    use crate::link::Link;
    use crate::operation::Action;

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
            state_version: 1,
            body: Bytes::from_static(b"{\"a\":1}"),
        };
        let key = EffectKey { link, version: Version(3), number: 0 };
        let effect = Effect {
            to: "/core/examples/two".into(),
            action: Action::Patch,
            headers: vec![],
            body: Some(Bytes::from_static(b"{}")),
            delay_millis: 0,
            reply_tag: String::new(),
        };
        let pending = PendingEffect { key, due: Timestamp(1), issued: Timestamp(1), effect };
        let update = Update {
            change: Change::NewVersion,
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
        assert_eq!(codec::decode::<Record>(&[9, 0]), Err(codec::Error::FormatVersion { found: 9 }));
    }
}
