//! A module made ready in this process, as a host would make it, with a word to who waits for it.

use std::path::PathBuf;
use std::sync::Arc;

use steward_model::Link;
use steward_sandbox::{Config, Language, Module, PrepareError, Sandbox, Script};

use super::error::{Exit, Failure};
use super::output::Terminal;
use super::progress;
use crate::project::said_code_cache;

/// Most instances meanwhile: a module is called once.
const INSTANCES: u32 = 1;

/// Makes a module ready as a host would; compiled code is kept in `cache` if there is one. `path` is where a module answers that says
/// nothing about itself.
///
/// # Errors
/// The failure with which a host would refuse it.
pub(super) async fn prepare(
    bytes: Vec<u8>,
    cache: Option<PathBuf>,
    path: Option<Link>,
    terminal: &mut Terminal,
) -> Result<Arc<Module>, Failure> {
    let config =
        |cache| Config { cache_folder: cache, instances_max: INSTANCES, idle_instances_max: 1, ..Config::default() };
    let sandbox = match Sandbox::new(config(cache.clone())) {
        // A folder that nobody has named does without: it costs time.
        Err(_) if cache.is_some() && cache != said_code_cache() => Sandbox::new(config(None)),
        made => made,
    };
    let sandbox = sandbox.map_err(|error| Failure::new(Exit::Failed, "sandbox", error.to_string()))?;
    let bar = progress::waiting(work_on(&bytes));
    let work = tokio::task::spawn_blocking(move || sandbox.prepare_for(&bytes, path));
    let made = progress::watch(terminal, &bar, work).await;
    made.map_err(|error| Failure::new(Exit::Failed, "failed", format!("the compiler panicked: {error}")))?
        .map_err(|error| refused(&error))
}

/// Returns what is done with a module before it can be called, as a part of a sentence.
pub(super) fn work_on(module: &[u8]) -> &'static str {
    match Script::of_module(module).map(|script| script.language) {
        Ok(Language::Python) => "make ready (the runner of Python is compiled once, with the first script)",
        Ok(Language::JavaScript | Language::TypeScript) => {
            "make ready (the runner of JavaScript is compiled once, with the first script)"
        }
        Err(_) => "compile",
    }
}

/// Returns the failure with which a host would refuse a module.
pub(super) fn refused(error: &PrepareError) -> Failure {
    let exit = if matches!(error, PrepareError::Busy { .. }) { Exit::NotReady } else { Exit::Guest };
    Failure::new(exit, error.code(), error.to_string())
}
