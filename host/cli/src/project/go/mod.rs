//! Projects in Go: stock Go builds them for `wasip1`, and [`graft`] takes WASI out of what it makes.

mod graft;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use steward_node::config::whole;

use super::component;
use super::error::{Error, io};
use super::folders;
use super::tools::{Effort, Made, Tools};
use crate::reading::BYTES_MAX;

/// Oldest Go that exports functions of a module: `go:wasmexport`.
const MINOR_MIN: u32 = 24;

/// Where Go's own archive is unpacked by those who follow its page, often without a search path to it.
const USUAL: &str = "/usr/local/go/bin/go";

/// How to get a Go that is new enough.
const INSTALL: &str = "curl -sSfL https://go.dev/dl/go1.26.0.linux-amd64.tar.gz | tar -C /usr/local -xz && export PATH=$PATH:/usr/local/go/bin";

/// What a project needs to be a service.
const MEND: &str = "write in package main: var service = steward.Serve(steward.Service[…]{…})";

/// Lets Go make a module, and makes it one that a host takes.
///
/// # Errors
/// [`Error`] says what is missing or wrong.
pub(super) fn make(folder: &Path, effort: Effort, tools: &Tools) -> Result<Made, Error> {
    let go = find(folder)?;
    let output = folders::output(folder, "core.wasm")?;
    let mut command = Command::new(go);
    command.current_dir(folder).env("GOOS", "wasip1").env("GOARCH", "wasm");
    command.args(["build", "-buildmode=c-shared", "-trimpath"]);
    match effort {
        // What is left out is of no use to a host, and both take the same time.
        Effort::Quick | Effort::Whole => command.arg("-ldflags=-s -w"),
    };
    command.arg("-o").arg(&output).arg(".");
    let written = tools.run(&mut command)?;
    let none = |reason: String| Error::NoModule { reason: format!("Go has made no service: {reason}"), mend: MEND };
    let mut module = graft::graft(&folders::taken(&output)?).map_err(|error| none(error.to_string()))?;
    component::describe(&mut module).map_err(none)?;
    let manifest = folder.join("go.mod");
    let unreadable = |source| io(format!("read {}", manifest.display()), source);
    let manifest = whole::text_of_file(&manifest, BYTES_MAX).map_err(unreadable)?;
    Ok(Made { name: name(&manifest), module, said: written.said })
}

/// Returns the command that runs the tests, natively.
///
/// # Errors
/// [`Error::Missing`] without a Go that is new enough.
pub(super) fn tests(folder: &Path, more: &[OsString]) -> Result<Command, Error> {
    let mut command = Command::new(find(folder)?);
    command.current_dir(folder).args(["test", "./..."]).args(more);
    Ok(command)
}

/// Returns the last word of the module's path.
fn name(manifest: &str) -> String {
    let path = manifest.lines().find_map(|line| line.strip_prefix("module ")).unwrap_or_default();
    path.trim().rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("service").to_owned()
}

/// Finds a Go that is new enough.
pub(super) fn find(folder: &Path) -> Result<PathBuf, Error> {
    let mut reason = "there is no Go".to_owned();
    for program in ["go", USUAL] {
        let asked = Command::new(program).args(["env", "GOVERSION"]).current_dir(folder).output();
        let Ok(answer) = asked else { continue };
        let version = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        if is_new_enough(&version) {
            return Ok(PathBuf::from(program));
        }
        reason = format!("Go is {version}, 1.{MINOR_MIN} or later is needed");
    }
    Err(Error::Missing { missing: reason, install: INSTALL })
}

/// Returns true if `go1.26.8` can export functions.
fn is_new_enough(version: &str) -> bool {
    let minor = version.strip_prefix("go1.").map(|rest| rest.split(|digit: char| !digit.is_ascii_digit()).next());
    minor.flatten().and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|minor| minor >= MINOR_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_go_is_told_from_a_new_one() {
        for (version, enough) in [
            ("go1.26.8", true),
            ("go1.24", true),
            ("go1.25rc1", true),
            ("go1.23.4", false),
            ("devel", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), enough, "{version}");
        }
    }

    #[test]
    fn a_project_is_called_as_its_module_is() {
        assert_eq!(name("// a comment\nmodule example.com/shop/orders\n\ngo 1.24\n"), "orders");
        assert_eq!(name(""), "service");
    }
}
