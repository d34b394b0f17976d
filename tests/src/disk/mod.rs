//! A disk of the tests under the real binary: at a power cut it loses what was not fsynced, and it fails when it is
//! told to.
//!
//! It is a file system in the memory of the test process, mounted with FUSE. The process under test uses it like any
//! other. What the process writes it can read at once; what survives a power cut is said in `lasting.rs`. Promise: from
//! the instant of a cut, the process learns nothing more from the disk, not even an error, because it is killed before
//! its next call is answered.
//!
//! ```text
//!  steward ──write, fsync──▶ kernel ──FUSE──▶ server ──▶ tree of files: now | lasting
//!                                               │                  power cut ──▶ a tree, mounted anew
//!                                               └── faults: fails, lies, slow
//! ```
//!
//! Left out: moving files between folders, links, owners and times; a device that lies about its own flushes.

mod contents;
mod faults;
mod fuse;
mod lasting;
mod server;
mod tree;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, ensure};
use tempfile::TempDir;

pub use faults::{Call, Fault, Wrong, matches};
pub use lasting::Survives;
pub use tree::Survival;

use crate::random::Random;
use server::State;

/// A mounted disk; unmounted, and gone with all it holds, with this value.
pub struct Disk {
    folder: TempDir,
    state: Arc<Mutex<State>>,
}

impl Disk {
    /// Returns an empty disk; none, and the reason on stderr, where this process may not mount one.
    pub fn mount() -> Option<Disk> {
        let mounted = || -> anyhow::Result<Disk> {
            let folder = tempfile::Builder::new().prefix("steward-disk-").tempdir()?;
            let disk = Disk { folder, state: Arc::default() };
            disk.attach()?;
            Ok(disk)
        };
        match mounted() {
            Ok(disk) => Some(disk),
            Err(error) => {
                eprintln!("no disk of the tests can be mounted here, nothing was proved: {error:#}");
                None
            }
        }
    }

    /// Returns where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn held(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attach(&self) -> anyhow::Result<()> {
        let device = File::options().read(true).write(true).open("/dev/fuse").context("open /dev/fuse")?;
        std::fs::create_dir_all(self.path())?;
        mount(&device, &self.path())?;
        let (device, state) = (Arc::new(device), Arc::clone(&self.state));
        // Ends when the disk is unmounted and whoever used it is gone.
        let serve = move || server::serve(&device, &state);
        std::thread::Builder::new().name("disk".into()).spawn(serve).context("serve a disk")?;
        Ok(())
    }

    fn detach(&self) {
        // Lazily: a process that is just being killed may still hold files. Fails only if nothing is mounted.
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }

    /// Sets what goes wrong from now on, instead of what was said before.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        self.held().faults.set(faults);
    }

    /// Returns how often something went wrong since the faults were set; a power cut ends them.
    pub fn struck(&self) -> u64 {
        self.held().faults.struck
    }

    /// Lets the disk write back pages by itself, at instants of the seed, until the next power cut.
    pub fn write_back(&self, seed: u64) {
        self.held().tree.write_back = Some(Random::new(seed));
    }

    /// Returns the paths of all fsyncs so far, each once; those of folders end with a slash.
    pub fn synced(&self) -> Vec<String> {
        self.held().synced.iter().cloned().collect()
    }

    /// Cuts the power: `kill` must send the signal that ends the process, without waiting. Before it the disk answers
    /// everything, from then on nothing. [`Disk::power_on`] must follow once the process is gone.
    pub fn power_off(&self, survival: Survival, random: &mut Random, kill: impl FnOnce()) {
        let mut state = self.held();
        state.tree = state.tree.after_power_cut(survival, random);
        state.faults.end();
        state.off = true;
        // Calls that wait are answered with an error after this, which no thread of a killed process lives to see.
        kill();
    }

    /// Mounts what the power cut has left.
    ///
    /// # Errors
    /// If it cannot be mounted.
    pub fn power_on(&mut self) -> anyhow::Result<()> {
        self.detach();
        // Late answers of the old mount must not find the disk switched on.
        let mut old = self.held();
        let state = State { off: false, ..std::mem::take(&mut *old) };
        old.off = true;
        drop(old);
        self.state = Arc::new(Mutex::new(state));
        self.attach()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.detach();
    }
}

/// Mounts the file system that is served at `device`.
fn mount(device: &File, target: &Path) -> anyhow::Result<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let options = format!("fd=0,rootmode=40000,user_id={user},group_id={group}");
    let mut command = Command::new("mount");
    // Internal: no helper is asked, it need not be installed. The kernel takes the device from this descriptor.
    command.args(["-i", "-t", "fuse", "-o", &options, "steward-disk"]).arg(target);
    let output = command.stdin(Stdio::from(device.try_clone()?)).output().context("run mount")?;
    ensure!(output.status.success(), "mount: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_mounted_disk_keeps_what_was_synced_and_loses_the_rest() {
        let Some(mut disk) = Disk::mount() else { return };
        let path = disk.path();
        std::fs::create_dir(path.join("folder")).expect("a folder");
        let mut file = File::create(path.join("folder/kept")).expect("a file");
        file.write_all(b"kept").expect("written");
        file.sync_all().expect("synced");
        file.write_all(b" lost").expect("written");
        File::open(path.join("folder")).expect("a folder").sync_all().expect("synced");
        File::open(&path).expect("the root").sync_all().expect("synced");
        std::fs::write(path.join("folder/lost"), "x").expect("written");
        assert_eq!(std::fs::read(path.join("folder/kept")).expect("readable"), b"kept lost");
        drop(file);
        disk.power_off(Survival::NOTHING, &mut Random::new(1), || {});
        assert!(std::fs::write(path.join("folder/late"), "x").is_err(), "there is no power");
        disk.power_on().expect("mounted again");
        assert_eq!(std::fs::read(path.join("folder/kept")).expect("readable"), b"kept");
        assert_eq!(std::fs::read_dir(path.join("folder")).expect("a folder").count(), 1);
        let synced = disk.synced();
        assert_eq!(synced, ["/", "folder/", "folder/kept"]);
    }

    #[test]
    fn a_mounted_disk_fails_as_it_is_told() {
        let Some(disk) = Disk::mount() else { return };
        let fails = Wrong::Fails(rustix::io::Errno::NOSPC);
        disk.set_faults(vec![
            Fault::once(Call::Write, "*", 1, fails),
            Fault::always(Call::SyncFile, "a", Wrong::Fails(rustix::io::Errno::IO)),
        ]);
        let mut file = File::create(disk.path().join("a")).expect("a file");
        file.write_all(b"one").expect("written");
        let refused = file.write_all(b"two").expect_err("the second write fails");
        assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull);
        assert!(file.sync_all().is_err());
        assert_eq!(disk.struck(), 2);
    }
}
