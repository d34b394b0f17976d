//! How many bytes the bodies of requests hold, all of them together.
//!
//! Problem: each body is within its bound, but many of them together take more memory than the node has. A body that
//! arrives slowly holds its bytes for as long as it may take.
//!
//! Promise: the bytes that arrive are counted until their request has ended. What would exceed the bound is refused,
//! and the refusal names the bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::Error;

/// Most bytes that bodies may hold at once: some of the largest modules, or hundreds of the largest documents.
const HELD_BYTES_MAX: usize = 256 * 1024 * 1024;

/// See the head of this module.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    held: AtomicUsize,
}

/// What one body holds; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    bodies: Arc<Bodies>,
    bytes: usize,
}

impl Bodies {
    /// Returns the count of a body of which nothing has arrived.
    pub(super) fn nothing(self: &Arc<Self>) -> Held {
        Held { bodies: Arc::clone(self), bytes: 0 }
    }
}

impl Held {
    /// Counts a piece that has arrived.
    ///
    /// # Errors
    /// [`Error::BodiesFull`] if all bodies together hold too much then; the piece is not counted.
    pub(super) fn more(&mut self, bytes: usize) -> Result<(), Error> {
        if self.bodies.held.fetch_add(bytes, Ordering::Relaxed) + bytes > HELD_BYTES_MAX {
            self.bodies.held.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Error::BodiesFull { max: HELD_BYTES_MAX });
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_hold_no_more_than_they_may_together() {
        let bodies = Arc::new(Bodies::default());
        let (mut one, mut other) = (bodies.nothing(), bodies.nothing());
        one.more(HELD_BYTES_MAX - 1).expect("fits");
        assert!(matches!(other.more(2), Err(Error::BodiesFull { max: HELD_BYTES_MAX })));
        other.more(1).expect("fits");
        drop(one);
        other.more(HELD_BYTES_MAX - 1).expect("fits again");
    }
}
