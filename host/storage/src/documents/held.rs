//! What the rows of a partition hold.

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::mutation::{self, Mutation};
use steward_model::{Document, Epoch, Offset, Position, Timestamp, Version};

use crate::digest::{self, Digest, Kind};

/// The newest version of a document, and what the store keeps beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// The newest record about the document: its place in the sequence index. At or behind `document.offset`, because
    /// not every record makes a version.
    pub touched: Offset,
    /// How many older versions may be kept; none: all.
    pub keep_versions: Option<u64>,
    /// The digest of all older versions of this life, kept or not; zero: there is none. Each version was mixed into it when
    /// the next one came.
    pub history: Digest,
    /// The newest version.
    pub document: Document,
}

impl Format for Current {
    const NAME: &'static str = "newest version of a document";
    // The second has a recording in its document.
    const VERSION: u8 = 2;
    const READABLE_FROM: u8 = 2;
}

impl Current {
    /// Returns true if an older version may still be shown.
    pub(crate) fn keeps(&self, version: Version) -> bool {
        version < self.document.version && version >= self.oldest_kept()
    }

    /// Returns the oldest version that may still be shown.
    pub(crate) fn oldest_kept(&self) -> Version {
        Version(self.keep_versions.map_or(0, |keep| self.document.version.0.saturating_sub(keep)))
    }

    /// Returns the digest of all versions of this life, this one included, whose row is `this`: the history of the next.
    pub(crate) fn history_with(&self, this: &[u8]) -> Digest {
        digest::of_parts(Kind::History, &self.document.link, &[&self.history, this])
    }
}

/// Epochs of a lineage that are kept at the most.
pub const LINEAGE_MAX: usize = 64;

/// The root of the digest is remembered at multiples of this.
pub const ROOT_SPACING: u64 = 1024;

/// Roots that are remembered.
pub const ROOTS_MAX: usize = 8;

/// How far a partition has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The newest record that is applied; none: no record is.
    pub applied: Option<Position>,
    /// Which epoch began at which offset, oldest first: the newest [`LINEAGE_MAX`]. Those of records that are in the log
    /// follow from the log.
    pub lineage: Vec<(Epoch, Offset)>,
    /// Deletions below this offset are forgotten: a document that is not here may have been deleted there.
    pub delta_floor: Offset,
    /// The newest [`ROOTS_MAX`] roots: of the state that all records below the offset amount to.
    pub roots: Vec<(Offset, Digest)>,
}

impl Progress {
    /// Takes note that the record at `position`, the next one, is applied.
    pub(super) fn reached(&mut self, position: Position) {
        if !mutation::is(Mutation::ProgressBehind) || !position.offset.0.is_multiple_of(5) {
            self.applied = Some(position);
        }
        if self.lineage.last().is_none_or(|(epoch, _)| *epoch < position.epoch) {
            self.lineage.push((position.epoch, position.offset));
            let old = self.lineage.len().saturating_sub(LINEAGE_MAX);
            self.lineage.drain(..old);
        }
    }

    /// Returns where the next root is remembered, if it is right behind what is applied.
    pub(super) fn root_due(&self) -> Option<Offset> {
        let next = self.applied?.offset.next();
        next.0.is_multiple_of(ROOT_SPACING).then_some(next)
    }

    /// Remembers the root of the state that all records below `offset` amount to.
    pub(super) fn remember_root(&mut self, offset: Offset, root: Digest) {
        self.roots.push((offset, root));
        let old = self.roots.len().saturating_sub(ROOTS_MAX);
        self.roots.drain(..old);
    }

    /// Returns the root of the state that all records below `offset` amount to, if it is remembered.
    pub fn root_at(&self, offset: Offset) -> Option<Digest> {
        self.roots.iter().find(|(known, _)| *known == offset).map(|(_, root)| *root)
    }
}

impl Format for Progress {
    const NAME: &'static str = "progress of a partition";
}

/// Where a copy begins that was made anew out of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The last record that the other one had applied. What the log of this node has of the partition up to there, or of an earlier
    /// epoch, belongs to the copy that was here before.
    pub at: Position,
    /// No committed update through there is later.
    pub latest: Timestamp,
}

impl Format for Base {
    const NAME: &'static str = "base of a partition";
}
