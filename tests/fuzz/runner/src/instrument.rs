//! Between cargo and rustc: adds the flags that make code tell a fuzzer where it goes.
//!
//! Cargo runs this program instead of rustc for members of the workspace (`RUSTC_WORKSPACE_WRAPPER`), and keeps what comes out
//! apart from what comes out without it. So dependencies are not compiled again, the engine of WebAssembly above all, and
//! no feature of an unstable compiler is needed: the pass is LLVM's and the flags are those of `cargo fuzz build -s none`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode};

/// Set for cargo, so that this program knows that it stands in for the compiler.
pub(crate) const VARIABLE: &str = "STEWARD_FUZZ_INSTRUMENT";

/// Coverage as libFuzzer reads it: a counter of each edge, the operands of comparisons, the targets of indirect calls. Code
/// is optimised, since executions count, and checked as in tests, since broken promises do.
const FLAGS: [&str; 9] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Copt-level=1",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
];

/// Returns true if cargo has called this program in the place of rustc.
pub(crate) fn is_asked() -> bool {
    env::var_os(VARIABLE).is_some()
}

/// Compiles what the arguments say, with coverage if it becomes a part of the engine.
pub(crate) fn compile() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let Some(rustc) = arguments.next() else { return ExitCode::FAILURE };
    let arguments: Vec<OsString> = arguments.collect();
    let flags: &[&str] = if is_watched(&arguments) { &FLAGS } else { &[] };
    match Command::new(&rustc).args(&arguments).args(flags).status() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: cannot run {}: {error}", rustc.display());
            ExitCode::FAILURE
        }
    }
}

/// Returns true for libraries of the workspace and for the engine. What runs while compiling, macros and build scripts, is
/// linked without libFuzzer and has nobody to report to.
fn is_watched(arguments: &[OsString]) -> bool {
    let follows = |option: &str, value: &str| {
        arguments.windows(2).any(|pair| pair[0] == OsStr::new(option) && pair[1] == OsStr::new(value))
    };
    follows("--crate-type", "lib") || follows("--crate-name", "fuzz_engine")
}
