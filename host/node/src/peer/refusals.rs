//! Whom this node does not talk to, or who does not talk to it, for logs and for people.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many are remembered; the list of nodes is shorter, and strangers must not fill the memory.
const KEPT_MAX: usize = 32;

/// A connection that does not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The other node: its name, if it has said it, and its address.
    pub peer: String,
    /// Who refuses, and why.
    pub reason: String,
}

/// The newest reason for each of the others.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    kept: Mutex<BTreeMap<String, String>>,
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        // Each change of the map is one call: whoever panicked left it whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a reason in, and says it in the log unless it is what was said last.
    pub(super) fn note(&self, peer: &str, reason: String) {
        let mut kept = self.lock();
        if kept.get(peer) == Some(&reason) {
            tracing::debug!(peer, reason, "peer refused again");
            return;
        }
        tracing::warn!(peer, reason, "peer refused");
        if kept.len() < KEPT_MAX || kept.contains_key(peer) {
            kept.insert(peer.to_owned(), reason);
        }
    }

    /// Forgets what stood between this node and `peer`.
    pub(super) fn settled(&self, peer: &str) {
        self.lock().remove(peer);
    }

    /// Returns all reasons by peer.
    pub(super) fn all(&self) -> Vec<Refused> {
        let of = |(peer, reason): (&String, &String)| Refused { peer: peer.clone(), reason: reason.clone() };
        self.lock().iter().map(of).collect()
    }
}
