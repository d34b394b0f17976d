//! The service by hand beside which the host is measured: a package of its own in `baseline/`, built when it is wanted.
//!
//! It needs a C compiler, for SQLite. Where there is none its rows say so, and nothing else of the bench needs it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};
use steward_tests::build;
use tempfile::TempDir;

use crate::folder;

/// A running service; it and its documents end with this value.
pub(crate) struct ByHand {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Kept open, so that nothing is written into a closed pipe.
    _output: BufReader<ChildStdout>,
    _folder: TempDir,
}

impl ByHand {
    /// Builds and starts it with an empty file.
    ///
    /// # Errors
    /// If it does not build, for want of a C compiler for instance, and those of the system.
    pub(crate) fn start() -> anyhow::Result<ByHand> {
        let program = built()?;
        let folder = tempfile::Builder::new().prefix("steward-bench-by-hand-").tempdir_in(folder::ground()?)?;
        let mut command = Command::new(program);
        command.arg(folder.path().join("documents.sqlite")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("start the service by hand")?;
        let mut output = BufReader::new(child.stdout.take().context("the service by hand has an output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address = line.trim().parse().context("the service by hand names its address")?;
        Ok(ByHand { child, address, _output: output, _folder: folder })
    }

    /// Returns the number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ByHand {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn built() -> anyhow::Result<PathBuf> {
    let manifest = build::repository().join("tests/bench/baseline/Cargo.toml");
    let target = build::target_folder().join("bench-baseline");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--locked", "--quiet", "--manifest-path"]).arg(manifest);
    command.arg("--target-dir").arg(&target);
    ensure!(command.status().context("run cargo build")?.success(), "the service by hand does not build here");
    Ok(target.join("release/steward-bench-baseline"))
}
