//! Opening a replica: what a restart found on disk, and whether it can be true.

use std::collections::BTreeSet;

use steward_model::{Epoch, Moment, Offset, PartitionId, Position};

use super::lineage::{Lineage, LineageError};
use super::message::shown;
use super::{Member, Replica, Role, Settings};

/// What the disk says about one partition; the default is a partition that was never here, and every volatile one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// The highest epoch that was promised.
    pub promised: Epoch,
    /// Which epoch began at which offset, as the last marker of the log has it.
    pub lineage: Vec<(Epoch, Offset)>,
    /// The oldest offset that the log still has: other members are fed from there on.
    pub start: Offset,
    /// The last record of the log.
    pub last: Option<Position>,
    /// The last record that the state store has applied.
    pub applied: Option<Position>,
}

impl std::fmt::Display for Recovered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Recovered { promised, last, applied, .. } = self;
        write!(f, "promised {promised}, end {}, applied {}", shown(last), shown(applied))
    }
}

/// Why a replica cannot be opened: acknowledged data are missing or damaged. It must not vote with what is left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The lineage is not one.
    #[error("partition {partition}: lineage of the log is damaged: {source}")]
    Lineage {
        /// The partition whose copy was opened.
        partition: PartitionId,
        /// The neighbours that do not rise.
        source: LineageError,
    },
    /// The lineage does not end in the epoch of the last record.
    #[error("partition {partition}: log ends with {}, but its lineage with {}", shown(.last), shown(.lineage))]
    EndOutsideLineage {
        /// The partition whose copy was opened.
        partition: PartitionId,
        /// The last record of the log.
        last: Option<Position>,
        /// The last epoch of the lineage.
        lineage: Option<Epoch>,
    },
    /// The log has records of an epoch that was never promised: the promise has been lost.
    #[error("partition {partition}: log ends in epoch {last}, but only epoch {promised} is promised")]
    PromiseLost {
        /// The partition whose copy was opened.
        partition: PartitionId,
        /// The epoch of the last record.
        last: Epoch,
        /// The highest promise found.
        promised: Epoch,
    },
    /// The state store has applied a record that the log does not have: the log has lost committed records.
    #[error("partition {partition}: state store has applied {applied}, but the log ends with {}", shown(.last))]
    AppliedOutsideLog {
        /// The partition whose copy was opened.
        partition: PartitionId,
        /// The last applied record.
        applied: Position,
        /// The last record of the log.
        last: Option<Position>,
    },
}

impl Replica {
    /// Opens a copy of `partition` for the process start `own` from what the disk says.
    ///
    /// It takes part in nothing before the first [`super::Event::TableChanged`], and never resumes a role: the previous
    /// boot's acknowledgements are gone, so a reign needs a new epoch. What the state store has applied counts as
    /// committed; records above wait for the commit of the next marker.
    ///
    /// # Errors
    /// [`OpenError`] if the parts contradict one another. The caller keeps the files, and keeps the replica out of every
    /// in-sync set until it has been synchronized anew.
    pub fn open(
        own: Member,
        partition: PartitionId,
        settings: Settings,
        recovered: Recovered,
    ) -> Result<Replica, OpenError> {
        let Recovered { promised, lineage, start, last, applied } = recovered;
        let mut lineage = Lineage::from_entries(lineage).map_err(|source| OpenError::Lineage { partition, source })?;
        // I8: lineages stand for logs when those are compared. One that does not end where its log does would find a
        // common point that is none.
        if lineage.last_epoch() != last.map(|last| last.epoch) || last.is_some_and(|last| !lineage.contains(last)) {
            return Err(OpenError::EndOutsideLineage { partition, last, lineage: lineage.last_epoch() });
        }
        let last_epoch = last.map_or(Epoch::ZERO, |last| last.epoch);
        // I7: the promise of an epoch is on disk before its first record is appended. If it is gone, promises of other
        // epochs may be gone with it, and the reigns that relied on them would lose their safety.
        if last_epoch > promised {
            return Err(OpenError::PromiseLost { partition, last: last_epoch, promised });
        }
        // I9: only what is committed is applied. A log that does not reach it, or reaches it on another branch, has
        // lost what this member once acknowledged, and must not be heard in an election.
        if let Some(applied) = applied {
            let is_in_log = last.is_some_and(|last| applied.offset <= last.offset) && lineage.contains(applied);
            if !is_in_log {
                return Err(OpenError::AppliedOutsideLog { partition, applied, last });
            }
        }
        lineage.prune_below(start);
        Ok(Replica {
            own,
            partition,
            settings,
            row: None,
            targets: BTreeSet::new(),
            quorum: 0,
            promised,
            promising: promised,
            asker: None,
            lineage,
            start,
            end: last,
            durable: last.map(|last| last.offset),
            was_cut: false,
            committed: applied.map(|applied| applied.offset),
            low: None,
            following: None,
            role: Role::Tailing,
            since: Moment::default(),
            leaves_until: None,
        })
    }
}
