//! From the bytes of a component to machine code: out of the cache, or by the compiler, in a process of its own if one is named.

use std::time::Instant;

use steward_model::module::Digest;
use tracing::{debug, info};
use wasmtime::component::Component;

use crate::engine::Engine;
use crate::error::PrepareError;

use super::{cache, compiler};

/// Returns the compiled component, which `what` names in the log; `bytes` are asked for if it has to be compiled.
///
/// # Errors
/// [`PrepareError::Broken`] if the bytes are no valid component, [`PrepareError::Compile`] if they ask for what the
/// engine does not allow.
pub(crate) fn compile<B: AsRef<[u8]>>(
    engine: &Engine,
    what: &str,
    digest: Digest,
    bytes: impl FnOnce() -> B,
) -> Result<Component, PrepareError> {
    if let Some(component) = engine.cache.as_ref().and_then(|cache| cache.load(digest, &engine.wasm)) {
        debug!(%digest, "compiled code loaded");
        return Ok(component);
    }
    info!(what, %digest, "compiling");
    let began = Instant::now();
    let bytes = bytes();
    let code = match &engine.config.compiler {
        Some(program) => compiler::compile(program, bytes.as_ref(), &engine.config.modules)?,
        None => compiler::machine_code(&engine.wasm, bytes.as_ref())?,
    };
    let (component, code) = cache::made_by_compiler(&engine.wasm, code)
        .map_err(|error| PrepareError::Compile { reason: format!("{error:#}") })?;
    if let Some(cache) = &engine.cache {
        cache.keep(digest, &code);
    }
    let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    info!(what, %digest, millis, "compiled");
    Ok(component)
}
