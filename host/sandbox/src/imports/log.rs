//! `log`: one line for the host's log.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, WasmStr};

use crate::instance::state::State;

/// How urgent a line of a guest's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub enum Level {
    /// Each step.
    #[component(name = "trace")]
    Trace,
    /// A branch not usually taken.
    #[component(name = "debug")]
    Debug,
    /// A rare change of state.
    #[component(name = "info")]
    Info,
    /// Someone should look tomorrow.
    #[component(name = "warn")]
    Warn,
    /// Something broke.
    #[component(name = "error")]
    Error,
}

/// Longest message, and longest text of fields, in bytes; the rest is cut off.
const LINE_BYTES_MAX: usize = 8 << 10;

pub(super) fn log(
    mut store: StoreContextMut<'_, State>,
    (level, message, fields): (Level, WasmStr, WasmStr),
) -> wasmtime::Result<()> {
    if !store.data_mut().take_line() {
        return Ok(());
    }
    let message = message.to_str(&store)?.into_owned();
    let message = head(&message, LINE_BYTES_MAX);
    {
        let fields = fields.to_str(&store)?;
        // Fields that are cut off would be no JSON any more.
        let fields = if fields.len() > LINE_BYTES_MAX { "" } else { &fields };
        store.data().host().log(level, message, fields);
    }
    if level == Level::Error {
        store.data_mut().tell_error(message);
    }
    Ok(())
}

/// Returns the first `bytes_max` bytes of `text`, or a little less so that no character is cut in two.
pub(super) fn head(text: &str, bytes_max: usize) -> &str {
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
