//! Finds a Rust that makes WebAssembly.
//!
//! Tried in this order: the target that rustup has installed; the distribution's Rust, which has no such target but has the sources of
//! its standard library, from which it is built. Unlike the builder of the guest examples, which has a machine for itself,
//! nothing is installed here: the one command that does is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::error::Error;

/// What services are compiled to: a bare module, without WASI.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Oldest Rust that compiles the SDK, as in the workspace's `rust-version`.
const MINOR_MIN: u32 = 95;

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";

/// For a machine without any Rust.
pub(super) const INSTALL_RUST: &str = "curl -sSf https://sh.rustup.rs | sh -s -- -y --target wasm32-unknown-unknown";

/// For a Rust that rustup keeps.
const INSTALL_TARGET: &str = "rustup target add wasm32-unknown-unknown";

/// For a Debian whose Rust is the distribution's.
const INSTALL_PACKAGES: &str = "apt-get install -y rustc-web cargo-web rust-web-src rust-web-llvm lld-22";

/// Something that compiles Rust to WebAssembly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Toolchain {
    /// The Rust of the search path, with the target installed.
    Installed,
    /// The distribution's Rust, which builds the standard library too.
    Distribution,
}

impl Toolchain {
    /// Returns its cargo, with what makes it build for the target.
    pub(super) fn cargo(self) -> Command {
        match self {
            Toolchain::Installed => Command::new("cargo"),
            Toolchain::Distribution => {
                let mut cargo = Command::new(CARGO);
                // Building the standard library is an unstable feature; the variable lets a stable compiler have it.
                cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", RUSTC);
                cargo.env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
                cargo
            }
        }
    }
}

/// Finds a toolchain for the project in `folder`, which may name one of its own.
///
/// # Errors
/// [`Error::Missing`] with the command that a person may type.
pub(super) fn find(folder: &Path) -> Result<Toolchain, Error> {
    let reason = match installed(folder) {
        Ok(()) => return Ok(Toolchain::Installed),
        Err(reason) => reason,
    };
    if distribution().is_ok() {
        return Ok(Toolchain::Distribution);
    }
    let knows = |program: &str| Command::new(program).arg("--version").current_dir(folder).output().is_ok();
    let install = match (knows("rustup"), knows("rustc"), knows("apt-get")) {
        (true, _, _) => INSTALL_TARGET,
        (false, true, true) => INSTALL_PACKAGES,
        (false, _, _) => INSTALL_RUST,
    };
    Err(Error::Missing { missing: format!("no Rust for {TARGET} found: {reason}"), install })
}

fn installed(folder: &Path) -> Result<(), String> {
    let libraries =
        answer(Command::new("rustc").current_dir(folder).args(["--print", "target-libdir", "--target", TARGET]))?;
    has_library(Path::new(&libraries))
}

/// Returns nothing if a folder of target libraries holds the standard library.
fn has_library(folder: &Path) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let library = |name: &str| name.starts_with("libstd-") && name.ends_with(".rlib");
    let found = entries.flatten().any(|entry| library(&entry.file_name().to_string_lossy()));
    if found { Ok(()) } else { Err(format!("no standard library in {}", folder.display())) }
}

fn distribution() -> Result<(), String> {
    if !Path::new(CARGO).exists() {
        return Err(format!("there is no {CARGO}"));
    }
    let version = answer(Command::new(RUSTC).arg("--version"))?;
    if !is_new_enough(&version) {
        return Err(format!("{RUSTC} is {version}, 1.{MINOR_MIN} or later is needed"));
    }
    let sysroot = answer(Command::new(RUSTC).args(["--print", "sysroot"]))?;
    let sources = PathBuf::from(sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if sources.exists() { Ok(()) } else { Err(format!("there is no {}", sources.display())) }
}

/// Returns true if `rustc 1.96.0 (…)` can compile the SDK.
fn is_new_enough(version: &str) -> bool {
    let minor = version.strip_prefix("rustc 1.").and_then(|rest| rest.split('.').next());
    minor.and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|minor| minor >= MINOR_MIN)
}

/// Returns what a command prints, without the line's end.
fn answer(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{program}: {}", said.trim().lines().last().unwrap_or("failed without a word")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_rust_is_told_from_a_new_one() {
        for (version, enough) in [
            ("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)", true),
            ("rustc 1.95.0", true),
            ("rustc 1.63.0 (4b91a6ea7 2022-08-08)", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_new_enough(version), enough, "{version}");
        }
    }

    #[test]
    fn a_folder_without_the_standard_library_is_no_target() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(has_library(folder.path()).is_err());
        fs::write(folder.path().join("libstd-0123.rlib"), "").expect("a file");
        assert!(has_library(folder.path()).is_ok());
    }
}
