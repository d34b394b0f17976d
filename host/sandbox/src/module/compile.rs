//! From the bytes of a component to machine code: out of the cache, or by the compiler.

use steward_model::module::Digest;
use tracing::debug;
use wasmtime::component::Component;

use crate::engine::Engine;
use crate::error::PrepareError;

/// Returns the compiled component.
///
/// # Errors
/// [`PrepareError::Broken`] if the bytes are no valid component, [`PrepareError::Compile`] if they ask for what the
/// engine does not allow.
pub(crate) fn compile(engine: &Engine, digest: Digest, bytes: &[u8]) -> Result<Component, PrepareError> {
    if let Some(component) = engine.cache.as_ref().and_then(|cache| cache.load(digest, &engine.wasm)) {
        debug!(%digest, "compiled code loaded");
        return Ok(component);
    }
    let component = Component::from_binary(&engine.wasm, bytes).map_err(|error| refusal(bytes, &error))?;
    if let Some(cache) = &engine.cache {
        cache.save(digest, &component);
    }
    Ok(component)
}

/// Tells broken bytes from bytes that are merely too demanding.
fn refusal(bytes: &[u8], error: &wasmtime::Error) -> PrepareError {
    match super::inspect::validate(bytes) {
        Err(broken) => broken,
        Ok(()) => PrepareError::Compile { reason: format!("{error:#}") },
    }
}
