//! Upper limits on the memory and the tables of one instance.

use wasmtime::ResourceLimiter;

/// Counts what an instance has and denies what would exceed the ceilings.
///
/// A denied growth is no trap: `memory.grow` answers -1, and a guest that can live with it goes on. Usually it cannot
/// and aborts, so the denial is remembered until the next call and names the true reason of the trap.
#[derive(Debug)]
pub(crate) struct Limits {
    memory_bytes_max: usize,
    table_elements_max: usize,
    memory_bytes: usize,
    last_growth_bytes: usize,
    settled_bytes: usize,
    denied_bytes: Option<usize>,
}

impl Limits {
    pub(crate) fn new(memory_bytes_max: usize, table_elements_max: usize) -> Limits {
        Limits {
            memory_bytes_max,
            table_elements_max,
            memory_bytes: 0,
            last_growth_bytes: 0,
            settled_bytes: 0,
            denied_bytes: None,
        }
    }

    /// Takes the present size of the memories as the one to which [`Limits::grown_bytes`] compares.
    pub(crate) fn settle(&mut self) {
        self.settled_bytes = self.memory_bytes;
    }

    /// Forgets denials of earlier calls.
    pub(crate) fn begin(&mut self) {
        self.denied_bytes = None;
    }

    /// Returns how much the memories have grown since the instance was made.
    pub(crate) fn grown_bytes(&self) -> usize {
        self.memory_bytes.saturating_sub(self.settled_bytes)
    }

    /// Returns the size that was denied in this call, if any was.
    pub(crate) fn denied_bytes(&self) -> Option<usize> {
        self.denied_bytes
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let growth = desired.saturating_sub(current);
        let total = self.memory_bytes.saturating_add(growth);
        if total > self.memory_bytes_max {
            self.denied_bytes = Some(total);
            return Ok(false);
        }
        self.memory_bytes = total;
        self.last_growth_bytes = growth;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        // Also called after a denial, when nothing was counted.
        if self.denied_bytes.is_none() {
            self.denied_bytes = Some(self.memory_bytes);
            self.memory_bytes = self.memory_bytes.saturating_sub(self.last_growth_bytes);
        }
        Ok(())
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= self.table_elements_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_of_an_instance_are_counted_together() {
        let mut limits = Limits::new(300, 10);
        assert!(limits.memory_growing(0, 100, None).expect("no error"));
        assert!(limits.memory_growing(0, 200, None).expect("no error"));
        assert!(!limits.memory_growing(100, 101, None).expect("no error"));
        assert_eq!(limits.denied_bytes(), Some(301));
    }

    #[test]
    fn growth_counts_from_the_moment_the_instance_was_made() {
        let mut limits = Limits::new(300, 10);
        assert!(limits.memory_growing(0, 100, None).expect("no error"));
        limits.settle();
        assert!(limits.memory_growing(100, 150, None).expect("no error"));
        assert_eq!(limits.grown_bytes(), 50);
    }

    #[test]
    fn a_growth_that_the_pool_cannot_give_is_not_counted() {
        let mut limits = Limits::new(300, 10);
        assert!(limits.memory_growing(0, 200, None).expect("no error"));
        limits.memory_grow_failed(wasmtime::Error::msg("full")).expect("no error");
        assert_eq!(limits.denied_bytes(), Some(200));
        assert!(limits.memory_growing(0, 300, None).expect("no error"));
    }
}
