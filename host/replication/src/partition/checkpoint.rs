//! What a checkpoint says about one partition.

use steward_model::mutation::{self, Mutation};
use steward_model::{Epoch, Lsn, Offset};
use steward_protocol::replica::Event;
use steward_storage::documents::Error;

use super::message::Message;
use super::{Partition, State};
use crate::checkpoint::Row;

impl Partition {
    /// Returns the row, and where the first record lies in the log that the state store does not hold.
    ///
    /// # Errors
    /// Those of the state store; [`Error::Gap`] if it has lost what it held.
    pub(crate) fn checkpoint_row(&self) -> Result<(Row, Option<Lsn>), Error> {
        // Before the store is asked, which may only be further.
        let known = self.applied.get();
        // Asked before the store is made durable, so the row never names more than will be.
        let applied = self.store.meta()?.applied;
        let mut state = self.lock();
        // The log would let go of what the store has lost. Where another copy takes the place of this one, both answer at times.
        if !state.is_held && applied.map(|at| at.offset) < known {
            let next = |offset: Option<Offset>| offset.map_or(Offset(0), Offset::next);
            let (expected, found) = (next(applied.map(|at| at.offset)), next(known));
            return Err(Error::Gap { partition: self.id, expected, found });
        }
        self.keep_for_members(&mut state);
        // The promise that was asked for, durable or not: it may lie in a part of the log that this checkpoint releases.
        let promised = match mutation::is(Mutation::PromiseNotRepeated) {
            true => Epoch::ZERO,
            false => state.replica.promise_asked(),
        };
        // A branch that was cut stays whole until the store holds what took its place: of half a branch a start would
        // see records without those before them.
        let oldest = [state.in_log.front(), state.cut.as_ref()].into_iter().flatten().map(|(_, lsn)| *lsn).min();
        Ok((Row { partition: self.id, promised, applied, latest: state.latest }, oldest))
    }

    /// Keeps what some in-sync member may lack, although the own store has it: whoever is elected must be able to feed every
    /// other one (I22).
    fn keep_for_members(&self, state: &mut State) {
        let from = state.replica.keeps_from().max(state.replica.start());
        let is_lacked =
            state.replica.end().is_some_and(|end| from <= end.offset) && !mutation::is(Mutation::LogNotKept);
        // The new pin before the old one goes: nothing may be trimmed in between.
        let pinned = is_lacked.then(|| self.shared.log.pin_records(self.id, from)).flatten();
        state.pinned = pinned;
    }

    /// Takes note of what the log still has.
    pub(crate) fn note_trimmed(&self) {
        let first = self.shared.log.first(self.id);
        let state = self.lock();
        let start = first.or(state.replica.end().map(|end| end.offset.next())).unwrap_or_default();
        if start > state.replica.start() {
            self.post(Message::Core(Box::new(Event::Trimmed { start })));
        }
    }
}
