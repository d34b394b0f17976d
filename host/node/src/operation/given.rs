//! What a handler is given besides state and request: the time of day, and the number from which its randomness comes.
//!
//! Both are drawn before the handlers of an operation run. So they can be recorded, and given once more.

use steward_model::Timestamp;
use steward_model::splitmix::mix;

use super::Operations;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Given {
    pub now: Timestamp,
    /// Randomness for one call.
    pub seed: u64,
}

impl Given {
    /// Returns the time, and a number that nobody outside can guess.
    pub(super) fn drawn(operations: &Operations) -> Given {
        Given { now: operations.clock.timestamp(), seed: operations.seeds.draw() }
    }

    /// Returns what the handler gets that runs next for the same operation: the same time, and other randomness.
    pub(super) fn next(self) -> Given {
        Given { seed: mix(self.seed), ..self }
    }
}
