//! Builds the guest examples: finds or installs a Wasm toolchain, compiles, and makes components of the modules.
//!
//! **Promise.** A test or a demo needs only one call, on a machine with or without the Wasm target, alone or while
//! other test binaries do the same. If nothing has changed, the call takes a fraction of a second: cargo decides what
//! to compile, and a component that is newer than its module is taken as it is.
//!
//! ```text
//!  guest-examples/*  ──cargo, profile guest──▶  core module  ──wit-component──▶  target/guests/components/<name>.wasm
//! ```
//!
//! All guests share one target folder, so the standard library, if it must be built, is built once.

mod compile;
mod component;
mod progress;
mod toolchain;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub use component::Built;
pub use progress::Progress;
pub use toolchain::Toolchain;

/// A guest of this repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Guest {
    /// Name of the component.
    name: &'static str,
    /// Name of the cargo package.
    package: &'static str,
}

const GUESTS: [Guest; 14] = [
    Guest { name: "counter", package: "guest-counter" },
    Guest { name: "todo", package: "guest-todo" },
    Guest { name: "examples", package: "guest-examples" },
    Guest { name: "example-tasks", package: "guest-example-tasks" },
    Guest { name: "relay", package: "guest-relay" },
    Guest { name: "whisper", package: "guest-whisper" },
    Guest { name: "last-words", package: "guest-last-words" },
    Guest { name: "proxy", package: "guest-proxy" },
    Guest { name: "misbehave", package: "guest-misbehave" },
    Guest { name: "duties", package: "guest-duties" },
    Guest { name: "greeting", package: "guest-greeting" },
    Guest { name: "presence", package: "guest-presence" },
    Guest { name: "upgrade-before", package: "guest-upgrade-before" },
    Guest { name: "upgrade-after", package: "guest-upgrade-after" },
];

/// Why there are no components.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No guest has that name.
    #[error("there is no guest {name:?}; known are {}", names().join(", "))]
    Unknown {
        /// The name that was asked for.
        name: String,
    },
    /// Nothing on this machine compiles to Wasm, and nothing could be installed.
    #[error(
        "no Rust toolchain for {} found: {reason}\ninstall one of them:\n  rustup target add {}\n  {}",
        toolchain::TARGET,
        toolchain::TARGET,
        toolchain::INSTALL
    )]
    NoToolchain {
        /// What was tried, and how it ended.
        reason: String,
    },
    /// A guest does not compile.
    #[error("guests do not build with {toolchain}:\n{output}")]
    Compile {
        /// Which toolchain.
        toolchain: Toolchain,
        /// What cargo said.
        output: String,
    },
    /// A module cannot become a component.
    #[error("cannot make a component of {}: {reason}", module.display())]
    Component {
        /// The core module.
        module: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file or a program is out of reach.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was tried, and with what.
        doing: String,
        /// Why not.
        source: io::Error,
    },
}

/// Returns the names of all guests.
pub fn names() -> Vec<&'static str> {
    GUESTS.iter().map(|guest| guest.name).collect()
}

/// Builds guests, all of them if none is named, and returns them in that order.
///
/// Blocks: seconds the first time, minutes if the standard library or the toolchain is missing, while other processes
/// build guests, and a fraction of a second otherwise. What this process has built already it takes as it is: tests that
/// begin at the same time would else ask cargo one after the other for what the first has had made.
///
/// # Errors
/// [`Error`] says what the caller has to install or to mend.
pub fn build(names: &[&str], progress: &Progress) -> Result<Vec<Built>, Error> {
    static BUILT: Mutex<BTreeMap<&str, Built>> = Mutex::new(BTreeMap::new());
    let guests = chosen(names)?;
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<Guest> = guests.iter().copied().filter(|guest| !built.contains_key(guest.name)).collect();
    if !missing.is_empty() {
        built.extend(build_anew(&missing, progress)?.into_iter().map(|guest| (guest.name, guest)));
    }
    Ok(guests.iter().filter_map(|guest| built.get(guest.name).cloned()).collect())
}

fn build_anew(guests: &[Guest], progress: &Progress) -> Result<Vec<Built>, Error> {
    let folder = folder();
    let components = folder.join("components");
    fs::create_dir_all(&components).map_err(|source| io_error("create", &components, source))?;
    let _lock = lock(&folder, progress)?;
    let toolchain = toolchain::find(&folder, progress)?;
    compile::compile(&toolchain, guests, &folder, progress)?;
    let modules = folder.join(toolchain::TARGET).join("guest");
    let mut built = Vec::new();
    for (index, guest) in guests.iter().enumerate() {
        progress.doing(&format!("component {} ({} of {})", guest.name, index + 1, guests.len()));
        let module = modules.join(format!("{}.wasm", guest.package.replace('-', "_")));
        let component = components.join(format!("{}.wasm", guest.name));
        built.push(component::component(guest.name, &module, &component)?);
    }
    progress.done(&format!("{} components in {}", built.len(), components.display()));
    Ok(built)
}

/// Returns the folder in which everything about guests is built.
fn folder() -> PathBuf {
    crate::build::repository().join("target/guests")
}

fn chosen(names: &[&str]) -> Result<Vec<Guest>, Error> {
    if names.is_empty() {
        return Ok(GUESTS.to_vec());
    }
    let find = |name: &&str| {
        let found = GUESTS.into_iter().find(|guest| guest.name == *name);
        found.ok_or_else(|| Error::Unknown { name: (*name).to_owned() })
    };
    names.iter().map(find).collect()
}

/// Waits until no other process builds guests. The lock lasts as long as the file is open.
fn lock(folder: &Path, progress: &Progress) -> Result<File, Error> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|source| io_error("create", &path, source))?;
    if file.try_lock().is_err() {
        progress.doing("wait for another process that builds guests");
        file.lock().map_err(|source| io_error("lock", &path, source))?;
    }
    Ok(file)
}

fn io_error(doing: &str, path: &Path, source: io::Error) -> Error {
    Error::Io { doing: format!("{doing} {}", path.display()), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_guest_is_refused_with_the_known_ones() {
        let error = build(&["conter"], &Progress::hidden()).expect_err("no such guest");
        let known = names().join(", ");
        assert_eq!(error.to_string(), format!("there is no guest \"conter\"; known are {known}"));
    }

    #[test]
    fn the_counter_becomes_a_component_that_imports_the_host_alone() {
        let built = build(&["counter"], &Progress::hidden()).expect("the counter builds");
        assert_eq!(built.len(), 1);
        assert_eq!(built[0].imports, ["steward:service/types@0.1.0", "steward:service/host@0.1.0"]);
        assert!(built[0].path.exists());
    }
}
