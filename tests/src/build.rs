//! Builds the binary under test.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, bail};

/// The root of the repository.
pub fn repository() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}

/// Returns the folder in which cargo builds.
pub fn target_folder() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// Returns the variable that tells commands and nodes under test where compiled code is, which they share: most tests deploy the
/// same few guests. None where numbers are taken, which are those of a node by itself.
pub fn code_cache() -> Option<(&'static str, PathBuf)> {
    cfg!(debug_assertions).then(|| ("STEWARD_CODE_CACHE", target_folder().join("guests").join("code")))
}

/// Names a binary that is tested or measured instead of one that is built from what stands here.
const BINARY: &str = "STEWARD_BINARY";

/// Returns the path of the binary `steward`, built in the profile of the caller.
///
/// # Errors
/// What cargo said, if it does not build.
pub fn steward() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.clone().map_err(anyhow::Error::msg)
}

/// Builds the binary as [`steward`] does, and lets cargo show its progress meanwhile: the first time takes minutes.
///
/// # Errors
/// If it does not build.
pub fn steward_with_progress() -> anyhow::Result<PathBuf> {
    if !command().status().context("run cargo build")?.success() {
        bail!("steward does not build, see above");
    }
    steward()
}

fn build() -> anyhow::Result<PathBuf> {
    if let Some(binary) = std::env::var_os(BINARY) {
        return Ok(binary.into());
    }
    let output = command().arg("--quiet").output().context("run cargo build")?;
    if !output.status.success() {
        bail!("steward does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    Ok(target_folder().join(profile).join("steward"))
}

fn command() -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(repository()).args(["build", "--package", "steward-cli", "--bin", "steward"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // What cargo tells the program that it runs is not meant for the cargo that this one runs.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG") || text.starts_with("CARGO_MANIFEST") || text == "CARGO_PRIMARY_PACKAGE" {
            command.env_remove(&name);
        }
    }
    command
}
