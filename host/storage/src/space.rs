//! How much of a file system is free.

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
