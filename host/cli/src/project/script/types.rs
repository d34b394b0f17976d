//! Types of TypeScript, checked by `tsc` where it is: the host takes them out and believes them.
//!
//! The service and what it imports are checked by the project's own `tsconfig.json`, in a configuration beside it that names them alone: tests
//! speak of the types of Node.js, which a project has only once npm has put them there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::project::error::{Error, io};
use crate::project::folders::FOLDER;
use crate::project::tools::{Tools, answers, own_or};

/// The compiler of TypeScript, and where a project has one of its own.
const TOOL: &str = "tsc";
const OWN: &str = "node_modules/.bin";

/// What is said where it is missing.
const UNCHECKED: &str = "types are not checked: there is no tsc (npm install --save-dev typescript)";

/// How the types of a project are to be checked.
const SETTINGS: &str = "tsconfig.json";

/// Checks the types of the service `mark` in the folder of a project. Returns what is to be said besides; empty: nothing.
///
/// # Errors
/// [`Error::Failed`] with what is wrong, and whatever keeps the tool from being run.
pub(in crate::project) fn check(folder: &Path, mark: &str, tools: &Tools) -> Result<String, Error> {
    let tool = own_or(folder.join(OWN).join(TOOL), TOOL);
    if !answers(&mut Command::new(&tool)) {
        return Ok(UNCHECKED.to_owned());
    }
    let settings = settings(folder, mark)?;
    // It tells its findings where others write data.
    let mut command = Command::new("sh");
    command.current_dir(folder).args(["-c", "\"$@\" >&2", TOOL]).arg(tool).arg("--project").arg(settings);
    command.arg("--noEmit").args(["--pretty", "false"]);
    tools.run(&mut command).map(|written| written.said).map_err(|error| match error {
        Error::Failed { said, .. } => Error::Failed { tool: TOOL.to_owned(), said },
        other => other,
    })
}

/// Writes the configuration, and returns its path.
fn settings(folder: &Path, mark: &str) -> Result<PathBuf, Error> {
    let place = folder.join(FOLDER);
    let path = place.join(SETTINGS);
    let mut settings = serde_json::json!({ "include": [], "files": [format!("../{mark}")] });
    if folder.join(SETTINGS).is_file() {
        settings["extends"] = format!("../{SETTINGS}").into();
    }
    let written = std::fs::create_dir_all(&place).and_then(|()| std::fs::write(&path, settings.to_string()));
    written.map_err(|source| io(format!("write {}", path.display()), source))?;
    Ok(path)
}
