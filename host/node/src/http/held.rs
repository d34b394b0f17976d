//! How many bytes the bodies of requests hold, all of them together, and those of answers.
//!
//! Problem: each body is within its bound, but many of them together take more memory than the node has. A body that
//! arrives slowly holds its bytes for as long as it may take; a large answer, until its client has taken it.
//!
//! Promise: the bytes of requests are counted from when they arrive until their request has ended, those of answers until they are
//! sent. What would exceed the bound is refused, and the refusal names the bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::Error;
use crate::telemetry::metrics as telemetry;

#[derive(Debug)]
pub(super) struct Bodies {
    held: AtomicUsize,
    max: usize,
    refusal: fn(usize) -> Error,
}

/// What one body holds; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    bodies: Arc<Bodies>,
    bytes: usize,
}

impl Bodies {
    /// Returns the count of requests, whose bodies hold at most `max` bytes together.
    pub(super) fn of_requests(max: usize) -> Bodies {
        let refusal = |max| {
            telemetry::body_refused();
            Error::BodiesFull { max }
        };
        Bodies { held: AtomicUsize::new(0), max, refusal }
    }

    /// Returns the count of answers, which hold at most `max` bytes together.
    pub(super) fn of_answers(max: usize) -> Bodies {
        Bodies { held: AtomicUsize::new(0), max, refusal: |max| Error::AnswersFull { max } }
    }

    /// Returns the count of a body of which nothing is there.
    pub(super) fn nothing(self: &Arc<Self>) -> Held {
        Held { bodies: Arc::clone(self), bytes: 0 }
    }

    /// Returns how many bytes are held now.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

impl Held {
    /// Counts a piece.
    ///
    /// # Errors
    /// [`Error::BodiesFull`] or [`Error::AnswersFull`] if all bodies together hold too much then; the piece is not counted.
    pub(super) fn more(&mut self, bytes: usize) -> Result<(), Error> {
        let Bodies { held, max, refusal } = &*self.bodies;
        if held.fetch_add(bytes, Ordering::Relaxed) + bytes > *max {
            held.fetch_sub(bytes, Ordering::Relaxed);
            return Err(refusal(*max));
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Counts what is there already, whatever the bound says.
    pub(super) fn anyway(&mut self, bytes: usize) {
        self.bodies.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
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
        let bodies = Arc::new(Bodies::of_requests(10));
        let (mut one, mut other) = (bodies.nothing(), bodies.nothing());
        one.more(9).expect("fits");
        assert!(matches!(other.more(2), Err(Error::BodiesFull { max: 10 })));
        other.more(1).expect("fits");
        drop(one);
        other.more(9).expect("fits again");
    }

    #[test]
    fn what_has_happened_is_told_whatever_it_holds() {
        let answers = Arc::new(Bodies::of_answers(10));
        let (mut update, mut read) = (answers.nothing(), answers.nothing());
        update.anyway(12);
        assert!(matches!(read.more(1), Err(Error::AnswersFull { max: 10 })));
        drop(update);
        read.more(10).expect("fits");
        assert_eq!(answers.held(), 10);
    }
}
