//! What nodes say to one another about copies that are made anew.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::{Member, PartitionId};

/// A copy of whoever is told lacks more than the log of whoever says it has.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Offer {
    /// Another boot of the node has other copies.
    pub(super) to: Member,
    pub(super) partition: PartitionId,
}

impl Format for Offer {
    const NAME: &'static str = "offer of a copy";
}

/// What a node asks that makes a copy anew.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Ask {
    /// What the copy is as a whole, from now on for all pieces.
    Begin(PartitionId),
    /// The next piece.
    More(PartitionId),
}

impl Format for Ask {
    const NAME: &'static str = "question about a copy";
}

/// Bytes of a portion of documents.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Piece {
    #[serde(with = "steward_model::codec::bytes_run")]
    pub(super) bytes: Bytes,
    /// The portion is complete with it.
    pub(super) is_end: bool,
}

impl Format for Piece {
    const NAME: &'static str = "piece of a copy";
}
