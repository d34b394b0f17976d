//! Those who wait for records to be committed.
//!
//! Problem: many give up before there is an answer, and without a quorum no answer comes for a long time. Promise: those who gave up
//! are forgotten in time. The list never has more than twice as many entries as there are who still wait, and a few.

use std::collections::VecDeque;

use futures_channel::oneshot;
use steward_model::{Offset, Position};

use super::giving_up::Sweep;

/// Somebody who waits.
struct Waiter {
    position: Position,
    committed: oneshot::Sender<()>,
}

/// All who wait, by offset, so that a commit answers from the front.
#[derive(Default)]
pub(super) struct Waiters {
    waiting: VecDeque<Waiter>,
    sweep: Sweep,
}

impl Waiters {
    /// Enters somebody who waits for the record at `position`.
    pub(super) fn enter(&mut self, position: Position, committed: oneshot::Sender<()>) {
        self.sweep.among(self.waiting.len(), || {
            self.waiting.retain(|waiter| !waiter.committed.is_canceled());
            self.waiting.len()
        });
        let place = self.waiting.partition_point(|other| other.position.offset <= position.offset);
        self.waiting.insert(place, Waiter { position, committed });
    }

    /// Tells those who wait for records up to `through`.
    pub(super) fn committed(&mut self, through: Offset) {
        while let Some(waiter) = self.waiting.pop_front_if(|waiter| waiter.position.offset <= through) {
            // Waiters of records that were displaced have been told so when that happened: what is left at or below the
            // commit is what was committed. The operation may have given up waiting; it is committed all the same.
            let _ = waiter.committed.send(());
        }
    }

    /// Forgets those who wait for records above `keep`: dropped, they learn that the outcome is unknown here.
    pub(super) fn truncate(&mut self, keep: Option<Offset>) {
        while self.waiting.pop_back_if(|waiter| Some(waiter.position.offset) > keep).is_some() {}
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use steward_model::Epoch;

    use super::*;

    fn at(offset: u64) -> Position {
        Position { epoch: Epoch::ZERO, offset: Offset(offset) }
    }

    #[test]
    fn those_who_have_given_up_are_forgotten_and_no_others() {
        let mut waiters = Waiters::default();
        let enter = |waiters: &mut Waiters, offset| {
            let (committed, waits) = oneshot::channel();
            waiters.enter(at(offset), committed);
            waits
        };
        let mut patient: Vec<_> = (0..10).map(|offset| enter(&mut waiters, offset)).collect();
        for offset in 0..10_000 {
            drop(enter(&mut waiters, offset % 20));
        }
        assert!(waiters.len() < 200, "{} are left", waiters.len());
        waiters.committed(Offset(4));
        waiters.truncate(Some(Offset(6)));
        let told: Vec<_> = patient.iter_mut().map(|waits| waits.try_recv()).collect();
        assert_eq!(told[..5], [Ok(Some(())); 5]);
        assert_eq!(told[5..7], [Ok(None); 2]);
        assert_eq!(told[7..], [Err(oneshot::Canceled); 3]);
    }
}
