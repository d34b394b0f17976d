//! Counts what happened in worlds, to show that they reach the situations in which mistakes would show.

use anyhow::{Result, bail};

use crate::facts::Fact;
use crate::witness::Note;

/// Counters of one world, or of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) commits: usize,
    pub(crate) reigns: usize,
    pub(crate) fenced_updates: usize,
    pub(crate) tails: usize,
    pub(crate) lost_batches: usize,
    pub(crate) torn_ends: usize,
    pub(crate) trimmed_segments: usize,
    pub(crate) acknowledged: usize,
    pub(crate) repeats: usize,
    pub(crate) refused_batches: usize,
    pub(crate) truncations: usize,
    pub(crate) fed_records: usize,
    pub(crate) fatal_ends: usize,
    pub(crate) effects_carried: usize,
    pub(crate) outboxes_loaded: usize,
    pub(crate) expired: usize,
    pub(crate) reads: usize,
    pub(crate) failed_checkpoints: usize,
    pub(crate) unknown_outcomes: usize,
    pub(crate) orderly_stops: usize,
    pub(crate) shortages: usize,
}

impl Seen {
    /// Counts a fact.
    pub(crate) fn count(&mut self, fact: &Fact) {
        match fact {
            Fact::Noted(_, note) => self.note(note),
            Fact::Opened(_, found) => self.tails += usize::from(!found.tail.is_empty()),
            Fact::Acknowledged { .. } => self.acknowledged += 1,
            Fact::Repeated { .. } => self.repeats += 1,
            Fact::Read { .. } => self.reads += 1,
            Fact::CommittedWith { .. }
            | Fact::Awaited { .. }
            | Fact::NewestAfterCut { .. }
            | Fact::LookAtStore(_)
            | Fact::AtRest => {}
        }
    }

    fn note(&mut self, note: &Note) {
        match note {
            Note::Committed { .. } => self.commits += 1,
            Note::Activated(_) => self.reigns += 1,
            Note::SteppedDown { under_way } => self.fenced_updates += usize::from(*under_way > 0),
            Note::Truncated { records, .. } => self.truncations += usize::from(*records > 0),
            Note::Refused => self.refused_batches += 1,
            Note::Proposed(_)
            | Note::Copied(_)
            | Note::MarkerAppended { .. }
            | Note::Applied { .. }
            | Note::MadeAnew { .. }
            | Note::Persisted { .. } => {}
        }
    }

    /// Returns each counter with its name and how many worlds share one event at the most.
    fn all(&self) -> [(&'static str, usize, usize); 21] {
        [
            ("commits", self.commits, 1),
            ("reigns", self.reigns, 1),
            ("reigns ended with updates under way", self.fenced_updates, 4),
            ("restarts with a tail", self.tails, 1),
            ("batches of the store lost", self.lost_batches, 2),
            ("torn ends", self.torn_ends, 40),
            ("trimmed segments", self.trimmed_segments, 2),
            ("acknowledged updates", self.acknowledged, 1),
            ("repeats answered", self.repeats, 1),
            ("batches refused", self.refused_batches, 1),
            ("truncations", self.truncations, 8),
            ("records of others fed", self.fed_records, 2),
            ("ends at once", self.fatal_ends, 4),
            ("claims worked off", self.effects_carried, 1),
            ("outboxes loaded", self.outboxes_loaded, 1),
            ("expired documents removed", self.expired, 60),
            ("reads", self.reads, 1),
            ("failed checkpoints", self.failed_checkpoints, 4),
            ("unknown outcomes", self.unknown_outcomes, 12),
            ("orderly stops", self.orderly_stops, 4),
            ("shortages of the disk", self.shortages, 4),
        ]
    }

    /// Adds the counters of another world.
    pub(crate) fn add(&mut self, other: &Seen) {
        macro_rules! sum { ($($name:ident),*) => { $(self.$name += other.$name;)* } }
        sum!(
            commits,
            reigns,
            fenced_updates,
            tails,
            lost_batches,
            torn_ends,
            trimmed_segments,
            acknowledged,
            repeats,
            refused_batches,
            truncations,
            fed_records,
            fatal_ends,
            effects_carried,
            outboxes_loaded,
            expired,
            reads,
            failed_checkpoints,
            unknown_outcomes,
            orderly_stops,
            shortages
        );
    }

    /// Refuses worlds in which too little happens for mistakes to show.
    ///
    /// # Errors
    /// What is too rare.
    pub(crate) fn are_eventful(&self, worlds: usize) -> Result<()> {
        let counted: Vec<_> = self.all().iter().map(|(what, count, _)| format!("{what} {count}")).collect();
        println!("{worlds} worlds: {}", counted.join(", "));
        match self.all().iter().find(|(_, count, share)| count * share < worlds) {
            Some((what, count, _)) => bail!("only {count} {what} in {worlds} worlds: the steps need other weights"),
            None => Ok(()),
        }
    }
}
