//! Reads of this copy as it is: whether it counts, how far it has come, and those who wait until it has come further.
//!
//! Nothing is asked of other members. What is read is committed, and may be older than what the owner would answer; so a reader says
//! which record it has seen elsewhere, and waits until the copy has committed it. The position of that record names it: a copy that
//! has committed another one at that offset never has it.

use futures_channel::oneshot;
use steward_model::Position;
use steward_model::mutation::{self, Mutation};
use steward_protocol::replica::{Fence, RoleName};

use super::{Partition, State};

/// How this copy can answer a read of its own accord.
#[derive(Debug)]
pub enum Standing {
    /// It shows every update through this position.
    Shows(Position),
    /// It counts, and has not come as far as the reader has seen.
    Behind(Behind),
    /// It has committed another record where the reader has seen one.
    Elsewhere,
    /// It is in no in-sync set that it knows of, or holds nothing committed: another copy answers.
    Uncounted,
}

/// A copy that is behind its reader.
#[derive(Debug)]
pub struct Behind {
    /// Up to where it is committed; it may be shown to readers who have seen less.
    pub shows: Position,
    reached: oneshot::Receiver<()>,
}

impl Behind {
    /// Returns once the copy has committed as much as the reader has seen, or something else there; look again then.
    pub async fn passed(self) {
        // The copy outlives those who wait; if it is dropped first, looking again ends the wait with the caller.
        let _ = self.reached.await;
    }
}

impl Partition {
    /// Returns how this copy can answer a reader that has `seen` a record of its log, or none.
    pub fn standing(&self, seen: Option<Position>) -> Standing {
        let mut state = self.lock();
        let Some(shows) = counted(&state) else { return Standing::Uncounted };
        let Some(seen) = seen else { return Standing::Shows(shows) };
        match state.replica.fence(seen) {
            Fence::Ahead if mutation::is(Mutation::FenceIgnored) => Standing::Shows(shows),
            Fence::Reached => Standing::Shows(shows),
            Fence::Elsewhere => Standing::Elsewhere,
            Fence::Ahead => Standing::Behind(Behind { shows, reached: state.ahead.enter(seen.offset) }),
        }
    }
}

/// Returns up to where a copy is committed that counts.
fn counted(state: &State) -> Option<Position> {
    let counts = match state.replica.role() {
        RoleName::Tailing => false,
        RoleName::InSync | RoleName::Candidate | RoleName::Activating | RoleName::Primary => true,
    };
    let committed = state.replica.committed().filter(|_| counts)?;
    state.replica.position_at(committed)
}
