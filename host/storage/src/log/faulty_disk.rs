//! A disk in memory that fails as disks fail, and the same way for the same seed.
//!
//! Every file remembers what is lasting and which sectors were written since. At a [`crash`](FaultyDisk::crash) each
//! of those sectors is kept or lost by itself, in any order, which tears writes; creations, renames and removals since
//! the last `sync_folder` survive up to a random one of them, as in a journalling file system. Bits can be flipped, files cut,
//! syncs and creations made to fail, and the space limited.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use steward_model::splitmix::SplitMix;

use super::disk::{Disk, File};
use super::group::SECTOR_BYTES;

type FileNumber = u64;

/// A seeded disk in memory.
#[derive(Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    random: SplitMix,
    files: BTreeMap<FileNumber, Contents>,
    names: BTreeMap<String, FileNumber>,
    lasting_names: BTreeMap<String, FileNumber>,
    unsynced: Vec<NameChange>,
    next_number: FileNumber,
    space_bytes: u64,
    failing_syncs: u32,
    failing_creations: u32,
    syncs: u64,
}

#[derive(Clone)]
struct Contents {
    now: Vec<u8>,
    lasting: Vec<u8>,
    dirty: BTreeSet<usize>,
}

enum NameChange {
    Named(String, FileNumber),
    Renamed(String, String),
    Removed(String),
}

impl NameChange {
    fn make(&self, names: &mut BTreeMap<String, FileNumber>) {
        match self {
            NameChange::Named(name, number) => {
                names.insert(name.clone(), *number);
            }
            NameChange::Renamed(from, to) => {
                if let Some(number) = names.remove(from) {
                    names.insert(to.clone(), number);
                }
            }
            NameChange::Removed(name) => {
                names.remove(name);
            }
        }
    }
}

impl State {
    fn new(seed: u64) -> State {
        State {
            random: SplitMix::new(seed),
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            lasting_names: BTreeMap::new(),
            unsynced: Vec::new(),
            next_number: 0,
            space_bytes: u64::MAX,
            failing_syncs: 0,
            failing_creations: 0,
            syncs: 0,
        }
    }

    /// Loses what is not lasting: some of the sectors, and all names that are not among `unsynced` any more.
    fn crash(&mut self) {
        let mut names = std::mem::take(&mut self.lasting_names);
        self.unsynced.drain(..).for_each(|change| change.make(&mut names));
        let mut files = BTreeMap::new();
        for number in names.values_mut() {
            let Some(mut file) = self.files.remove(number) else { continue };
            for sector in std::mem::take(&mut file.dirty) {
                if self.random.draw().is_multiple_of(2) {
                    file.keep_sector(sector);
                }
            }
            file.now.clone_from(&file.lasting);
            // New numbers, so that handles from before the crash find nothing.
            *number = self.next_number;
            self.next_number += 1;
            files.insert(*number, file);
        }
        self.files = files;
        self.lasting_names.clone_from(&names);
        self.names = names;
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().filter_map(|number| self.files.get(number)).map(|file| file.now.len() as u64).sum()
    }

    fn number_of(&self, name: &str) -> io::Result<FileNumber> {
        self.names.get(name).copied().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, name.to_owned()))
    }

    fn change_names(&mut self, change: NameChange) {
        change.make(&mut self.names);
        self.unsynced.push(change);
    }

    fn file(&mut self, number: FileNumber) -> io::Result<&mut Contents> {
        // A handle outlives its file only if the test crashed the disk and kept the log running.
        self.files.get_mut(&number).ok_or_else(|| io::Error::other("the disk lost power: open the log anew"))
    }
}

impl FaultyDisk {
    /// Returns an empty disk with unlimited space.
    pub fn new(seed: u64) -> FaultyDisk {
        FaultyDisk { state: Arc::new(Mutex::new(State::new(seed))) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power: what was not synced survives in part. Open files are of no use afterwards.
    pub fn crash(&self) {
        let mut state = self.state();
        let kept = state.random.draw() as usize % (state.unsynced.len() + 1);
        state.unsynced.truncate(kept);
        state.crash();
    }

    /// Cuts the power on a file system without a journal: of the creations, renames and removals that were not synced only the
    /// newest survives.
    pub fn crash_out_of_order(&self) {
        let mut state = self.state();
        let older = state.unsynced.len().saturating_sub(1);
        state.unsynced.drain(..older);
        state.crash();
    }

    /// Flips one bit of a file, in memory and for good.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such file or it is shorter.
    pub fn flip_bit(&self, name: &str, at: u64, bit: u8) -> io::Result<()> {
        let mut state = self.state();
        let number = state.number_of(name)?;
        let file = state.file(number)?;
        let beyond = || io::Error::new(io::ErrorKind::NotFound, format!("{name} has no byte {at}"));
        *file.now.get_mut(at as usize).ok_or_else(beyond)? ^= 1 << (bit % 8);
        if let Some(byte) = file.lasting.get_mut(at as usize) {
            *byte ^= 1 << (bit % 8);
        }
        Ok(())
    }

    /// Cuts a file short, for good.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such file.
    pub fn cut(&self, name: &str, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        let number = state.number_of(name)?;
        let file = state.file(number)?;
        file.now.truncate(bytes as usize);
        file.lasting.truncate(bytes as usize);
        Ok(())
    }

    /// Returns what a file holds now.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such file.
    pub fn contents(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        let number = state.number_of(name)?;
        Ok(state.file(number)?.now.clone())
    }

    /// Makes the next `count` syncs of files fail, and what they should have made lasting stays at risk.
    pub fn fail_syncs(&self, count: u32) {
        self.state().failing_syncs = count;
    }

    /// Makes the next `count` creations of files fail, as if the process had no more open files to spare.
    pub fn fail_creations(&self, count: u32) {
        self.state().failing_creations = count;
    }

    /// Limits the space that all files together may take.
    pub fn limit_space(&self, bytes: u64) {
        self.state().space_bytes = bytes;
    }

    /// Returns a disk with what survives every crash of this one, whatever becomes of what was not synced.
    pub fn lasting(&self) -> FaultyDisk {
        let state = self.state();
        let mut files = state.files.clone();
        files.values_mut().for_each(|file| {
            file.dirty.clear();
            file.now.clone_from(&file.lasting);
        });
        let names = state.lasting_names.clone();
        let (lasting_names, unsynced) = (names.clone(), Vec::new());
        let lasting = State {
            random: state.random.clone(),
            next_number: state.next_number,
            files,
            names,
            lasting_names,
            unsynced,
            ..State::new(0)
        };
        FaultyDisk { state: Arc::new(Mutex::new(lasting)) }
    }

    /// Returns true if a crash would take nothing back but removals: those bring files again that nobody needed.
    pub fn is_synced(&self) -> bool {
        let state = self.state();
        let is_whole = |number| state.files.get(number).is_none_or(|file| file.dirty.is_empty());
        state.unsynced.iter().all(|change| matches!(change, NameChange::Removed(_)))
            && state.names.values().all(is_whole)
    }

    /// Returns how many syncs of files were asked for.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }
}

impl Contents {
    fn keep_sector(&mut self, sector: usize) {
        let start = sector * SECTOR_BYTES;
        let end = (start + SECTOR_BYTES).min(self.now.len());
        if start < end {
            self.lasting[start..end].copy_from_slice(&self.now[start..end]);
        }
    }
}

impl Disk for FaultyDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        if state.failing_creations > 0 {
            state.failing_creations -= 1;
            return Err(rustix::io::Errno::MFILE.into());
        }
        if state.used_bytes().saturating_add(bytes) > state.space_bytes {
            return Err(io::Error::new(io::ErrorKind::StorageFull, format!("no space for {name}")));
        }
        let number = state.next_number;
        state.next_number += 1;
        // Bytes that nobody wrote: anything but zeros, so that nothing relies on them.
        let now = vec![0xdb; bytes as usize];
        state.files.insert(number, Contents { lasting: now.clone(), now, dirty: BTreeSet::new() });
        state.change_names(NameChange::Named(name.to_owned(), number));
        Ok(Arc::new(FaultyFile { disk: self.clone(), number }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let number = self.state().number_of(name)?;
        Ok(Arc::new(FaultyFile { disk: self.clone(), number }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.number_of(from)?;
        state.change_names(NameChange::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.number_of(name)?;
        state.change_names(NameChange::Removed(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.state();
        state.unsynced.clear();
        state.lasting_names = state.names.clone();
        let State { files, names, .. } = &mut *state;
        let named: BTreeSet<FileNumber> = names.values().copied().collect();
        files.retain(|number, _| named.contains(number));
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        Ok(state.space_bytes.saturating_sub(state.used_bytes()))
    }
}

struct FaultyFile {
    disk: FaultyDisk,
    number: FileNumber,
}

impl File for FaultyFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.disk.state().file(self.number)?.now.len() as u64)
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let file = state.file(self.number)?;
        let run = file.now.get(at as usize..at as usize + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(run);
        Ok(())
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let file = state.file(self.number)?;
        let at = at as usize;
        let place = file.now.get_mut(at..at + bytes.len()).ok_or_else(|| {
            io::Error::other(format!("write of {} bytes at {at} reaches beyond the end of the file", bytes.len()))
        })?;
        place.copy_from_slice(bytes);
        file.dirty.extend(at / SECTOR_BYTES..(at + bytes.len()).div_ceil(SECTOR_BYTES));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        state.syncs += 1;
        if state.failing_syncs > 0 {
            state.failing_syncs -= 1;
            return Err(io::Error::other("the disk refuses to sync"));
        }
        let file = state.file(self.number)?;
        for sector in std::mem::take(&mut file.dirty) {
            file.keep_sector(sector);
        }
        Ok(())
    }
}
