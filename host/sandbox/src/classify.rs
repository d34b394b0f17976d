//! What an error of wasmtime says of the guest that was called.

use std::time::Duration;

use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

use crate::error::{CallError, Part};

/// What an error of wasmtime has to be read with.
#[derive(Debug, Clone)]
pub(crate) struct Circumstances {
    /// The time that the call had.
    pub(crate) deadline: Duration,
    /// The stack that the call had.
    pub(crate) stack_bytes: usize,
    /// What the guest may hand over at once.
    pub(crate) output_bytes: usize,
    /// The memory that the guest may have.
    pub(crate) memory_bytes: usize,
    /// The memory that it asked for in vain during the call.
    pub(crate) memory_denied: Option<usize>,
    /// What the guest said before it failed.
    pub(crate) last_words: String,
}

/// How wasmtime says that a guest handed over more than its store allows; it has no type for it.
const OUTPUT_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// Translates an error of wasmtime.
pub(crate) fn classify(error: &wasmtime::Error, circumstances: Circumstances) -> CallError {
    let trap = error.downcast_ref::<Trap>();
    match trap {
        Some(Trap::StackOverflow) => return CallError::StackOverflow { limit: circumstances.stack_bytes },
        Some(Trap::Interrupt) => return CallError::Deadline { limit: circumstances.deadline },
        Some(_) | None => {}
    }
    // A guest that is denied memory usually aborts: the trap is only how it dies.
    if let Some(asked) = circumstances.memory_denied {
        return CallError::Memory { asked, limit: circumstances.memory_bytes };
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return CallError::Overloaded { reason: full.to_string() };
    }
    if error.downcast_ref::<std::str::Utf8Error>().is_some() {
        return CallError::NotText { what: Part::Output };
    }
    let cause = error.root_cause().to_string();
    if cause.contains(OUTPUT_EXHAUSTED) {
        return CallError::OutputTooLarge { what: Part::Output, max: circumstances.output_bytes };
    }
    let message = trap.map_or(cause, Trap::to_string);
    let message = message.strip_prefix("wasm trap: ").unwrap_or(&message).to_owned();
    CallError::Trap { message, said: circumstances.last_words, backtrace: backtrace(error) }
}

fn backtrace(error: &wasmtime::Error) -> String {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let text = trace.to_string();
    text.split_once('\n').map_or(text.as_str(), |(_, frames)| frames).to_owned()
}
