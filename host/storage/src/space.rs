//! How much room a file system has, and which errors mean that room or another resource is short.

use std::io;
use std::path::Path;

/// The bytes of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free for a process without special rights.
    pub free: u64,
    /// Taken, by whomever.
    pub used: u64,
}

/// Returns how much room the file system of `path` has.
///
/// # Errors
/// Those of the operating system.
pub fn room(path: &Path) -> io::Result<Room> {
    let found = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Room { free: bytes(found.f_bavail), used: bytes(found.f_blocks.saturating_sub(found.f_bfree)) })
}

/// Returns how many bytes are free on the file system of `path` for a process without special rights.
///
/// # Errors
/// Those of the operating system.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    Ok(room(path)?.free)
}

/// Returns true if `error` says that there is no space left.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Returns true if `error` passes by itself or by freeing something, and nothing has happened: no space, no more open
/// files, a signal.
pub fn is_shortage(error: &io::Error) -> bool {
    is_full(error) || error.kind() == io::ErrorKind::Interrupted || wants_descriptors(error)
}

/// Returns true if `error` says that there are no more file descriptors. No fsync ever says so: what was to be made lasting has not
/// been begun.
pub fn wants_descriptors(error: &io::Error) -> bool {
    let is_short = |number| {
        let errno = rustix::io::Errno::from_raw_os_error(number);
        errno == rustix::io::Errno::MFILE || errno == rustix::io::Errno::NFILE
    };
    error.raw_os_error().is_some_and(is_short)
}
