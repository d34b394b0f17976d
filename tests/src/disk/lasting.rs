//! Which parts of files and folders are lasting, and what a power cut leaves of the rest.
//!
//! A file consists of what was fsynced, and of dirty pages on top. Of a dirty page, each sector may survive or not.
//! Pages may also be written back at any time, so a sector may survive that has been overwritten since. The size may be
//! that of any instant since the fsync. If a file is cut, that is a change of the file system itself: if it is lost,
//! everything written behind that place later is lost too.
//!
//! A folder consists of what was fsynced, and of changes of names on top. They survive up to one of them, in their
//! order, as in a journalling file system. The fsync of a file also makes the name lasting under which the file was
//! created, as ext4, XFS and btrfs do. Unlike most of these, it does nothing for a name that the file got later, nor
//! for other files: for those, the folder must be fsynced.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

use super::contents::{Contents, PAGE_BYTES, SECTOR_BYTES};
use crate::random::Random;

/// Number of a file or folder.
pub(super) type Number = u64;

/// How much of something that was not fsynced survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    /// Nothing of it.
    Nothing,
    /// All of it.
    Everything,
    /// Any part of it, as the seed will have it.
    Some,
}

/// One overwrite in so many is preceded by a write-back, if the disk writes back at all.
const WRITE_BACK_ONE_IN: u64 = 8;

/// A file.
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    pub(super) now: Contents,
    lasting: Contents,
    dirty: BTreeSet<u64>,
    /// The smallest size that the file was cut to since the last fsync.
    cut_to: Option<u64>,
}

impl File {
    /// Returns a file that is lasting as it is.
    fn settled(now: Contents) -> File {
        File { lasting: now.clone(), now, ..File::default() }
    }

    /// Writes; `write_back` decides whether what stood there gets to the disk before.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8], write_back: Option<&mut Random>) {
        let pages = at / PAGE_BYTES..(at + bytes.len() as u64).div_ceil(PAGE_BYTES);
        if let Some(random) = write_back
            && random.one_in(WRITE_BACK_ONE_IN)
        {
            for page in pages.clone().filter(|page| self.dirty.contains(page)) {
                self.lasting.take_page(page, &self.now);
            }
        }
        self.dirty.extend(pages);
        self.now.write(at, bytes);
    }

    /// Cuts the file, or makes it longer.
    pub(super) fn resize(&mut self, bytes: u64) {
        if bytes < self.now.bytes {
            self.cut_to = Some(self.cut_to.map_or(bytes, |before| before.min(bytes)));
        }
        self.now.resize(bytes);
    }

    /// Makes everything lasting.
    pub(super) fn sync(&mut self) {
        if let Some(bytes) = self.cut_to.take().filter(|bytes| *bytes < self.lasting.bytes) {
            self.lasting.resize(bytes);
        }
        self.lasting.bytes = self.now.bytes;
        for page in std::mem::take(&mut self.dirty) {
            self.lasting.take_page(page, &self.now);
        }
    }

    /// Forgets what is dirty without making it lasting, as kernels do when an fsync fails: it can be read until the
    /// power is cut, and no later fsync makes it lasting.
    pub(super) fn fail_sync(&mut self) {
        self.dirty.clear();
    }

    /// Returns what is left of the file.
    pub(super) fn after_power_cut(&self, survives: Survives, random: &mut Random) -> File {
        let survives = match survives {
            Survives::Some if random.one_in(4) => Survives::Nothing,
            Survives::Some if random.one_in(4) => Survives::Everything,
            other @ (Survives::Some | Survives::Nothing | Survives::Everything) => other,
        };
        match survives {
            Survives::Nothing => File::settled(self.lasting.clone()),
            Survives::Everything => File::settled(self.now.clone()),
            Survives::Some => File::settled(self.mixed(random)),
        }
    }

    fn mixed(&self, random: &mut Random) -> Contents {
        let mut left = self.lasting.clone();
        if let Some(bytes) = self.cut_to {
            if random.one_in(2) {
                return left;
            }
            left.resize(bytes.min(left.bytes));
        }
        let grown = self.now.bytes.saturating_sub(left.bytes);
        left.bytes += match random.below(3) {
            0 => 0,
            1 => grown,
            _ => (random.below(grown + 1) / SECTOR_BYTES * SECTOR_BYTES).min(grown),
        };
        let lost_one_in = [2, 2, 16][random.below(3) as usize];
        for page in &self.dirty {
            for sector in (page * PAGE_BYTES..(page + 1) * PAGE_BYTES).step_by(SECTOR_BYTES as usize) {
                if !random.one_in(lost_one_in) {
                    left.take_sector(sector, &self.now);
                }
            }
        }
        left
    }
}

/// A change of the names in a folder.
#[derive(Debug, Clone)]
enum Change {
    Put(OsString, Number),
    Remove(OsString),
    Rename(OsString, OsString),
}

type Names = BTreeMap<OsString, Number>;

/// A folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Folder {
    names: Names,
    lasting: Names,
    changes: Vec<Change>,
}

fn make(names: &mut Names, change: &Change) {
    match change {
        Change::Put(name, number) => {
            names.insert(name.clone(), *number);
        }
        Change::Remove(name) => {
            names.remove(name);
        }
        Change::Rename(from, to) => {
            if let Some(number) = names.remove(from) {
                names.insert(to.clone(), number);
            }
        }
    }
}

impl Folder {
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    fn change(&mut self, change: Change) {
        make(&mut self.names, &change);
        self.changes.push(change);
    }

    pub(super) fn put(&mut self, name: &OsStr, number: Number) {
        self.change(Change::Put(name.to_owned(), number));
    }

    pub(super) fn remove(&mut self, name: &OsStr) {
        self.change(Change::Remove(name.to_owned()));
    }

    pub(super) fn rename(&mut self, from: &OsStr, to: &OsStr) {
        self.change(Change::Rename(from.to_owned(), to.to_owned()));
    }

    /// Makes the name lasting under which a file was created.
    pub(super) fn sync_creation(&mut self, file: Number) {
        let is_creation = |change: &Change| matches!(change, Change::Put(_, number) if *number == file);
        if let Some(at) = self.changes.iter().position(is_creation) {
            let creation = self.changes.remove(at);
            make(&mut self.lasting, &creation);
        }
    }

    /// Makes all names lasting.
    pub(super) fn sync(&mut self) {
        self.lasting = self.names.clone();
        self.changes.clear();
    }

    /// Returns what is left of the folder.
    pub(super) fn after_power_cut(&self, survives: Survives, random: &mut Random) -> Folder {
        let kept = match survives {
            Survives::Nothing => 0,
            Survives::Everything => self.changes.len(),
            Survives::Some => random.below(self.changes.len() as u64 + 1) as usize,
        };
        let mut names = self.lasting.clone();
        self.changes[..kept].iter().for_each(|change| make(&mut names, change));
        Folder { lasting: names.clone(), names, changes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_survives_and_nothing_else_must() {
        let mut file = File::default();
        file.write(0, &[1; 9000], None);
        file.sync();
        file.write(4096, &[2; 9000], None);
        let mut random = Random::new(1);
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let left = file.after_power_cut(Survives::Some, &mut random).now;
            assert_eq!(left.read(0, 4096), [1; 4096]);
            assert!((9000..=13096).contains(&left.bytes));
            for sector in 8..left.bytes / SECTOR_BYTES {
                let bytes = left.read(sector * SECTOR_BYTES, SECTOR_BYTES);
                assert!(bytes.iter().all(|byte| [0, 1, 2].contains(byte)));
                seen.insert(bytes[0]);
            }
        }
        assert_eq!(seen.len(), 3, "old, new and never written sectors are all seen: {seen:?}");
        assert_eq!(file.after_power_cut(Survives::Nothing, &mut random).now.bytes, 9000);
        assert_eq!(file.after_power_cut(Survives::Everything, &mut random).now.bytes, 13096);
    }

    #[test]
    fn a_file_that_is_written_anew_is_the_old_one_or_part_of_the_new_one() {
        let mut file = File::default();
        file.write(0, b"old", None);
        file.sync();
        file.resize(0);
        file.write(0, b"newer", None);
        let mut random = Random::new(2);
        let left: BTreeSet<Vec<u8>> =
            (0..200).map(|_| file.after_power_cut(Survives::Some, &mut random).now.read(0, 10)).collect();
        let expected: BTreeSet<Vec<u8>> = [&b"old"[..], b"", b"newer", &[0; 5]].map(Vec::from).into();
        assert_eq!(left, expected);
    }

    #[test]
    fn the_fsync_of_a_file_keeps_the_name_it_was_created_under_and_no_later_one() {
        let [a, b, c] = ["a", "b", "c"].map(OsStr::new);
        let mut folder = Folder::default();
        folder.put(a, 1);
        folder.put(b, 2);
        folder.rename(b, c);
        folder.sync_creation(2);
        let left = folder.after_power_cut(Survives::Nothing, &mut Random::new(1));
        let names = left.names().iter().map(|(name, number)| (name.as_os_str(), *number));
        assert_eq!(names.collect::<Vec<_>>(), [(b, 2)]);
    }

    #[test]
    fn names_survive_in_the_order_of_their_changes() {
        let mut folder = Folder::default();
        folder.put("a".as_ref(), 1);
        folder.sync();
        folder.put("b".as_ref(), 2);
        folder.rename("b".as_ref(), "a".as_ref());
        folder.remove("a".as_ref());
        let mut random = Random::new(3);
        let left: BTreeSet<Vec<u64>> = (0..100)
            .map(|_| folder.after_power_cut(Survives::Some, &mut random).names().values().copied().collect())
            .collect();
        assert_eq!(left, BTreeSet::from([vec![], vec![1], vec![1, 2], vec![2]]));
    }
}
