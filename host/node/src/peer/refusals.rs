//! Whom this node does not talk to, or who does not talk to it, for logs and for people.
//!
//! Anybody who reaches the port for peers may say any name, so what they say is bounded here, in memory and in the log. Left out: a
//! reason stands until its node connects, others displace it, or the process ends.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many are remembered; the list of nodes is shorter, and strangers must not fill the memory.
const KEPT_MAX: usize = 32;

/// A connection that does not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedPeer {
    /// The other node: its name, if it has said it, and its address.
    pub peer: String,
    /// Who refuses, and why.
    pub reason: String,
}

/// The newest reason for each of the others, the oldest of the others first.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    kept: Mutex<VecDeque<RefusedPeer>>,
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, VecDeque<RefusedPeer>> {
        // Each change of the queue leaves it whole: whoever panicked did so before or after.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a reason in, and says it in the log unless it is what was said last. The oldest gives way if there are too many.
    pub(super) fn note(&self, peer: &str, reason: String) {
        let mut kept = self.lock();
        let crowded = kept.len() >= KEPT_MAX;
        match kept.iter_mut().find(|refused| refused.peer == peer) {
            Some(known) if known.reason == reason => {
                tracing::debug!(peer, reason, "peer refused again");
                return;
            }
            Some(known) => known.reason.clone_from(&reason),
            None => {
                if crowded {
                    kept.pop_front();
                }
                kept.push_back(RefusedPeer { peer: peer.to_owned(), reason: reason.clone() });
            }
        }
        drop(kept);
        if crowded {
            // No group has so many nodes that are wrong: somebody makes them up, and must not fill the log as well.
            tracing::debug!(peer, reason, "peer refused, one of many");
        } else {
            tracing::warn!(peer, reason, "peer refused");
        }
    }

    /// Forgets what stood between this node and `peer`.
    pub(super) fn settled(&self, peer: &str) {
        self.lock().retain(|refused| refused.peer != peer);
    }

    /// Returns all reasons, by peer.
    pub(super) fn all(&self) -> Vec<RefusedPeer> {
        let mut all: Vec<RefusedPeer> = self.lock().iter().cloned().collect();
        all.sort_by(|one, other| one.peer.cmp(&other.peer));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_reason_of_each_peer_is_kept_until_it_connects() {
        let refusals = Refusals::default();
        refusals.note("b", "of the secret".to_owned());
        refusals.note("a", "of the version".to_owned());
        refusals.note("b", "of the cluster".to_owned());
        let reasons = || refusals.all().into_iter().map(|refused| refused.reason).collect::<Vec<_>>();
        assert_eq!(reasons(), ["of the version", "of the cluster"]);
        refusals.settled("a");
        assert_eq!(reasons(), ["of the cluster"]);
    }

    #[test]
    fn strangers_that_make_up_names_displace_the_oldest() {
        let refusals = Refusals::default();
        for number in 0..=KEPT_MAX {
            refusals.note(&format!("{number:03}"), "of the secret".to_owned());
        }
        let all = refusals.all();
        assert_eq!((all.len(), all[0].peer.as_str()), (KEPT_MAX, "001"));
    }
}
