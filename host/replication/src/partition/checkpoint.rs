//! What a checkpoint says about one partition.

use steward_model::mutation::{self, Mutation};
use steward_model::{Epoch, Lsn};
use steward_storage::documents::Error;

use super::Partition;
use crate::checkpoint::Row;

impl Partition {
    /// Returns the row, and where the first record lies in the log that the state store does not hold.
    pub(crate) fn checkpoint_row(&self) -> Result<(Row, Option<Lsn>), Error> {
        // Asked before the store is made durable, so the row never names more than will be.
        let applied = self.store.meta()?.applied;
        let state = self.lock();
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
}
