//! Where the data of measured hosts lies: on a disk, never in memory, and not in the page cache when that is asked for.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{Advice, fadvise};

/// Returns the folder below which data is kept: cargo's, beside the binaries.
///
/// # Errors
/// Those of the system.
pub(crate) fn ground() -> anyhow::Result<PathBuf> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
    Ok(path)
}

/// Returns file system and device of [`ground`].
fn mount() -> Option<(String, String)> {
    let path = ground().and_then(|path| Ok(path.canonicalize()?)).ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let found = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (device, at, kind) = (words.next()?, words.next()?, words.next()?);
        path.starts_with(at).then(|| (at.len(), (kind.to_owned(), device.to_owned())))
    });
    // The longest mount point counts, and of equals the one mounted last.
    found.max_by_key(|(length, _)| *length).map(|(_, mount)| mount)
}

/// Returns file system and device of [`ground`], such as `ext4 on /dev/vda`.
pub(crate) fn file_system() -> String {
    mount().map_or_else(|| "unknown file system".to_owned(), |(kind, device)| format!("{kind} on {device}"))
}

/// Returns the device of [`ground`] by the name under which the system counts for it.
pub(crate) fn device() -> Option<String> {
    Some(mount()?.1.strip_prefix("/dev/")?.to_owned())
}

/// Returns once everything written by anybody to the file system of [`ground`] has reached its disk.
///
/// # Errors
/// Those of the system.
pub(crate) fn flush() -> anyhow::Result<()> {
    Ok(rustix::fs::syncfs(File::open(ground()?)?)?)
}

/// Takes the files below `path` out of the page cache, so that the next read of them is one of the disk.
///
/// # Errors
/// Those of the system.
pub(crate) fn evict(path: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(path).with_context(|| format!("list {}", path.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            evict(&entry.path())?;
            continue;
        }
        let file = File::open(entry.path()).with_context(|| format!("open {}", entry.path().display()))?;
        // Pages that are not on the disk yet would stay.
        file.sync_data()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

/// Returns how many bytes the files below `path` take on the disk.
///
/// # Errors
/// Those of the system, but for files that go meanwhile: those take nothing.
pub(crate) fn bytes(path: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(path).with_context(|| format!("list {}", path.display()))? {
        let path = entry?.path();
        let Ok(found) = path.symlink_metadata() else { continue };
        bytes += found.blocks() * 512;
        if found.is_dir() {
            bytes += self::bytes(&path)?;
        }
    }
    Ok(bytes)
}
