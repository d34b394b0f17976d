//! Finds something that compiles Rust to Wasm, and installs it where that is possible.
//!
//! Three ways are tried in this order: the installed target; `rustup target add`; the distribution's Rust, which has no
//! such target but has the sources of its standard library, from which it can be built. The choice is remembered, so a
//! machine without a network does not ask rustup again each time.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::compile::{command, run};
use super::{Error, Progress, io_error};

/// What guests are compiled to: a bare module, without WASI.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// Oldest Rust that compiles the SDK, as in the workspace's `rust-version`.
const MINOR_MIN: u32 = 95;

const PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];

/// What a person types to get the distribution's toolchain.
pub(super) const INSTALL: &str =
    "apt-get update && apt-get install -y rustc-web cargo-web rust-web-src rust-web-llvm lld-22   (Debian, as root)";

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";

/// Something that compiles Rust to Wasm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolchain {
    /// The Rust of the search path, with the target installed.
    Installed,
    /// The distribution's Rust, which builds the standard library too.
    Distribution,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Toolchain::Installed => write!(f, "the installed target {TARGET}"),
            Toolchain::Distribution => write!(f, "the distribution's Rust and its own standard library"),
        }
    }
}

impl Toolchain {
    /// Returns its cargo, with the flags that make it build for the target.
    pub(super) fn cargo(self) -> Command {
        match self {
            Toolchain::Installed => command("cargo"),
            Toolchain::Distribution => {
                let mut cargo = command(CARGO);
                // Building the standard library is an unstable feature; the variable lets a stable compiler have it.
                cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", RUSTC);
                cargo.env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort");
                cargo
            }
        }
    }

    fn works(self) -> Result<(), String> {
        match self {
            Toolchain::Installed => installed(),
            Toolchain::Distribution => distribution(),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Toolchain::Installed => "installed",
            Toolchain::Distribution => "distribution",
        }
    }
}

/// Finds a toolchain, or installs one.
///
/// # Errors
/// [`Error::NoToolchain`] with the commands that a person may type.
pub(super) fn find(folder: &Path, progress: &Progress) -> Result<Toolchain, Error> {
    let memory = folder.join("toolchain");
    let remembered = fs::read_to_string(&memory).unwrap_or_default();
    let both = [Toolchain::Installed, Toolchain::Distribution];
    let remembered = both.into_iter().find(|toolchain| toolchain.word() == remembered);
    // The installed target comes first even if another was chosen before: it may have been added since.
    for toolchain in [Some(Toolchain::Installed), remembered].into_iter().flatten() {
        if toolchain.works().is_ok() {
            return Ok(toolchain);
        }
    }
    let chosen = choose(progress)?;
    fs::write(&memory, chosen.word()).map_err(|source| io_error("write", &memory, source))?;
    Ok(chosen)
}

fn choose(progress: &Progress) -> Result<Toolchain, Error> {
    let mut tried = Vec::new();
    progress.doing(&format!("add the target {TARGET} with rustup"));
    match add_with_rustup(progress) {
        Ok(()) => return Ok(Toolchain::Installed),
        Err(reason) => tried.push(reason),
    }
    let missing = match distribution() {
        Ok(()) => return Ok(Toolchain::Distribution),
        Err(missing) => missing,
    };
    progress.doing("install the distribution's Rust");
    match install(progress) {
        Ok(()) => return Ok(Toolchain::Distribution),
        Err(reason) => tried.push(format!("{missing}; {reason}")),
    }
    Err(Error::NoToolchain { reason: tried.join("; ") })
}

fn installed() -> Result<(), String> {
    let folder = answer(command("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    has_library(Path::new(&folder))
}

/// Returns nothing if a folder of target libraries holds the standard library.
fn has_library(folder: &Path) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let library = |name: &str| name.starts_with("libstd-") && name.ends_with(".rlib");
    let found = entries.flatten().any(|entry| library(&entry.file_name().to_string_lossy()));
    if found { Ok(()) } else { Err(format!("no standard library in {}", folder.display())) }
}

fn add_with_rustup(progress: &Progress) -> Result<(), String> {
    let added = run(command("rustup").args(["target", "add", TARGET]), progress).map_err(|error| error.to_string())?;
    match added {
        (true, _) => installed(),
        (false, output) => Err(format!("rustup target add: {}", last_line(&output))),
    }
}

fn distribution() -> Result<(), String> {
    if !Path::new(CARGO).exists() {
        return Err(format!("there is no {CARGO}"));
    }
    let version = answer(command(RUSTC).arg("--version"))?;
    if !is_new_enough(&version) {
        return Err(format!("{RUSTC} is {version}, 1.{MINOR_MIN} or later is needed"));
    }
    let sysroot = answer(command(RUSTC).args(["--print", "sysroot"]))?;
    let sources = PathBuf::from(sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if sources.exists() { Ok(()) } else { Err(format!("there is no {}", sources.display())) }
}

/// Returns true if `rustc 1.96.0 (…)` can compile the SDK.
fn is_new_enough(version: &str) -> bool {
    let minor = version.strip_prefix("rustc 1.").and_then(|rest| rest.split('.').next());
    minor.and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|minor| minor >= MINOR_MIN)
}

/// Installs the distribution's packages, if that is ours to do.
fn install(progress: &Progress) -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("packages can be installed by root only".to_owned());
    }
    for arguments in [vec!["update"], [vec!["install", "-y", "--no-install-recommends"], PACKAGES.to_vec()].concat()] {
        let mut apt = command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(&arguments);
        let (success, output) = run(&mut apt, progress).map_err(|error| error.to_string())?;
        if !success {
            return Err(format!("apt-get {}: {}", arguments[0], last_line(&output)));
        }
    }
    distribution()
}

/// Returns what a command prints, without the line's end.
fn answer(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{program}: {}", last_line(&String::from_utf8_lossy(&output.stderr))))
}

fn last_line(output: &str) -> &str {
    output.trim().lines().last().unwrap_or("failed without a word")
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

    #[test]
    fn nothing_to_compile_with_is_told_with_the_commands() {
        let message = Error::NoToolchain { reason: "there is no rustup".to_owned() }.to_string();
        assert!(message.contains("there is no rustup"), "{message}");
        assert!(message.contains("rustup target add wasm32-unknown-unknown"), "{message}");
        assert!(message.contains("apt-get install -y rustc-web"), "{message}");
    }
}
