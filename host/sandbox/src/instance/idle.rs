//! The instances of one module that are kept for the next call.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Instance;

/// Instances that wait for a call, the one used last on top: its memory is most likely in the processor's cache.
#[derive(Default)]
pub(crate) struct Idle(Mutex<Stack>);

/// Boxed, because an instance changes hands twice a call: a pointer is quicker than its tables of functions.
type Stack = Vec<Box<Instance>>;

impl Idle {
    pub(super) fn take(&self) -> Option<Box<Instance>> {
        self.lock().pop()
    }

    /// Keeps the instance, unless `count_max` are kept already.
    pub(super) fn put(&self, instance: Box<Instance>, count_max: usize) {
        let mut idle = self.lock();
        if idle.len() < count_max {
            idle.push(instance);
        }
    }

    /// Drops all of them.
    pub(crate) fn clear(&self) {
        let dropped = std::mem::take(&mut *self.lock());
        // Returning memory to the system takes a while: not under the lock.
        drop(dropped);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Stack> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
