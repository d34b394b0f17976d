//! The author's loop: `new`, `build`, `test`, `dev`.

pub(super) mod build;
pub(super) mod dev;
pub(super) mod new;
pub(super) mod test;

use std::path::Path;

use steward_sandbox::Script;

use super::error::{Exit, Failure};
use super::output::{Format, Terminal};
use crate::project::{Error, Project, Tools, Voice, script};

/// Reads a script, with the files that it imports.
///
/// # Errors
/// A failure that names the file at fault.
pub(super) fn script(file: &Path) -> Result<Script, Failure> {
    script::script(file).map_err(|error| script_failure(&error))
}

fn script_failure(error: &script::Error) -> Failure {
    match error {
        script::Error::Io { path, source } => Failure::unreadable(&path.display().to_string(), source),
        script::Error::NoScript { .. } | script::Error::Outside { .. } | script::Error::Package { .. } => {
            Failure::new(Exit::Guest, "script", error.to_string())
        }
    }
}

/// Returns what runs the tools of a language: aloud, unless nobody wants to read it.
fn tools(terminal: &Terminal) -> Tools {
    let is_silent = terminal.quiet || terminal.format == Format::Json;
    Tools::new(if is_silent { Voice::Kept { coloured: terminal.coloured } } else { Voice::Aloud })
}

/// Lets the language's own tool check a project, and says what it has to say.
///
/// # Errors
/// A failure with what is wrong.
fn check(project: &Project, terminal: &mut Terminal) -> Result<(), Failure> {
    let said = project.check(&tools(terminal)).map_err(|error| failure(&error))?;
    if !said.is_empty() && terminal.format == Format::Table {
        terminal.say(&said);
    }
    Ok(())
}

/// Turns what keeps a project from being built into a failure.
fn failure(error: &Error) -> Failure {
    let message = error.to_string();
    match error {
        Error::NoProject { folder } => {
            let failure = Failure::new(Exit::NotFound, "no-project", message).hint("make one: steward new NAME");
            let name = folder.to_string_lossy();
            match steward_sandbox::Language::of_file(&name) {
                Some(_) => failure.hint(format!("a script by itself is deployed as it is: steward deploy {name}")),
                None => failure,
            }
        }
        Error::Missing { install, .. } => Failure::new(Exit::Guest, "tool-missing", message).hint(*install),
        Error::Failed { said, .. } => {
            let mut failure = Failure::new(Exit::Guest, "build-failed", message);
            failure.details.extend(said.lines().map(str::to_owned));
            failure
        }
        Error::NoModule { mend, .. } => Failure::new(Exit::Guest, "no-module", message).hint(*mend),
        Error::Script(error) => script_failure(error),
        Error::Unreadable { .. } => Failure::new(Exit::Guest, "script", message),
        Error::Stopped => Failure::new(Exit::Failed, "stopped", message),
        Error::Io { source, .. } => Failure::new(Exit::Failed, "failed", message).detail(source.to_string()),
    }
}
