//! A host on a disk of the tests, and everything that must be true of the host after a power cut.

use anyhow::{Context, ensure};
use steward_tests::disk::{Disk, Survival};
use steward_tests::guests::{self, Progress};
use steward_tests::host::Host;

use crate::Random;

pub(crate) struct Rig {
    // Before the disk: a host that still runs keeps it busy.
    pub(crate) host: Host,
    pub(crate) disk: Disk,
    id: Option<String>,
}

impl Rig {
    /// Returns a host that is not started, on an empty disk; none where no disk can be mounted. All that the host keeps lies on
    /// this disk, except compiled code: that does so with [`OWN_CODE`](steward_tests::host::OWN_CODE) among the flags.
    pub(crate) fn new(flags: &[&str]) -> Option<Rig> {
        let disk = Disk::mount()?;
        let host = Host::prepared(&disk.path(), flags).expect("a host can be prepared");
        Some(Rig { host, disk, id: None })
    }

    /// Starts the host, and compares its id with the one that it had when it was ready before.
    ///
    /// # Errors
    /// If it does not become ready, or has another id.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        tokio::task::block_in_place(|| self.host.restart())?;
        let id = std::fs::read_to_string(self.host.data().join("id")).context("read the id of the node")?;
        let known = self.id.get_or_insert_with(|| id.clone());
        ensure!(*known == id, "the node was {known:?} and is {id:?}");
        Ok(())
    }

    /// Cuts the power at this instant, and switches it on again. The host is not started.
    pub(crate) fn cut_power(&mut self, survival: Survival, random: &mut Random) {
        tokio::task::block_in_place(|| {
            self.disk.power_off(survival, random, || self.host.strike());
            self.host.kill();
            self.disk.power_on().expect("the disk can be mounted again");
        });
    }
}

/// Returns a built guest.
pub(crate) async fn component(name: &'static str) -> Vec<u8> {
    let built = tokio::task::spawn_blocking(move || guests::build(&[name], &Progress::hidden()));
    let built = built.await.expect("no panic").expect("guests build");
    std::fs::read(&built[0].path).expect("a built guest can be read")
}
