//! Space on a file system.

use std::io;
use std::path::Path;

/// Returns how many bytes are free on the file system of `path` for a process without special rights.
///
/// # Errors
/// Those of the operating system.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Returns true if `error` says that there is no space left.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
