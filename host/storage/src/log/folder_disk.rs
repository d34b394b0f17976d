//! A real folder as the disk of the commit log.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, File};

/// The files of a folder of the operating system.
#[derive(Debug, Clone)]
pub struct FolderDisk {
    path: PathBuf,
    /// Open all the time: making names lasting must not depend on another open file.
    folder: Arc<std::fs::File>,
}

impl FolderDisk {
    /// Uses the folder at `path`, and creates it, durably, if there is none.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn new(path: impl Into<PathBuf>) -> io::Result<FolderDisk> {
        let path = path.into();
        crate::lasting::make_folder(&path)?;
        let folder = Arc::new(std::fs::File::open(&path)?);
        Ok(FolderDisk { path, folder })
    }

    /// Returns where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

struct FolderFile(std::fs::File);

impl Disk for FolderDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            // A name that is no UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        let path = self.path.join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        let taken = match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes) {
            // Some file systems cannot take space ahead: there the zeros that the log writes take it.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => file.set_len(bytes),
            other => other.map_err(io::Error::from),
        };
        match taken {
            Ok(()) => Ok(Arc::new(FolderFile(file))),
            Err(error) => {
                drop(file);
                std::fs::remove_file(&path)?;
                Err(error)
            }
        }
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path.join(name))?;
        Ok(Arc::new(FolderFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.folder.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        crate::space::free_bytes(&self.path)
    }
}

impl File for FolderFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, at)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
