//! Cutting the end of the log off, when another reign has ordered something else there.

use steward_model::mutation::{self, Mutation};
use steward_model::{Offset, Position};

use super::{Partition, State};
use crate::observer::Fact;

impl Partition {
    /// Forgets every record above `after`, as the core has done: the queues, the states that they made, and the clients that wait for them.
    ///
    /// The log keeps the frames; the records that follow name lower offsets, which is how a later start sees it, too.
    pub(super) fn truncate(&self, state: &mut State, after: Option<Position>) {
        let keep = after.map(|after| after.offset);
        let is_cut = |offset: Offset| Some(offset) > keep;
        let records = state.uncommitted.truncate(keep);
        let first = state.in_log.iter().find(|(offset, _)| is_cut(*offset)).copied();
        state.cut = [state.cut, first].into_iter().flatten().min_by_key(|(_, lsn)| *lsn);
        state.in_log.retain(|(offset, _)| !is_cut(*offset));
        state.outgoing.truncate(keep);
        if !mutation::is(Mutation::RecentNotCut) {
            state.recent.truncate(keep);
        }
        // Dropped, the waiters learn that the outcome is unknown here: a record that was cut may live on elsewhere.
        state.waiters.truncate(keep);
        self.shared.observer.observed(self.id, &Fact::Truncated { after, records });
    }
}
