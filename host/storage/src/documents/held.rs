//! What the rows of a partition hold.

use serde::{Deserialize, Serialize};
use steward_model::codec::Format;
use steward_model::mutation::{self, Mutation};
use steward_model::{Document, Epoch, Offset, Position, Version};

/// The newest version of a document, and what the store keeps beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// The newest record about the document: its place in the sequence index. At or behind `document.offset`, because
    /// not every record makes a version.
    pub touched: Offset,
    /// How many older versions may be kept; none: all.
    pub keep_versions: Option<u64>,
    /// The newest version.
    pub document: Document,
}

impl Format for Current {
    const NAME: &'static str = "newest version of a document";
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
}

/// How far a partition has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The newest record that is applied; none: no record is.
    pub applied: Option<Position>,
    /// Which epoch began at which offset.
    pub lineage: Vec<(Epoch, Offset)>,
    /// What changed since an offset is known only from here on.
    pub delta_floor: Offset,
}

impl Progress {
    /// Takes note that the record at `position`, the next one, is applied.
    pub(super) fn reached(&mut self, position: Position) {
        if !mutation::is(Mutation::ProgressBehind) || !position.offset.0.is_multiple_of(5) {
            self.applied = Some(position);
        }
        if self.lineage.last().is_none_or(|(epoch, _)| *epoch < position.epoch) {
            self.lineage.push((position.epoch, position.offset));
        }
    }
}

impl Format for Progress {
    const NAME: &'static str = "progress of a partition";
}
