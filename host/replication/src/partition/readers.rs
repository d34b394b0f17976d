//! The reads of a copy that wait to be confirmed, by the numbers under which the core knows them.

use std::collections::VecDeque;

use futures_channel::oneshot;

use super::giving_up::Sweep;

/// Reads that wait, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Readers {
    waiting: VecDeque<(u64, oneshot::Sender<()>)>,
    last: u64,
    sweep: Sweep,
}

impl Readers {
    pub(super) fn enter(&mut self, confirmed: oneshot::Sender<()>) -> u64 {
        // Without a quorum nobody is told, and readers come and go.
        self.sweep.among(self.waiting.len(), || {
            self.waiting.retain(|(_, other)| !other.is_canceled());
            self.waiting.len()
        });
        self.last += 1;
        self.waiting.push_back((self.last, confirmed));
        self.last
    }

    pub(super) fn confirm(&mut self, through: u64) {
        while let Some((_, confirmed)) = self.waiting.pop_front_if(|(number, _)| *number <= through) {
            // The reader may have given up.
            let _ = confirmed.send(());
        }
    }

    pub(super) fn refuse(&mut self, through: u64) {
        // Dropped, they learn that nobody confirms.
        while self.waiting.pop_front_if(|(number, _)| *number <= through).is_some() {}
    }
}
