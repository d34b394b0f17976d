//! `test`: runs the tests of a project with the runner of its language.

use std::ffi::OsString;
use std::path::PathBuf;

use super::super::error::{Exit, Failure};
use super::super::output::Terminal;
use super::{check, failure};
use crate::project::Project;

/// Runs the tests of a service
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The runner of the language runs them, in memory and in virtual time; no host is
needed. Exit code 10 if one fails.

Examples:
  steward test
  steward test services/orders -- --nocapture")]
pub(in super::super) struct Args {
    /// Folder of the project
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// What the runner is told besides
    #[arg(value_name = "ARGS", last = true)]
    more: Vec<OsString>,
}

/// Runs `test`.
///
/// # Errors
/// A failure if there is no project, its runner is missing, or a test fails.
pub(in super::super) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let project = Project::open(&args.folder).map_err(|error| failure(&error))?;
    check(&project, terminal)?;
    let mut command = project.tests(&args.more).map_err(|error| failure(&error))?;
    let runner = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|error| {
        Failure::new(Exit::Guest, "tool-missing", format!("cannot run {runner}")).detail(error.to_string())
    })?;
    if status.success() {
        return Ok(Exit::Done);
    }
    Err(Failure::new(Exit::Guest, "tests-failed", format!("tests of {} failed", project.folder().display())))
}
