//! The program that libFuzzer drives: it hands bytes of its own making to one target, and watches which code they reach.
//!
//! One program holds all targets, because linking the host takes longer than any of them; `STEWARD_FUZZ_TARGET` says which
//! one runs. It is built by `cargo fuzz-all`, which compiles the workspace in such a way that there is something to watch.

#![no_main]

use libfuzzer_sys::fuzz_target;
use steward_fuzz::{TARGET_VARIABLE, Target};

/// Returns the target that the environment names.
///
/// # Panics
/// If it names none: the runner that starts this program always does.
fn target() -> &'static Target {
    static TARGET: std::sync::OnceLock<&Target> = std::sync::OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var(TARGET_VARIABLE).unwrap_or_default();
        steward_fuzz::target(&name).unwrap_or_else(|| panic!("{TARGET_VARIABLE}={name:?} names no target"))
    })
}

fuzz_target!(
    init: {
        target();
        // libFuzzer's binding aborts at every panic, wherever it happens. What the host contains is no crash, and what
        // reaches the target ends the process without a hook as well.
        drop(std::panic::take_hook());
    },
    |bytes: &[u8]| (target().check)(bytes)
);
