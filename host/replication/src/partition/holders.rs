//! Answers that wait until more members hold a record than its commit needs.
//!
//! The commit is not held up by them, nor is anybody who reads what was committed: only the client that asked for it waits.

use futures_channel::oneshot;
use steward_model::Position;
use steward_protocol::replica::Holders;

use super::patient::Wanted;
use super::{Lost, Partition};

impl Partition {
    /// Returns once as many in-sync members as wanted hold the record at `position`, which is committed.
    ///
    /// # Errors
    /// [`Lost`] if the reign of this copy ended first: nobody here hears any more who holds it.
    pub async fn held(&self, position: Position, wanted: Wanted) -> Result<(), Lost> {
        let met = {
            let mut state = self.lock();
            match state.replica.holders(position) {
                Some(by) if wanted.is_met(by) => return Ok(()),
                Some(_) => state.patient.enter(position, wanted),
                None => return Err(Lost(self.id)),
            }
        };
        met.await.map_err(|oneshot::Canceled| Lost(self.id))
    }

    /// Returns how many in-sync members are known to hold the record at `position`; none if this copy does not order updates.
    pub fn holders(&self, position: Position) -> Option<Holders> {
        self.lock().replica.holders(position)
    }
}
