//! Projects in C: clang with its linker makes a bare module of `service.c` and the headers of the SDK, without a C library and without WASI.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::component;
use super::error::Error;
use super::folders::{self, FOLDER};
use super::tools::{Effort, Made, Tools, answers};

/// The file with the service; others are included by it.
const SOURCE: &str = "service.c";

/// The file with its tests, which includes the service.
const TESTS: &str = "service_test.c";

/// Where the headers of the SDK lie in a project.
const HEADERS: &str = "steward/sdk/c";

/// How to get a compiler and a linker, also for who is not root.
const INSTALL: &str = "apt-get install -y clang lld, or pip install ziglang";

/// What a project needs to be a service.
const MEND: &str = "write at the end of service.c: ST_SERVICE(.name = …, .factory = …, .state = …)";

/// Compilers by the words that call them, in the order in which they are tried.
const COMPILERS: [&[&str]; 8] = [
    &["clang"],
    &["clang-22"],
    &["clang-21"],
    &["clang-20"],
    &["clang-19"],
    &["zig", "cc"],
    &["python3", "-m", "ziglang", "cc"],
    &["clang-14"],
];

/// What is the same for a module and for tests.
const WARNINGS: [&str; 6] = [
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-Wno-unused-parameter",
    "-Wno-missing-field-initializers",
    "-Wno-missing-braces",
];

/// What the compiler shall watch for; the SDK says where.
const WATCHES: &str = "-fsanitize=integer-divide-by-zero,bounds,null,unreachable,return";

/// Lets the compiler make a module.
///
/// # Errors
/// [`Error`] says what is missing or wrong.
pub(super) fn make(folder: &Path, effort: Effort, tools: &Tools) -> Result<Made, Error> {
    let words = find()?;
    let output = folders::output(folder, "core.wasm")?;
    let mut command = compiler(words);
    // Zig has another name for a machine without a system.
    let target = if words.last() == Some(&"cc") { "wasm32-freestanding" } else { "wasm32-unknown-unknown" };
    command.current_dir(folder).args(["-target", target, "-ffreestanding", "-nostdlib"]);
    command.args(WARNINGS).args([WATCHES, "-fno-sanitize-recover=all", "-I", HEADERS]);
    match effort {
        Effort::Quick => command.arg("-O1"),
        Effort::Whole => command.arg("-Os"),
    };
    if words.last() != Some(&"cc") {
        // A stack that is used up runs off the beginning of memory, and not into what the service keeps; Zig does so by itself.
        command.arg("-Wl,--stack-first");
    }
    // Names of functions stay: a trap without words of its own is told by them.
    command.args(["-Wl,--no-entry", "-Wl,--strip-debug", "-o"]).arg(&output).arg(SOURCE);
    let written = tools.run(&mut command)?;
    let mut module = folders::taken(&output)?;
    let none = |reason| Error::NoModule { reason: format!("clang has made no service: {reason}"), mend: MEND };
    component::describe(&mut module).map_err(none)?;
    Ok(Made { name: folders::name(folder), module, said: written.said })
}

/// Returns the command that compiles the tests for this machine and runs them.
///
/// # Errors
/// [`Error::Missing`] without a compiler.
pub(super) fn tests(folder: &Path, more: &[OsString]) -> Result<Command, Error> {
    let native =
        ["cc", "clang"].into_iter().find(|program| answers(&mut compiler(&[program]))).map(|program| vec![program]);
    let words = native.map_or_else(|| find().map(<[_]>::to_vec), Ok)?;
    let mut command = Command::new("sh");
    let compile = [&words[..], &WARNINGS, &["-g", "-I", HEADERS, "-o", "\"$0\"", TESTS]].concat().join(" ");
    command.current_dir(folder).args(["-c", &format!("mkdir -p {FOLDER} && {compile} && exec \"$0\" \"$@\"")]);
    command.arg(PathBuf::from(".").join(FOLDER).join("tests")).args(more);
    Ok(command)
}

fn compiler(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// Returns true if a compiler has a linker for WebAssembly; Zig brings its own.
fn links(words: &[&str]) -> bool {
    if words.last() == Some(&"cc") {
        return true;
    }
    let asked = compiler(words).arg("--print-prog-name=wasm-ld").output();
    // A program that was not found is named without a folder.
    asked.is_ok_and(|answer| String::from_utf8_lossy(&answer.stdout).trim().contains('/'))
}

/// Finds a compiler.
pub(super) fn find() -> Result<&'static [&'static str], Error> {
    let found: Vec<_> = COMPILERS.into_iter().filter(|words| answers(&mut compiler(words))).collect();
    let missing = match found.first() {
        None => "there is no clang".to_owned(),
        Some(words) => format!("{} has no linker for WebAssembly, wasm-ld", words[0]),
    };
    found.into_iter().find(|words| links(words)).ok_or(Error::Missing { missing, install: INSTALL })
}
