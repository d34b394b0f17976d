//! Building the engine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::instrument;

/// Returns nothing if there is a compiler of C++, of which libFuzzer is made; otherwise what is missing.
pub(crate) fn compiler() -> Result<(), String> {
    let name = env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    // The variable may hold a command with arguments.
    let program = name.split_whitespace().next().unwrap_or("c++").to_owned();
    let silent = Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match silent {
        Ok(status) if status.success() => Ok(()),
        Ok(_) | Err(_) => {
            Err(format!("there is no compiler of C++: `{program}` does not run (install g++, or set CXX)"))
        }
    }
}

/// Builds the engine and returns where it is.
pub(crate) fn engine(repository: &Path) -> Result<PathBuf> {
    let this = env::current_exe().context("find this program")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // All members are named, so that dependencies have the features with which the tests have compiled them.
    let arguments =
        ["build", "--locked", "--workspace", "--bin", "fuzz-engine", "--features", "steward-fuzz/libfuzzer"];
    let mut build = Command::new(cargo);
    build.args(arguments).current_dir(repository);
    build.env("RUSTC_WORKSPACE_WRAPPER", &this).env(instrument::VARIABLE, "1");
    let status = build.status().context("run cargo")?;
    ensure!(status.success(), "cargo cannot build the fuzz engine");
    let folder = this.parent().context("find the folder of this program")?;
    Ok(folder.join("fuzz-engine"))
}
