//! Notes beside a state store: how it was closed, and that it must not be used.
//!
//! After a failed fsync the operating system may keep what it could not write, and say at the next fsync that all is
//! well. So the store does not trust what an earlier process has left in the memory of the system. A note says that the
//! store was closed while all was well. If it is missing, [`harden`] writes the journals once more, byte for byte in
//! their places, and fsyncs them before the engine reads them. What a power cut or a failed write has taken away is
//! missing for good then; the marks of checkpoints show that. Tables and blobs need no such care: the engine fsyncs
//! each before it uses it, and never tries again.
//!
//! A second note condemns a store: it says that damage was found while the store was in use.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::lasting;

/// Says that the store was closed while all was well. Never fsynced: if it is lost, so is what it speaks of.
const CLOSED_FILE: &str = "steward-closed";

/// Says why the store must not be used.
const CONDEMNED_FILE: &str = "steward-condemned";

/// How many bytes are read and written in one call.
const RUN_BYTES: usize = 1 << 20;

/// Notes that the store at `path` was closed while all was well.
///
/// # Errors
/// Those of the operating system.
pub(super) fn closed(path: &Path) -> io::Result<()> {
    std::fs::write(path.join(CLOSED_FILE), "")
}

/// Takes the note of [`closed`] away, and returns whether there was one.
///
/// # Errors
/// Those of the operating system.
pub(super) fn take_closed(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path.join(CLOSED_FILE)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Notes, for good, that the store at `path` must not be used.
///
/// # Errors
/// Those of the operating system.
pub(super) fn condemn(path: &Path, reason: &str) -> io::Result<()> {
    lasting::replace(&path.join(CONDEMNED_FILE), reason.as_bytes())
}

/// Returns why the store at `path` must not be used; none if it may be.
pub(super) fn condemned(path: &Path) -> Option<String> {
    let reason = std::fs::read(path.join(CONDEMNED_FILE)).ok()?;
    Some(String::from_utf8_lossy(&reason).into_owned())
}

/// Writes what the journals hold once more, and makes it lasting. Their names are made lasting with those of all other files of the
/// engine, when it is open.
///
/// # Errors
/// Those of the operating system; what is lasting is unknown then.
pub(super) fn harden(path: &Path) -> io::Result<()> {
    for journal in journals(path)? {
        let file = OpenOptions::new().read(true).write(true).open(&journal)?;
        let end = file.metadata()?.len();
        let mut run = vec![0; RUN_BYTES];
        let mut at = 0;
        while at < end {
            let length = RUN_BYTES.min((end - at) as usize);
            file.read_exact_at(&mut run[..length], at)?;
            // Journals are made larger than what stands in them; the rest reads as zeros and needs no space.
            if run[..length].iter().any(|byte| *byte != 0) {
                file.write_all_at(&run[..length], at)?;
            }
            at += length as u64;
        }
        // The engine fsyncs the journal that it writes to with the next checkpoint, and those before it never again.
        file.sync_all()?;
    }
    Ok(())
}

/// Returns the journals of the store at `path`, in no order.
///
/// # Errors
/// Those of the operating system.
pub(super) fn journals(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut journals = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            journals.push(path);
        }
    }
    Ok(journals)
}

/// Returns the journal that is written to: the one with the highest number.
///
/// # Errors
/// Those of the operating system.
pub(super) fn newest_journal(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest: Option<(u64, PathBuf)> = None;
    for path in journals(path)? {
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        newest = newest.max(number.map(|number| (number, path)));
    }
    Ok(newest.map(|(_, path)| path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_with_the_highest_number_is_the_newest() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(newest_journal(folder.path()).expect("readable"), None);
        for name in ["9.jnl", "10.jnl", "11.tmp", "lock"] {
            std::fs::write(folder.path().join(name), b"").expect("writable");
        }
        assert_eq!(newest_journal(folder.path()).expect("readable"), Some(folder.path().join("10.jnl")));
    }

    #[test]
    fn hardening_changes_no_byte() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = folder.path().join("7.jnl");
        let mut bytes = vec![0; 3 * RUN_BYTES + 5];
        bytes[..100].fill(7);
        *bytes.last_mut().expect("there is one") = 9;
        std::fs::write(&journal, &bytes).expect("writable");
        harden(folder.path()).expect("the disk works");
        assert!(std::fs::read(&journal).expect("readable") == bytes);
    }

    #[test]
    fn a_store_counts_as_closed_once() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(!take_closed(folder.path()).expect("readable"));
        closed(folder.path()).expect("writable");
        assert!(take_closed(folder.path()).expect("readable"));
        assert!(!take_closed(folder.path()).expect("readable"));
    }
}
