//! When those are looked for who wait no more.

/// So many more may wait before the first look.
const FIRST: usize = 64;

/// Looking at everybody takes as long as there are many, so it is done when there are twice as many as the last look has left.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    left: usize,
}

impl Sweep {
    /// Has `forget` look, if it is time where `waiting` wait; it returns how many it has left.
    pub(super) fn among(&mut self, waiting: usize, forget: impl FnOnce() -> usize) {
        if waiting >= FIRST + 2 * self.left {
            self.left = forget();
        }
    }
}
