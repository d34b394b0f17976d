//! Files that are replaced whole: after a crash there is the old one or the new one, never a mixture.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Ending of a file that is being written; whatever has it after a crash is worth nothing.
const UNFINISHED: &str = "unfinished";

/// Puts `bytes` in the place of the file at `path`, durably.
///
/// # Errors
/// Those of the operating system; the old file is still there then.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED);
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

/// Returns what the file at `path` holds; none if there is no such file.
///
/// # Errors
/// Those of the operating system.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes creations and renames in `folder` durable.
///
/// # Errors
/// Those of the operating system.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
