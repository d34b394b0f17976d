//! Files and folders that survive a power cut.
//!
//! Problem: a file system keeps the content of a file and its name apart. Each becomes lasting by an fsync of its own;
//! the name by the fsync of its folder.
//!
//! Promise: what a function here has written when it returns survives. If it is interrupted, the old file or the new
//! one is there, never something between.
//!
//! Left out: the files of the commit log, those of the engine of the state store, and the number of its last checkpoint, which may
//! get lost. Everything else that a node keeps is written here.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Held while a file is replaced.
static REPLACING: Mutex<()> = Mutex::new(());

/// Ending of a file that is being written.
const UNFINISHED: &str = "unfinished";

/// Returns the name under which the file at `path` is written before it gets its own. Whatever has it after a crash is
/// worth nothing.
pub fn unfinished(path: &Path) -> PathBuf {
    path.with_extension(UNFINISHED)
}

/// Puts `bytes` in the place of the file at `path`, durably. After a crash there is the old file or the new one.
///
/// # Errors
/// Those of the operating system. The old file is still there then, unless the last step failed, the fsync of the
/// folder: which of the two a power cut leaves is not known.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // One at a time: two that write the same file would write it under the same name before it gets its own.
    let _turn = REPLACING.lock().unwrap_or_else(PoisonError::into_inner);
    let unfinished = unfinished(path);
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_folder(folder_of(path))
}

/// Makes the folder at `path`, and those above it that are missing, durably. Nobody but its owner may look into what is made here: what
/// users store is in there.
///
/// A folder that is there already may be no older than a start that was killed, so its name is made lasting as well.
///
/// # Errors
/// Those of the operating system. Folders that were made stay.
pub fn make_folder(path: &Path) -> io::Result<()> {
    match make_below(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && folder_of(path) != path => {
            make_folder(folder_of(path))?;
            // Where even now there is no making it, such as below /proc or in a folder that was removed, there is none.
            make_below(path)
        }
        made => made,
    }
}

/// Makes the folder at `path`, durably, in a folder that is there.
fn make_below(path: &Path) -> io::Result<()> {
    match private_folder().create(path) {
        Ok(()) => sync_folder(folder_of(path)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => match sync_folder(folder_of(path)) {
            // A process that may not look into the folder above did not make this one.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        },
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn private_folder() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(not(unix))]
fn private_folder() -> fs::DirBuilder {
    fs::DirBuilder::new()
}

/// Returns what the file at `path` holds; none if there is no such file.
///
/// # Errors
/// Those of the operating system; also if something else than a file is there: it may have no end.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let is_other = fs::metadata(path).is_ok_and(|found| !found.is_file());
    if is_other {
        return Err(io::Error::new(ErrorKind::InvalidInput, "there is something else than a file"));
    }
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the names in the folder at `path`, and in all folders below it, lasting.
///
/// # Errors
/// Those of the operating system.
pub fn sync_folders(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_replaces_the_same_file_at_once_finds_it_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::thread::scope(|scope| {
            let write = |byte: u8| {
                let path = &path;
                scope.spawn(move || (0..8).all(|_| replace(path, &[byte; 5000]).is_ok()))
            };
            let writers: Vec<_> = (0..8).map(write).collect();
            assert!(writers.into_iter().all(|writer| writer.join().expect("no panic")));
        });
        let found = fs::read(&path).expect("the file");
        assert!(found.len() == 5000 && found.iter().all(|byte| *byte == found[0]));
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_unfinished_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        fs::write(unfinished(&path), "left by a crash, and longer").expect("writable");
        for bytes in [&b"one"[..], b"", b"another"] {
            replace(&path, bytes).expect("replaced");
            assert_eq!(fs::read(&path).expect("readable"), bytes);
        }
        assert!(!unfinished(&path).exists());
    }

    #[test]
    fn folders_are_made_with_those_above_them_and_may_be_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/b/c");
        make_folder(&path).expect("made");
        make_folder(&path).expect("it is there");
        assert!(path.is_dir());
        #[cfg(unix)]
        for made in ["a", "a/b/c"] {
            use std::os::unix::fs::PermissionsExt;
            let mode = folder.path().join(made).metadata().expect("readable").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{made} is its owner's alone");
        }
        fs::write(path.join("file"), "x").expect("writable");
        let refused = make_folder(&path.join("file")).expect_err("a file is in the way");
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert!(make_folder(&path.join("file/below")).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_folder_that_cannot_be_made_anywhere_is_refused() {
        let refused = make_folder(Path::new("/proc/steward/data")).expect_err("nothing is made there");
        assert!(matches!(refused.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied), "{refused}");
    }
}
