//! The files and folders of a disk, by number.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use rustix::io::Errno;

use super::lasting::{File, Folder, Number, Survives};
use crate::random::Random;

/// Number of the folder that everything lies in; FUSE demands it.
pub(super) const ROOT: Number = 1;

/// A file or a folder.
#[derive(Debug, Clone)]
pub(super) enum Body {
    File(File),
    Folder(Folder),
}

#[derive(Debug, Clone)]
struct Node {
    body: Body,
    /// Where it was put last.
    folder: Number,
    name: OsString,
}

/// How much survives a power cut of what was not fsynced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survival {
    /// Of what was written into files.
    pub data: Survives,
    /// Of the changes of names in folders.
    pub names: Survives,
}

impl Survival {
    /// Whatever the seed will have.
    pub const SOME: Survival = Survival { data: Survives::Some, names: Survives::Some };
    /// Only what was fsynced.
    pub const NOTHING: Survival = Survival { data: Survives::Nothing, names: Survives::Nothing };
    /// All names, as if each folder had been fsynced, and no data: what a rename that overtakes its file leaves.
    pub const NAMES: Survival = Survival { data: Survives::Nothing, names: Survives::Everything };
}

#[derive(Debug)]
pub(super) struct Tree {
    nodes: HashMap<Number, Node>,
    next: Number,
    /// Decides when pages are written back before anybody asks for it; none: never.
    pub(super) write_back: Option<Random>,
}

impl Default for Tree {
    fn default() -> Tree {
        let root = Node { body: Body::Folder(Folder::default()), folder: ROOT, name: OsString::new() };
        Tree { nodes: HashMap::from([(ROOT, root)]), next: ROOT + 1, write_back: None }
    }
}

impl Tree {
    fn node(&self, number: Number) -> Result<&Node, Errno> {
        self.nodes.get(&number).ok_or(Errno::NOENT)
    }

    fn node_mut(&mut self, number: Number) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&number).ok_or(Errno::NOENT)
    }

    pub(super) fn body(&self, number: Number) -> Result<&Body, Errno> {
        Ok(&self.node(number)?.body)
    }

    pub(super) fn file(&self, number: Number) -> Result<&File, Errno> {
        match self.body(number)? {
            Body::File(file) => Ok(file),
            Body::Folder(_) => Err(Errno::ISDIR),
        }
    }

    fn file_mut(&mut self, number: Number) -> Result<&mut File, Errno> {
        match &mut self.node_mut(number)?.body {
            Body::File(file) => Ok(file),
            Body::Folder(_) => Err(Errno::ISDIR),
        }
    }

    pub(super) fn folder(&self, number: Number) -> Result<&Folder, Errno> {
        match self.body(number)? {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) => Err(Errno::NOTDIR),
        }
    }

    fn folder_mut(&mut self, number: Number) -> Result<&mut Folder, Errno> {
        match &mut self.node_mut(number)?.body {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) => Err(Errno::NOTDIR),
        }
    }

    pub(super) fn find(&self, folder: Number, name: &OsStr) -> Result<Number, Errno> {
        self.folder(folder)?.names().get(name).copied().ok_or(Errno::NOENT)
    }

    /// Returns the path below the root under which a file or folder was put last.
    pub(super) fn path(&self, number: Number) -> String {
        let mut parts = Vec::new();
        let mut at = number;
        while let Some(node) = self.nodes.get(&at).filter(|_| at != ROOT) {
            parts.push(node.name.to_string_lossy());
            at = node.folder;
        }
        parts.reverse();
        parts.join("/")
    }

    pub(super) fn path_in(&self, folder: Number, name: &OsStr) -> String {
        match self.path(folder) {
            path if path.is_empty() => name.to_string_lossy().into_owned(),
            path => format!("{path}/{}", name.to_string_lossy()),
        }
    }

    pub(super) fn make(&mut self, folder: Number, name: &OsStr, body: Body) -> Result<Number, Errno> {
        if self.folder(folder)?.names().contains_key(name) {
            return Err(Errno::EXIST);
        }
        let number = self.next;
        self.next += 1;
        self.nodes.insert(number, Node { body, folder, name: name.to_owned() });
        self.folder_mut(folder)?.put(name, number);
        Ok(number)
    }

    pub(super) fn remove(&mut self, folder: Number, name: &OsStr) -> Result<(), Errno> {
        let number = self.find(folder, name)?;
        if matches!(self.body(number)?, Body::Folder(inner) if !inner.names().is_empty()) {
            return Err(Errno::NOTEMPTY);
        }
        self.folder_mut(folder)?.remove(name);
        Ok(())
    }

    pub(super) fn rename(&mut self, folder: Number, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        let number = self.find(folder, from)?;
        self.folder_mut(folder)?.rename(from, to);
        self.node_mut(number)?.name = to.to_owned();
        Ok(())
    }

    pub(super) fn write(&mut self, number: Number, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        let mut random = self.write_back.take();
        let written = self.file_mut(number).map(|file| file.write(at, bytes, random.as_mut()));
        self.write_back = random;
        written
    }

    pub(super) fn resize(&mut self, number: Number, bytes: u64) -> Result<(), Errno> {
        self.file_mut(number).map(|file| file.resize(bytes))
    }

    /// Makes a file, or the names in a folder, lasting.
    pub(super) fn sync(&mut self, number: Number) -> Result<(), Errno> {
        let node = self.node_mut(number)?;
        match &mut node.body {
            Body::File(file) => {
                file.sync();
                let folder = node.folder;
                self.folder_mut(folder)?.sync_creation(number);
            }
            Body::Folder(folder) => folder.sync(),
        }
        Ok(())
    }

    /// Takes note that making a file lasting failed.
    pub(super) fn fail_sync(&mut self, number: Number) {
        if let Ok(file) = self.file_mut(number) {
            file.fail_sync();
        }
    }

    /// Returns what a power cut leaves.
    pub(super) fn after_power_cut(&self, survival: Survival, random: &mut Random) -> Tree {
        let mut left = Tree { nodes: HashMap::new(), next: self.next, write_back: None };
        let mut open = vec![(ROOT, ROOT, OsString::new())];
        while let Some((number, folder, name)) = open.pop() {
            let Some(node) = self.nodes.get(&number) else { continue };
            let body = match &node.body {
                Body::File(file) => Body::File(file.after_power_cut(survival.data, random)),
                Body::Folder(inner) => {
                    let inner = inner.after_power_cut(survival.names, random);
                    open.extend(inner.names().iter().map(|(name, child)| (*child, number, name.clone())));
                    Body::Folder(inner)
                }
            };
            left.nodes.insert(number, Node { body, folder, name });
        }
        left
    }
}
