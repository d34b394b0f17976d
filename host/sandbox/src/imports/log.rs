//! `log`: one line for the host's log.

use wasmtime::StoreContextMut;
use wasmtime::component::WasmStr;

use super::host::Level;
use crate::instance::state::State;

/// Longest message, and longest text of fields, in bytes; the rest is cut off.
pub(crate) const LINE_BYTES_MAX: usize = 8 << 10;

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

/// Returns the first `bytes_max` bytes of `text`, or a little less so that no character is cut in two.
pub(crate) fn head(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(head("aäb", 2), "a");
        assert_eq!(head("aäb", 3), "aä");
        assert_eq!(head("aäb", 30), "aäb");
    }
}
