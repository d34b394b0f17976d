//! Facts: what has happened in a step. Invariants look at them, and at the state of the world.

use std::sync::Arc;

use steward_model::update::RememberedReply;
use steward_model::{Document, Epoch, Link, Offset, PartitionId, Position};
use steward_replication::Recovered;

use crate::requests::Request;
use crate::witness::Note;

/// Something that has happened in a step.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// The driver has told so.
    Noted(PartitionId, Note),
    /// A reign of this node has committed records, when this was its marker, and this the end on the disk.
    CommittedWith {
        partition: PartitionId,
        through: Offset,
        marker: Option<(Epoch, Offset)>,
        durable: Option<Position>,
    },
    /// A copy was opened with this.
    Opened(PartitionId, Recovered),
    /// A client was told that its request is in this record.
    Acknowledged { partition: PartitionId, position: Position, request: Request },
    /// A client was told what its request was answered before.
    Repeated { partition: PartitionId, request: Request, reply: RememberedReply },
    /// Somebody was shown a document, in this reign.
    Read { link: Link, partition: PartitionId, epoch: Epoch, document: Option<Arc<Document>> },
    /// Somebody who waited was told that this record is committed.
    Awaited { partition: PartitionId, position: Position },
    /// The newest state of a document after the log was cut here.
    NewestAfterCut { link: Link, after: Option<Position>, document: Option<Arc<Document>> },
    /// The store of this partition is to be looked at as a whole.
    LookAtStore(PartitionId),
    /// Nothing is under way any more.
    AtRest,
}
