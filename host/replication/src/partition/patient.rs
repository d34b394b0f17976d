//! Clients that wait until more members hold a record than its commit needs.

use std::num::NonZeroU32;

use futures_channel::oneshot;
use serde::{Deserialize, Serialize};
use steward_model::Position;
use steward_model::mutation::{self, Mutation};
use steward_protocol::replica::{Holders, Replica};

/// How many in-sync members shall hold a record durably before an answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// So many.
    Members(NonZeroU32),
    /// All that are in the in-sync set when it is looked at.
    All,
}

impl Wanted {
    /// Returns true if as many hold it as are wanted.
    pub(super) fn is_met(self, by: Holders) -> bool {
        let holders = by.holders + usize::from(mutation::is(Mutation::HeldByOneLess));
        match self {
            Wanted::Members(count) => holders >= count.get() as usize,
            Wanted::All => holders >= by.members,
        }
    }
}

/// Somebody who waits for further holders of a committed record.
#[derive(Debug)]
struct Waiting {
    position: Position,
    wanted: Wanted,
    met: oneshot::Sender<()>,
}

/// All who wait for further holders.
#[derive(Debug, Default)]
pub(super) struct Patient(Vec<Waiting>);

impl Patient {
    /// Enters a client, who is told once as many members hold the record as it wants.
    pub(super) fn enter(&mut self, position: Position, wanted: Wanted) -> oneshot::Receiver<()> {
        let (met, waits) = oneshot::channel();
        self.0.push(Waiting { position, wanted, met });
        waits
    }

    /// Tells those for whose record enough members are known by now, and lets those go who never hear of it.
    pub(super) fn release(&mut self, replica: &Replica) {
        if self.0.is_empty() {
            return;
        }
        for one in std::mem::take(&mut self.0) {
            match replica.holders(one.position) {
                Some(by) if one.wanted.is_met(by) => {
                    // The client may have given up.
                    let _ = one.met.send(());
                }
                Some(_) if !one.met.is_canceled() => self.0.push(one),
                // Dropped, it learns that the reign is over.
                Some(_) | None => {}
            }
        }
    }
}
