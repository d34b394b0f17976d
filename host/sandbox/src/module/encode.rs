//! Makes a component of a core module that has component metadata.
//!
//! Compilers for `wasm32-unknown-unknown` write a core module. The bindings for a world leave a custom section in it
//! that says what its functions mean. Nothing more is needed to make a component of it, so authors need no further
//! tool.

use wit_component::ComponentEncoder;

use crate::error::PrepareError;

/// Prefix of the custom sections that bindings leave.
pub(crate) const METADATA_SECTION: &str = "component-type";

/// Returns the component that a core module with metadata makes.
///
/// # Errors
/// [`PrepareError::Encode`] if the module imports what its metadata does not name, or lacks an export.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>, PrepareError> {
    let encoded = ComponentEncoder::default().validate(true).module(module).and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| {
        let reason = format!("{error:#}");
        let mend = if reason.contains("wasi_snapshot_preview1") {
            "build it for wasm32-unknown-unknown or wasm32-wasip2, or join it with the adapter for WASI 0.1 by \
             `wasm-tools component new --adapt`"
        } else {
            "build it with bindings for the world `steward:service/service-guest` and export every function of it"
        };
        PrepareError::Encode { reason, mend }
    })
}
