//! When those are looked for who wait no more.

/// So many more may wait before the first look.
const FIRST: usize = 64;

/// Looking at everybody takes as long as there are many, so it is done when there are twice as many as the last look has left.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    left: usize,
}

impl Sweep {
    /// Returns true if it is time, where `waiting` wait.
    pub(super) fn is_due(&self, waiting: usize) -> bool {
        waiting >= FIRST + 2 * self.left
    }

    /// Takes note that the last look has left so many.
    pub(super) fn done(&mut self, left: usize) {
        self.left = left;
    }
}
