//! `build`: makes the component of a project with the tool of its language, and checks it as a host would.

use std::path::{Path, PathBuf};

use serde_json::json;
use steward_sandbox::Module;

use super::super::error::{Exit, Failure};
use super::super::output::{Format, Terminal};
use super::super::prepare::prepare;
use super::{check, failure, tools};
use crate::project::{Effort, Project};
use steward_node::config::quantity::show_size;

/// Builds the component of a service
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The tool of the language does the work; what is missing is said with the command
that installs it. A script needs no tool: its texts are put into one module.
The component is checked as a host would, and kept in .steward/. Standard
output is its path alone. Exit code 10 if it cannot be built.

Examples:
  steward build
  steward deploy \"$(steward build services/orders)\"")]
pub(in super::super) struct Args {
    /// Folder of the project
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// A component that a host would take.
pub(in super::super) struct Built {
    /// Where it is kept.
    pub(in super::super) path: PathBuf,
    /// The component.
    pub(in super::super) component: Vec<u8>,
    module: std::sync::Arc<Module>,
}

/// Runs `build`.
///
/// # Errors
/// A failure if there is no project, a tool is missing, the build fails, or a host would refuse the component.
pub(in super::super) async fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let built = build(&args.folder, terminal).await?;
    let module = &built.module;
    let descriptor = module.descriptor();
    let path = built.path.display().to_string();
    if terminal.format == Format::Json {
        terminal.print_json(&json!({
            "type": "build", "schema": 1, "path": path, "bytes": built.component.len(),
            "digest": module.digest(), "imports": module.imports(), "name": descriptor.name,
            "version": descriptor.version, "factory": descriptor.factory, "stateVersion": descriptor.state_version,
        }));
        return Ok(Exit::Done);
    }
    let size = show_size(built.component.len() as u64);
    terminal.say(&format!("module   {} {}   {size}   sha256:{}", descriptor.name, descriptor.version, module.digest()));
    terminal.say(&format!("imports  {}", module.imports().join("  ")));
    terminal.say(&format!("factory  {}   state v{}", descriptor.factory, descriptor.state_version));
    terminal.print(&path);
    Ok(Exit::Done)
}

/// Builds the project in `folder`, whole, and keeps the component.
///
/// # Errors
/// As [`run`].
pub(in super::super) async fn build(folder: &Path, terminal: &mut Terminal) -> Result<Built, Failure> {
    let project = Project::open(folder).map_err(|error| failure(&error))?;
    check(&project, terminal)?;
    let made = project.make(Effort::Whole, &tools(terminal)).map_err(|error| failure(&error))?;
    let module = prepare(made.module.clone(), Some(project.cache()), None, terminal).await?;
    let component = module.component_bytes().map_or(made.module, |component| component.to_vec());
    let path = project.keep(&made.name, &component).map_err(|error| failure(&error))?;
    Ok(Built { path, component, module })
}
