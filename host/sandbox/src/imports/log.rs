//! `log`: writes one line of the guest to the host's log.

use wasmtime::StoreContextMut;
use wasmtime::component::WasmStr;

use super::host::Level;
use super::line::{LINE_BYTES_MAX, head};
use crate::instance::state::State;

pub(super) fn log(
    mut store: StoreContextMut<'_, State>,
    (level, message, fields): (Level, WasmStr, WasmStr),
) -> wasmtime::Result<()> {
    let message = message.to_str(&store)?.into_owned();
    let message = head(&message, LINE_BYTES_MAX);
    if level == Level::Error {
        // Also when the call has had its lines: it may be the reason for what comes next.
        store.data_mut().tell_error(message);
    }
    if !store.data_mut().take_line() {
        return Ok(());
    }
    let fields = fields.to_str(&store)?;
    // Fields that are cut off would be no JSON any more.
    let fields = if fields.len() > LINE_BYTES_MAX { "" } else { &fields };
    store.data().host().log(level, message, fields);
    Ok(())
}
