//! The ledger: which segments a log has, noted outside of its folder.
//!
//! Only somebody who knows that a file was there notices that it is gone. The folder of a log may be lost as a whole, or its
//! first or newest files; what is left looks like a shorter log. So the log notes, at a place that does not go with the folder,
//! the number of each segment before it uses the segment, and each removal of its own before it removes anything. Opening
//! refuses a log that has less than its ledger says.
//!
//! ```text
//!  0          8        12         20         28         36
//!  ┌──────────┬────────┬──────────┬──────────┬──────────┐
//!  │ magic    │ crc32c │ identity │ oldest   │ newest   │
//!  │ STEWSEG⏎ │ u32    │ u64      │ u64      │ u64      │
//!  └──────────┴────────┴──────────┴──────────┴──────────┘
//!  crc32c covers bytes 12 to 36. All numbers little endian.
//! ```

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::group::Identity;
use crate::lasting;

const MAGIC: [u8; 8] = *b"STEWSEG\n";
const BYTES: usize = 36;

/// A place for a few bytes that are replaced as a whole, and lasting at once.
pub trait Ledger: Send + Sync {
    /// Returns what was written last; none if nothing was.
    ///
    /// # Errors
    /// Those of the operating system.
    fn read(&self) -> io::Result<Option<Vec<u8>>>;

    /// Replaces what stands there, for good.
    ///
    /// # Errors
    /// Those of the operating system. What stands there is what stood there, or the new bytes.
    fn write(&self, bytes: &[u8]) -> io::Result<()>;
}

/// A ledger in a file.
#[derive(Debug)]
pub struct FileLedger {
    path: PathBuf,
}

impl FileLedger {
    /// Uses the file at `path`. It must not be in the folder of the log.
    pub fn new(path: impl Into<PathBuf>) -> FileLedger {
        FileLedger { path: path.into() }
    }
}

impl Ledger for FileLedger {
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        lasting::read(&self.path)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        lasting::replace(&self.path, bytes)
    }
}

/// A ledger in memory, for simulation: what is written survives a crash.
#[derive(Debug, Default)]
pub struct MemoryLedger(Mutex<Option<Vec<u8>>>);

impl MemoryLedger {
    fn held(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for MemoryLedger {
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.held().clone())
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        *self.held() = Some(bytes.to_vec());
        Ok(())
    }
}

/// Which segments there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noted {
    /// The log that it is about.
    pub(crate) identity: Identity,
    /// The oldest segment that is kept.
    pub(crate) oldest: u64,
    /// The newest one that may have been used.
    pub(crate) newest: u64,
}

impl Noted {
    fn encode(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        for (place, number) in bytes[12..].chunks_exact_mut(8).zip([self.identity.0, self.oldest, self.newest]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Noted> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let checksum = u32::from_le_bytes(bytes[8..12].try_into().ok()?);
        if bytes[..8] != MAGIC || crc32c::crc32c(&bytes[12..]) != checksum {
            return None;
        }
        let number = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        Some(Noted { identity: Identity(number(12)?), oldest: number(20)?, newest: number(28)? })
    }

    /// Reads what is noted; none if nothing is.
    ///
    /// # Errors
    /// Those of the operating system; [`io::ErrorKind::InvalidData`] if the ledger was changed.
    pub(crate) fn read(ledger: &dyn Ledger) -> io::Result<Option<Noted>> {
        let Some(bytes) = ledger.read()? else { return Ok(None) };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "what it holds was changed after it was written");
        Noted::decode(&bytes).map(Some).ok_or_else(damaged)
    }

    /// Writes what is to be noted.
    ///
    /// # Errors
    /// Those of the operating system.
    pub(crate) fn write(&self, ledger: &dyn Ledger) -> io::Result<()> {
        ledger.write(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_round_trip_and_notice_every_flipped_bit() {
        let noted = Noted { identity: Identity(7), oldest: 3, newest: 9 };
        let bytes = noted.encode();
        assert_eq!(Noted::decode(&bytes), Some(noted));
        for at in 0..BYTES * 8 {
            let mut damaged = bytes;
            damaged[at / 8] ^= 1 << (at % 8);
            assert_eq!(Noted::decode(&damaged), None, "bit {at}");
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = FileLedger::new(folder.path().join("log.segments"));
        assert_eq!(ledger.read().expect("readable"), None);
        ledger.write(b"one").expect("writable");
        ledger.write(b"two").expect("writable");
        assert_eq!(ledger.read().expect("readable"), Some(b"two".to_vec()));
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 1);
    }
}
