//! Whether the disk has room for updates.
//!
//! The node measures the disk and says so here. Updates are refused while there is still room left for those under way,
//! so that no update fails half-way because a write found no room. Reads go on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::observer::unpoisoned;

/// Whether updates are refused for want of space, and the sentence that says so.
#[derive(Debug, Default)]
pub struct Space {
    full: AtomicBool,
    reason: Mutex<String>,
}

impl Space {
    /// Notes that the disk is full and why, or that it has room. Returns true if that is news.
    pub fn set(&self, reason: Option<String>) -> bool {
        let full = reason.is_some();
        *unpoisoned(self.reason.lock()) = reason.unwrap_or_default();
        self.full.swap(full, Ordering::AcqRel) != full
    }

    /// Returns nothing if there is room for updates.
    ///
    /// # Errors
    /// A sentence that says how much is free and how much is needed.
    pub fn check(&self) -> Result<(), String> {
        match self.full.load(Ordering::Acquire) {
            true => Err(unpoisoned(self.reason.lock()).clone()),
            false => Ok(()),
        }
    }
}
