//! What the commit log needs of a disk: the files of one folder.
//!
//! A trait, because the log runs on a real folder ([`FolderDisk`](super::FolderDisk)) and on a seeded one in memory
//! that loses power, tears writes, flips bits and fills up ([`FaultyDisk`](super::FaultyDisk)).

use std::io;
use std::sync::Arc;

/// The files of one folder.
pub trait Disk: Send + Sync {
    /// Returns the names of all files.
    ///
    /// # Errors
    /// Those of the operating system.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Creates the file `name` with `bytes` bytes and takes the space for them at once; an older file is replaced.
    ///
    /// What the bytes hold before they are written is not said.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`] or [`io::ErrorKind::QuotaExceeded`] if there is no space: nothing is left behind.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name. Lasting only after [`Disk::sync_folder`].
    ///
    /// # Errors
    /// Those of the operating system.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Lasting only after [`Disk::sync_folder`].
    ///
    /// # Errors
    /// Those of the operating system.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes creations, renames and removals lasting.
    ///
    /// # Errors
    /// Those of the operating system.
    fn sync_folder(&self) -> io::Result<()>;

    /// Returns how many bytes are free for files of this process.
    ///
    /// # Errors
    /// Those of the operating system.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// One open file.
pub trait File: Send + Sync {
    /// Returns its size.
    ///
    /// # Errors
    /// Those of the operating system.
    fn bytes(&self) -> io::Result<u64>;

    /// Fills `buffer` from `at` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if the file ends before.
    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `at`. Lasting only after [`File::sync`].
    ///
    /// # Errors
    /// Those of the operating system.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything written before lasting.
    ///
    /// # Errors
    /// Those of the operating system. After an error nobody knows what is lasting: the caller must give the file up.
    fn sync(&self) -> io::Result<()>;
}
