//! How full the disk is. Updates are refused while there is room left for what is under way, so that no update is ever
//! half done because a write failed; reads go on, and freeing space heals it.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use steward_storage::space::free_bytes;

/// Watches the free space of the file system that holds the data folder.
#[derive(Debug)]
pub struct Space {
    folder: PathBuf,
    reserve_bytes: u64,
    full: AtomicBool,
    reason: Mutex<String>,
}

impl Space {
    /// Returns a watch on `folder` that calls the disk full when less than `reserve_bytes` are free.
    pub fn new(folder: PathBuf, reserve_bytes: u64) -> Space {
        Space { folder, reserve_bytes, full: AtomicBool::new(false), reason: Mutex::new(String::new()) }
    }

    /// Looks at the disk again. Returns true if it is full.
    pub fn look(&self, log_is_short: bool) -> bool {
        let reason = match free_bytes(&self.folder) {
            Ok(free) if free < self.reserve_bytes => {
                let (free, reserve) = (free >> 20, self.reserve_bytes >> 20);
                format!("{free} MiB are free, {reserve} MiB are kept in reserve; free some space and try again")
            }
            Ok(_) if log_is_short => {
                "the commit log has no room for another segment; free some space and try again".to_owned()
            }
            Ok(_) => String::new(),
            Err(error) => format!("the free space cannot be read: {error}"),
        };
        let full = !reason.is_empty();
        if full != self.full.swap(full, Ordering::AcqRel) {
            if full {
                tracing::warn!(%reason, "disk full, updates are refused");
            } else {
                tracing::info!("disk has room again, updates are taken");
            }
        }
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        full
    }

    /// Returns nothing if there is room for updates.
    ///
    /// # Errors
    /// A sentence that says how much is free and how much is needed.
    pub fn check(&self) -> Result<(), String> {
        if self.full.load(Ordering::Acquire) {
            return Err(self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone());
        }
        Ok(())
    }
}
