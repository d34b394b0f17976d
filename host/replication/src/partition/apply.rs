//! One run of committed records on its way into the state store.

use std::collections::HashSet;

use steward_model::mutation::{self, Mutation};
use steward_model::update::{Entry, Record};
use steward_model::{Lane, Link, Offset};
use steward_storage::index::IndexPlan;

use super::{Partition, State};
use crate::observer::Fact;

impl Partition {
    /// Applies what is committed to the state store in one batch. Returns false if the store refused, or if another copy is about to
    /// take the place of this one; nothing is lost then. One caller at a time: runs follow one another.
    pub(crate) fn apply(&self, index: &(dyn IndexPlan + Send + Sync)) -> bool {
        let (run, bytes) = {
            let mut state = self.lock();
            // Which copy the store has is not known to it then: a run on the old one would count beside the new one.
            if state.is_held {
                return false;
            }
            if mutation::is(Mutation::AppliedBeforeCommit) {
                let early: Vec<Record> = state.uncommitted.iter().cloned().collect();
                state.unapplied.extend(early);
            }
            self.take_run(&mut state)
        };
        let Some(end) = run.last().map(|record| record.position.offset) else { return true };
        // The store works without the partition being held: reads and steps go on.
        match self.store.apply(&run, index) {
            Ok(_) => {
                self.shared.observer.observed(self.id, &Fact::Applied { records: &run });
                self.forget(&run, end);
                self.shared.applying.applied(bytes);
                true
            }
            Err(error) => {
                self.shared.observer.observed(self.id, &Fact::Refused(&error));
                // Nobody knows whether the batch was written. The run goes back to the front, whole: what was applied
                // is passed over next time, and what was committed meanwhile follows without a gap.
                let mut state = self.lock();
                if !mutation::is(Mutation::RefusedRunLost) {
                    let later = std::mem::replace(&mut state.unapplied, run);
                    state.unapplied.extend(later);
                }
                state.unapplied_bytes += bytes;
                drop(state);
                self.shared.store_refused(self.id, error);
                false
            }
        }
    }

    /// Takes what may be applied, and its bytes: what other members hold and the own disk does not is committed, but a restart
    /// trusts the own log, and must not find the store ahead of it.
    fn take_run(&self, state: &mut State) -> (Vec<Record>, u64) {
        let durable = state.replica.durable();
        let is_late = |record: &Record| Some(record.position.offset) > durable && self.id.lane == Lane::Persisted;
        state.is_held_back =
            state.unapplied.last().is_some_and(is_late) && !mutation::is(Mutation::AppliedBeforeDurable);
        if !state.is_held_back {
            return (std::mem::take(&mut state.unapplied), std::mem::take(&mut state.unapplied_bytes));
        }
        let count = state.unapplied.iter().take_while(|record| !is_late(record)).count();
        let later = state.unapplied.split_off(count);
        let run = std::mem::replace(&mut state.unapplied, later);
        let bytes = run.iter().map(|record| record.bytes() as u64).sum();
        state.unapplied_bytes = state.unapplied_bytes.saturating_sub(bytes);
        (run, bytes)
    }

    /// Forgets what only memory knew about documents that the state store now holds, and says how far that has come.
    fn forget(&self, run: &[Record], end: Offset) {
        // Each document once: looking after one that many records are about costs as much as it has answers.
        let mut seen = HashSet::new();
        let updated = run.iter().filter_map(|record| match &record.entry {
            Entry::Update(update) => Some(&update.document.link),
            Entry::Marker | Entry::Forget { .. } => None,
        });
        let links: Vec<&Link> = updated.filter(|link| seen.insert(*link)).collect();
        let mut state = self.lock();
        // The copy was made anew while its last run was applied: what that knew is older than what is there now.
        if self.applied.get() >= Some(end) {
            return;
        }
        for link in links {
            if let Some(presence) = state.recent.applied(end, link) {
                self.remember(link, &presence);
            }
        }
        // Forgotten tombstones are no longer in the store, and which those were only the store knew.
        if run.iter().any(|record| matches!(record.entry, Entry::Forget { .. })) {
            self.shared.cache.remove_tombstones(self.id);
        }
        if self.id.lane == Lane::Persisted {
            while state.in_log.pop_front_if(|(offset, _)| *offset <= end).is_some() {}
            state.cut.take_if(|(offset, _)| *offset <= end);
        }
        // While the partition is held: a reader that compares what is applied must not see the old value beside the new cache.
        self.applied.set(Some(end));
    }
}
