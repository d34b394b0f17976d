//! Projects in Python: a script, or a component where the project asks for it.
//!
//! A project whose manifest names componentize-py becomes a component: the tool, which the project keeps in an environment of its own, joins
//! CPython, the service and the packages that it uses. That component imports WASI 0.2, of which a host gives clocks and randomness and
//! denies the rest. Any other project is a script, for which nothing has to be there.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use steward_node::config::whole;

use super::error::Error;
use super::folders;
use super::script;
use super::tools::{Effort, Made, Tools, answers, own_or};
use crate::reading::BYTES_MAX;

/// What a project says about itself, if anything.
const MANIFEST: &str = "pyproject.toml";

/// What makes components.
const TOOL: &str = "componentize-py";

/// Where a project keeps its tools, and where tools look for them first.
const ENVIRONMENT: &str = ".venv";

/// Where the SDK, and the module that becomes the component, lie in a project.
const SDK: &str = "steward/sdk/python";

/// How to get the tool; a project is a folder, and this is typed in it.
const INSTALL: &str = "python3 -m venv .venv && .venv/bin/pip install componentize-py pytest";

const INSTALL_PYTHON: &str = "apt-get install -y python3";

/// Makes a module of the file `mark` and of what it imports, or lets componentize-py make a component.
///
/// # Errors
/// [`Error`] says what is missing or wrong.
pub(super) fn make(folder: &Path, mark: &str, effort: Effort, tools: &Tools) -> Result<Made, Error> {
    // Whatever cannot be read asks for nothing.
    let manifest = whole::text_of_file(&folder.join(MANIFEST), BYTES_MAX).unwrap_or_default();
    if manifest.contains(&format!("\"{TOOL}")) { component(folder, effort, tools) } else { script::make(folder, mark) }
}

fn component(folder: &Path, effort: Effort, tools: &Tools) -> Result<Made, Error> {
    let tool = own_or(folder.join(ENVIRONMENT).join("bin").join(TOOL), TOOL);
    if !answers(&mut Command::new(&tool)) {
        let missing = format!(
            "there is no {TOOL}, for which {MANIFEST} asks; without that word the project is a script, which needs no tool"
        );
        return Err(Error::Missing { missing, install: INSTALL });
    }
    let output = folders::output(folder, "made.wasm")?;
    let mut command = Command::new(tool);
    command.current_dir(folder).args(["-d", "steward/wit", "-w", "service-guest", "componentize"]);
    command.args(["-p", ".", "-p", SDK, "-o"]).arg(&output);
    match effort {
        // There is one way to join them.
        Effort::Quick | Effort::Whole => command.arg("steward_guest"),
    };
    let written = tools.run(&mut command)?;
    let module = folders::taken(&output)?;
    Ok(Made { name: folders::name(folder), module, said: written.said })
}

/// Returns the command that runs the tests: pytest if it is there, else what Python brings.
///
/// # Errors
/// [`Error::Missing`] without Python.
pub(super) fn tests(folder: &Path, more: &[OsString]) -> Result<Command, Error> {
    let python = own_or(folder.join(ENVIRONMENT).join("bin/python"), "python3");
    if !answers(&mut Command::new(&python)) {
        return Err(Error::Missing { missing: "there is no python3".to_owned(), install: INSTALL_PYTHON });
    }
    let has = |module: &str| {
        let asked = Command::new(&python).args(["-c", &format!("import {module}")]).output();
        asked.is_ok_and(|answer| answer.status.success())
    };
    let runner: &[&str] = if has("pytest") { &["pytest", "-q"] } else { &["unittest"] };
    let mut command = Command::new(&python);
    command.current_dir(folder).env("PYTHONPATH", SDK).arg("-m").args(runner).args(more);
    Ok(command)
}
