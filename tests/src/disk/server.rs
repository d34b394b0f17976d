//! Answers the requests of the kernel to a disk.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File as Device;
use std::io::{ErrorKind, Read as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::faults::{Call, Faults, Wrong};
use super::fuse::{self, Answer, Ask, Attributes, Request};
use super::lasting::{File, Folder, Number};
use super::tree::{Body, Tree};

/// What server and test share.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) faults: Faults,
    /// Paths that were asked to be made lasting; those of folders end with a slash.
    pub(super) synced: BTreeSet<String>,
    /// The power is off: every call fails from now on.
    pub(super) off: bool,
}

/// Serves a disk until it is unmounted.
pub(super) fn serve(device: &Arc<Device>, state: &Arc<Mutex<State>>) {
    let mut buffer = vec![0; fuse::REQUEST_BYTES_MAX];
    loop {
        let read = match (&mut &**device).read(&mut buffer) {
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::NotFound) => continue,
            Err(_) => return,
        };
        let Some(request) = Request::read(&buffer[..read]) else { return };
        let call = match request.ask {
            Ask::SyncFile => Call::SyncFile,
            Ask::SyncFolder => Call::SyncFolder,
            Ask::Note => continue,
            other => {
                fuse::send(device, request.unique, held(state).answer(request.node, other));
                continue;
            }
        };
        sync(device, state, call, request.node, request.unique);
    }
}

fn held(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sync(device: &Arc<Device>, shared: &Arc<Mutex<State>>, call: Call, number: Number, unique: u64) {
    let mut state = held(shared);
    let path = state.tree.path(number);
    state.synced.insert(if call == Call::SyncFolder { format!("{path}/") } else { path.clone() });
    match state.strike(call, &path) {
        Err(errno) => {
            state.tree.fail_sync(number);
            fuse::send(device, unique, Err(errno));
        }
        Ok(Some(Wrong::Lies)) => fuse::send(device, unique, Ok(Answer::nothing())),
        Ok(Some(Wrong::Slow(pause))) => {
            let (device, shared) = (Arc::clone(device), Arc::clone(shared));
            // Other calls go on meanwhile, as on a disk with a queue.
            std::thread::spawn(move || {
                std::thread::sleep(pause);
                let synced = held(&shared).sync(number);
                fuse::send(&device, unique, synced);
            });
        }
        Ok(None | Some(Wrong::Fails(_))) => fuse::send(device, unique, state.sync(number)),
    }
}

impl State {
    fn check_power(&self) -> Result<(), Errno> {
        if self.off { Err(Errno::IO) } else { Ok(()) }
    }

    /// Takes note of a call, and returns what goes wrong with it.
    fn strike(&mut self, call: Call, path: &str) -> Result<Option<Wrong>, Errno> {
        self.check_power()?;
        match self.faults.strike(call, path) {
            Some(Wrong::Fails(errno)) => Err(errno),
            other @ (None | Some(Wrong::Lies | Wrong::Slow(_))) => Ok(other),
        }
    }

    fn sync(&mut self, number: Number) -> Result<Answer, Errno> {
        self.check_power()?;
        self.tree.sync(number)?;
        Ok(Answer::nothing())
    }

    fn attributes(&self, node: Number) -> Result<Attributes, Errno> {
        Ok(match self.tree.body(node)? {
            Body::File(file) => Attributes { node, bytes: file.now.bytes, is_folder: false },
            Body::Folder(_) => Attributes { node, bytes: 0, is_folder: true },
        })
    }

    fn answer(&mut self, node: Number, ask: Ask<'_>) -> Result<Answer, Errno> {
        self.check_power()?;
        match ask {
            Ask::Begin => Ok(Answer::begun()),
            Ask::Note | Ask::Nod => Ok(Answer::nothing()),
            Ask::Open => Ok(Answer::opened()),
            Ask::Space => Ok(Answer::space()),
            Ask::Find(name) => self.attributes(self.tree.find(node, name)?).map(Answer::entry),
            Ask::Attributes => self.attributes(node).map(Answer::attributes),
            Ask::Resize(bytes) => {
                bytes.map_or(Ok(()), |bytes| self.tree.resize(node, bytes))?;
                self.attributes(node).map(Answer::attributes)
            }
            Ask::MakeFolder(name) => self.make(node, name, Body::Folder(Folder::default())).map(Answer::entry),
            Ask::MakeFile(name) => self.make(node, name, Body::File(File::default())).map(Answer::made),
            Ask::Remove(name) => self.tree.remove(node, name).map(|()| Answer::nothing()),
            // Changes of names are kept per folder; nothing under test moves a file to another one.
            Ask::Rename { folder, .. } if folder != node => Err(Errno::XDEV),
            Ask::Rename { to, replaces: false, .. } if self.tree.find(node, to).is_ok() => Err(Errno::EXIST),
            Ask::Rename { from, to, .. } => self.tree.rename(node, from, to).map(|()| Answer::nothing()),
            Ask::Read { at, bytes } => Ok(Answer::read(self.tree.file(node)?.now.read(at, u64::from(bytes)))),
            Ask::Write { at, bytes } => {
                self.strike(Call::Write, &self.tree.path(node))?;
                self.tree.write(node, at, bytes)?;
                Ok(Answer::written(bytes.len()))
            }
            Ask::Allocate { is_plain: false, .. } => Err(Errno::OPNOTSUPP),
            // The kernel does without, and asks no more.
            Ask::Other => Err(Errno::NOSYS),
            Ask::Allocate { end, is_plain: true } => {
                self.strike(Call::Write, &self.tree.path(node))?;
                let bytes = self.tree.file(node)?.now.bytes;
                self.tree.resize(node, bytes.max(end))?;
                Ok(Answer::nothing())
            }
            Ask::Names { after, bytes } => self.names(node, after, bytes),
            Ask::SyncFile | Ask::SyncFolder => self.sync(node),
        }
    }

    fn make(&mut self, folder: Number, name: &OsStr, body: Body) -> Result<Attributes, Errno> {
        let path = self.tree.path_in(folder, name);
        self.strike(Call::Create, &path)?;
        let number = self.tree.make(folder, name, body)?;
        self.attributes(number)
    }

    fn names(&self, folder: Number, after: u64, bytes: u32) -> Result<Answer, Errno> {
        let mut answer = Answer::nothing();
        for (place, (name, number)) in (1..).zip(self.tree.folder(folder)?.names()).skip(after as usize) {
            if !answer.add_name(bytes, place, name, self.attributes(*number)?) {
                break;
            }
        }
        Ok(answer)
    }
}
