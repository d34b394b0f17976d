//! The author's loop: `new`, `build`, `test`, `dev`.

pub(super) mod build;
pub(super) mod dev;
pub(super) mod new;
pub(super) mod test;

use super::error::{Exit, Failure};
use crate::project::Error;

/// Turns what keeps a project from being built into a failure.
fn failure(error: &Error) -> Failure {
    let message = error.to_string();
    match error {
        Error::NoProject { .. } => {
            Failure::new(Exit::NotFound, "no-project", message).hint("make one: steward new NAME")
        }
        Error::Missing { install, .. } => Failure::new(Exit::Failed, "tool-missing", message).hint(*install),
        Error::Failed { said, .. } => {
            let mut failure = Failure::new(Exit::Guest, "build-failed", message);
            failure.details.extend(said.lines().map(str::to_owned));
            failure
        }
        Error::NoModule { mend, .. } => Failure::new(Exit::Guest, "no-module", message).hint(*mend),
        Error::Stopped => Failure::new(Exit::Failed, "stopped", message),
        Error::Io { source, .. } => Failure::new(Exit::Failed, "failed", message).detail(source.to_string()),
    }
}
