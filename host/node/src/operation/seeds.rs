//! Seeds for the randomness of guests.
//!
//! Promise: nobody outside can guess a seed, and no two are alike in practice. Drawing one does not call the operating
//! system, because that would cost more than a small handler.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

pub(super) struct Seeds {
    key: [u8; 32],
    drawn: AtomicU64,
}

impl Seeds {
    /// Returns seeds that differ from those of every other process start.
    pub(super) fn new() -> Seeds {
        let mut key = [0; 32];
        key[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        key[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        Seeds { key, drawn: AtomicU64::new(0) }
    }

    /// Returns the next seed.
    pub(super) fn draw(&self) -> u64 {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        let hash = blake3::keyed_hash(&self.key, &count.to_le_bytes());
        let mut seed = [0; 8];
        seed.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(seed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn seeds_differ_from_each_other_and_from_those_of_another_start() {
        let (one, other) = (Seeds::new(), Seeds::new());
        let drawn: BTreeSet<u64> = (0..1000).flat_map(|_| [one.draw(), other.draw()]).collect();
        assert_eq!(drawn.len(), 2000);
    }
}
