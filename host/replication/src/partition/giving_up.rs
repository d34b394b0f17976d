//! When a list of those who wait is searched for those who have given up.

/// So many more may wait before the first look.
const FIRST: usize = 64;

/// A look at the whole list costs more the longer it is, so it is made when the list has grown to twice what the last look has left.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    left: usize,
}

impl Sweep {
    /// Calls `forget` if it is time to look through a list of `waiting`; `forget` returns how many it has left in the list.
    pub(super) fn among(&mut self, waiting: usize, forget: impl FnOnce() -> usize) {
        if waiting >= FIRST + 2 * self.left {
            self.left = forget();
        }
    }
}
