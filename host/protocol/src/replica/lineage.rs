//! Lineage: which epoch began at which offset of a log.
//!
//! Two logs that have a record of the same epoch at the same offset are equal up to there, because one primary wrote
//! both. Their lineages therefore name the last point they share, without a look at the records.
//!
//! ```text
//!  offset   0    1    2    3    4    5    6
//!  epoch   [1    1    1]  [2] [ 4    4    4     lineage (1, 0) (2, 3) (4, 4)
//! ```
//!
//! Source: the leader epochs of Kafka (KIP-101); host/docs/protocol.md, "What a replica keeps".

use serde::{Deserialize, Serialize};
use steward_model::{Epoch, Offset, Position};

/// Epochs that a lineage keeps even below the start of its log.
pub const LINEAGE_EPOCHS_MIN: usize = 64;

/// Which epoch began at which offset: both rise strictly.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<(Epoch, Offset)>")]
pub struct Lineage(Vec<(Epoch, Offset)>);

/// Why a list is no lineage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("epoch {} at offset {} cannot follow epoch {} at offset {}", next.0, next.1, before.0, before.1)]
pub struct LineageError {
    /// The earlier of two neighbours.
    pub before: (Epoch, Offset),
    /// The one after it, whose epoch or offset does not rise.
    pub next: (Epoch, Offset),
}

impl TryFrom<Vec<(Epoch, Offset)>> for Lineage {
    type Error = LineageError;

    fn try_from(entries: Vec<(Epoch, Offset)>) -> Result<Lineage, LineageError> {
        Lineage::from_entries(entries)
    }
}

impl std::fmt::Display for Lineage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries: Vec<String> = self.0.iter().map(|(epoch, first)| format!("{epoch}@{first}")).collect();
        f.write_str(if entries.is_empty() { "nothing".to_owned() } else { entries.join(" ") }.as_str())
    }
}

impl Lineage {
    /// Returns the lineage with these entries.
    ///
    /// # Errors
    /// [`LineageError`] names the first neighbours whose epoch or offset does not rise.
    pub fn from_entries(entries: Vec<(Epoch, Offset)>) -> Result<Lineage, LineageError> {
        match entries.array_windows().find(|[before, next]| before.0 >= next.0 || before.1 >= next.1) {
            Some(&[before, next]) => Err(LineageError { before, next }),
            None => Ok(Lineage(entries)),
        }
    }

    /// Returns the entries, oldest first.
    pub fn entries(&self) -> &[(Epoch, Offset)] {
        &self.0
    }

    /// Returns the epoch of the last record.
    pub fn last_epoch(&self) -> Option<Epoch> {
        self.0.last().map(|(epoch, _)| *epoch)
    }

    /// Returns the epoch of the record at `offset`, or none below the oldest entry; above the end of the log it is the
    /// last epoch.
    pub fn epoch_at(&self, offset: Offset) -> Option<Epoch> {
        // Nearly every question is about the newest epoch.
        self.0.iter().rev().find(|(_, first)| *first <= offset).map(|(epoch, _)| *epoch)
    }

    /// Returns true if a log of this lineage that reaches so far has the record at `position`.
    pub fn contains(&self, position: Position) -> bool {
        self.epoch_at(position.offset) == Some(position.epoch)
    }

    /// Returns the last record that a log of this lineage which ends with `end` has in common with another one; none: the two
    /// share no epoch that both remember.
    ///
    /// In the last epoch that both have they agree up to where the first of them leaves it: one primary wrote it, and
    /// everything below it stands in its log.
    pub fn common(&self, end: Option<Position>, other: &Lineage, other_end: Option<Position>) -> Option<Position> {
        let shared = self.0.iter().rev().find(|entry| other.0.contains(entry));
        let (epoch, _) = *shared?;
        let offset = self.last_of(epoch, end)?.min(other.last_of(epoch, other_end)?);
        Some(Position { epoch, offset })
    }

    /// Returns the last offset of `epoch` in a log that ends with `end`.
    fn last_of(&self, epoch: Epoch, end: Option<Position>) -> Option<Offset> {
        let next = self.0.iter().find(|(other, _)| *other > epoch).map(|(_, first)| Offset(first.0.saturating_sub(1)));
        next.or(end.map(|end| end.offset))
    }

    /// Notes that `epoch` begins at `first`.
    ///
    /// # Panics
    /// If the epoch or the offset does not rise.
    pub(super) fn begin(&mut self, epoch: Epoch, first: Offset) {
        if let Some(last) = self.0.last() {
            assert!(
                last.0 < epoch && last.1 < first,
                "epoch {epoch} at offset {first} begins after {}@{}",
                last.0,
                last.1
            );
        }
        self.0.push((epoch, first));
    }

    /// Forgets epochs that begin behind `last`, the offset of the last record that is left; none: no record is.
    pub(super) fn cut_after(&mut self, last: Option<Offset>) {
        self.0.retain(|(_, first)| Some(*first) <= last);
    }

    /// Forgets epochs that ended below `start`, but never the last [`LINEAGE_EPOCHS_MIN`].
    pub(super) fn prune_below(&mut self, start: Offset) {
        let ended = self.0.iter().skip(1).take_while(|(_, first)| *first <= start).count();
        let spare = self.0.len().saturating_sub(LINEAGE_EPOCHS_MIN);
        self.0.drain(..ended.min(spare));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(ownership: u32) -> Epoch {
        Epoch { ownership, ..Epoch::ZERO }
    }

    fn drawn() -> Lineage {
        Lineage::from_entries(vec![(epoch(1), Offset(0)), (epoch(2), Offset(3)), (epoch(4), Offset(4))])
            .expect("it rises")
    }

    #[test]
    fn each_offset_has_the_epoch_that_began_last() {
        let epochs: Vec<_> = (0..7).map(|offset| drawn().epoch_at(Offset(offset)).map(|e| e.ownership)).collect();
        assert_eq!(epochs, [1, 1, 1, 2, 4, 4, 4].map(Some));
    }

    #[test]
    fn a_position_of_another_branch_is_not_contained() {
        assert!(drawn().contains(Position { epoch: epoch(1), offset: Offset(2) }));
        assert!(!drawn().contains(Position { epoch: epoch(1), offset: Offset(3) }));
        assert!(!drawn().contains(Position { epoch: epoch(3), offset: Offset(4) }));
    }

    #[test]
    fn entries_that_do_not_rise_are_refused() {
        let refused = Lineage::from_entries(vec![(epoch(2), Offset(0)), (epoch(2), Offset(3))]);
        assert_eq!(refused, Err(LineageError { before: (epoch(2), Offset(0)), next: (epoch(2), Offset(3)) }));
    }

    #[test]
    fn two_logs_agree_up_to_where_the_first_leaves_the_last_epoch_of_both() {
        let at = |ownership, offset| Some(Position { epoch: epoch(ownership), offset: Offset(offset) });
        let other = Lineage::from_entries(vec![(epoch(1), Offset(0)), (epoch(3), Offset(2))]).expect("it rises");
        assert_eq!(drawn().common(at(4, 6), &other, at(3, 9)), at(1, 1));
        assert_eq!(drawn().common(at(4, 6), &drawn(), at(4, 5)), at(4, 5));
        let prefix = Lineage::from_entries(vec![(epoch(1), Offset(0))]).expect("it rises");
        assert_eq!(drawn().common(at(4, 6), &prefix, at(1, 7)), at(1, 2));
        assert_eq!(drawn().common(at(4, 6), &Lineage::default(), None), None);
    }

    #[test]
    fn cutting_forgets_the_epochs_that_began_behind() {
        let mut lineage = drawn();
        lineage.cut_after(Some(Offset(3)));
        assert_eq!(lineage.entries(), [(epoch(1), Offset(0)), (epoch(2), Offset(3))]);
        lineage.cut_after(None);
        assert_eq!(lineage.entries(), []);
    }

    #[test]
    fn pruning_keeps_the_epoch_at_the_start_and_the_last_sixty_four() {
        let mut lineage =
            Lineage::from_entries((0..100).map(|n| (epoch(n + 1), Offset(u64::from(n) * 2))).collect()).expect("rises");
        lineage.prune_below(Offset(21));
        assert_eq!(lineage.epoch_at(Offset(21)), Some(epoch(11)));
        assert_eq!(lineage.epoch_at(Offset(19)), None);
        lineage.prune_below(Offset(199));
        assert_eq!(lineage.entries().len(), LINEAGE_EPOCHS_MIN);
    }
}
