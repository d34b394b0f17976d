//! How much a node has appended that is not known to be committed.
//!
//! **Problem.** An owner appends as fast as its disk writes, and hears of commits only from others. Clients that do not wait for an
//! answer, or not for long, are no brake; so with too few members that answer, memory would fill without end.
//!
//! **Promise.** What waits is counted in bytes over all partitions, copies of other owners' records with it, and beyond a bound no
//! further update is taken. What comes by itself (markers, notes of effects that were carried out) is taken all the same: it is small,
//! or what the commit waits for. Each update that is taken may pass the bound by its own size.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::partition::ProposeError;

/// Bytes of records that are appended and not known to be committed, of all partitions of a node.
#[derive(Debug)]
pub struct UncommittedBytes {
    bytes: AtomicU64,
    most: u64,
}

impl UncommittedBytes {
    /// Returns a count of nothing, which admits updates as long as no more than `most` bytes wait.
    pub(crate) fn new(most: u64) -> UncommittedBytes {
        UncommittedBytes { bytes: AtomicU64::new(0), most }
    }

    /// Returns how many bytes wait.
    pub fn get(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Refuses an update if too much waits.
    ///
    /// # Errors
    /// [`ProposeError::TooFewFollow`]
    pub(crate) fn check(&self) -> Result<(), ProposeError> {
        let bytes = self.get();
        match bytes > self.most {
            true => Err(ProposeError::TooFewFollow { bytes, most: self.most }),
            false => Ok(()),
        }
    }
}
