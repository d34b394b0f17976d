//! A module made ready in this process, as a host would make it.

use std::path::PathBuf;
use std::sync::Arc;

use steward_model::Link;
use steward_sandbox::{Config, Module, PrepareError, Sandbox};

use super::error::{Exit, Failure};

/// Most instances meanwhile: a module is called once.
const INSTANCES: u32 = 1;

/// Makes a module ready as a host would; compiled code is kept in `cache` if there is one. `path` is where a module answers that says
/// nothing about itself.
///
/// # Errors
/// The failure with which a host would refuse it.
pub(super) fn prepare(bytes: &[u8], cache: Option<PathBuf>, path: Option<Link>) -> Result<Arc<Module>, Failure> {
    let config = Config { cache_folder: cache, instances_max: INSTANCES, idle_instances_max: 1, ..Config::default() };
    let sandbox = Sandbox::new(config).map_err(|error| Failure::new(Exit::Failed, "sandbox", error.to_string()))?;
    sandbox.prepare_for(bytes, path).map_err(|error| refused(&error))
}

/// Returns the failure with which a host would refuse a module.
pub(super) fn refused(error: &PrepareError) -> Failure {
    Failure::new(Exit::Guest, error.code(), error.to_string())
}
