//! `stat`: adds one value to a statistic of the document.

use wasmtime::StoreContextMut;
use wasmtime::component::WasmStr;

use super::line::head;
use crate::instance::state::State;

/// Longest name of a statistic in bytes; the rest is cut off.
const NAME_BYTES_MAX: usize = 128;

pub(super) fn stat(mut store: StoreContextMut<'_, State>, (name, value): (WasmStr, f64)) -> wasmtime::Result<()> {
    // Sums with an infinity or no number in them never come back to sense.
    if !store.data_mut().take_line() || !value.is_finite() {
        return Ok(());
    }
    let name = name.to_str(&store)?;
    store.data().host().stat(head(&name, NAME_BYTES_MAX), value);
    Ok(())
}
