//! What a script in Python finds around it that is a system's elsewhere: what clocks show, and where random bytes come from.
//!
//! **Problem.** CPython and its library take time and randomness from WASI wherever they like. A request that runs again has to find the
//! same, or a replay shows other outcomes, and two nodes other descriptors.
//!
//! **Promise.** Clocks stand still, and random bytes are a stream of BLAKE3 under the seed that is recorded with the request. The runner
//! says when it begins with a request; what it does before that, above all running the top level of the script, finds time 0 and seed 0.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Keeps these bytes apart from whatever else is made of a seed.
const CONTEXT: &str = "steward sandbox 2026-11 random bytes of a script";

/// Where the time and the random bytes of one instance come from.
pub(crate) struct Surroundings {
    clock: Clock,
    random: blake3::OutputReader,
}

impl Surroundings {
    /// Returns those before any request.
    pub(crate) fn beginning() -> Surroundings {
        Surroundings { clock: Clock::default(), random: stream(0) }
    }

    /// Makes them those of a request; time before 1970 counts as 1970.
    pub(crate) fn set(&mut self, now_micros: i64, seed: u64) {
        self.clock.0.store(u64::try_from(now_micros).unwrap_or(0), Ordering::Relaxed);
        self.random = stream(seed);
    }

    /// Returns a clock that follows.
    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Fills `bytes` with the next random ones.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.random.fill(bytes);
    }
}

fn stream(seed: u64) -> blake3::OutputReader {
    blake3::Hasher::new_derive_key(CONTEXT).update(&seed.to_le_bytes()).finalize_xof()
}

/// A clock that stands still between two calls of [`Surroundings::set`].
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    fn since_epoch(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        self.since_epoch()
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1000
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since_epoch().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(surroundings: &mut Surroundings) -> [u8; 24] {
        let mut bytes = [0; 24];
        // In pieces: what is drawn does not depend on how.
        for piece in bytes.chunks_mut(7) {
            surroundings.fill(piece);
        }
        bytes
    }

    #[test]
    fn the_same_request_finds_the_same_and_another_one_something_else() {
        let (mut one, mut two) = (Surroundings::beginning(), Surroundings::beginning());
        let first = drawn(&mut one);
        assert_eq!(first, drawn(&mut two));
        assert_ne!(first, drawn(&mut two), "the stream goes on");
        one.set(5_000_001, 7);
        two.set(5_000_001, 7);
        let seventh = drawn(&mut one);
        assert_eq!(seventh, drawn(&mut two));
        assert_ne!(seventh, first);
        one.set(5_000_001, 8);
        assert_ne!(seventh, drawn(&mut one));
    }

    #[test]
    fn clocks_stand_where_they_were_set() {
        let mut surroundings = Surroundings::beginning();
        let clock = surroundings.clock();
        assert_eq!((HostWallClock::now(&clock), HostMonotonicClock::now(&clock)), (Duration::ZERO, 0));
        surroundings.set(1_500_000, 0);
        assert_eq!(HostWallClock::now(&clock), Duration::from_millis(1500));
        assert_eq!(HostMonotonicClock::now(&clock), 1_500_000_000);
        surroundings.set(i64::MIN, 0);
        assert_eq!(HostWallClock::now(&clock), Duration::ZERO);
    }
}
