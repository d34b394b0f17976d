//! Compiling in a process of its own.
//!
//! Problem: nobody can tell from a module what compiling it will take. Six kilobytes can ask for minutes and a gigabyte: wide
//! types, loops inside loops, what the authors of the compiler did not think of either. A compilation cannot be interrupted, and
//! memory that it took is not given back for long.
//!
//! Promise: it takes a time and a memory that are known before, its end harms nobody, and all that it took is given back.
//!
//! ```text
//!  host                              compiler, the same program (`compile-guest`)
//!   │ ── stdin: component ─────────▶  compile
//!   │                                 │  beside it: is memory or time used up, or the host gone? then end
//!   │ ◀─ stdout: a mark, then code ── ┘
//!   ▼    or why not; or nothing
//! ```
//!
//! Where no program is named, it is done in the process that asks: tools that compile what their own user wrote.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::config::{Config, ModuleLimits};
use crate::engine;
use crate::error::PrepareError;

use super::{inspect, workshop};

/// The word that makes the program a compiler.
const WORD: &str = "compile-guest";

/// Before the answer: it is machine code.
const CODE: u8 = b'C';
/// Before the answer: it says what is broken.
const BROKEN: u8 = b'B';
/// Before the answer: it says what the engine does not allow.
const REFUSED: u8 = b'R';

/// Exit code of a compiler whose memory is used up.
const ENDED_BY_MEMORY: u8 = 3;
/// Exit code of a compiler whose time is used up.
const ENDED_BY_TIME: u8 = 4;
/// Exit code of a compiler whose host is gone.
const ENDED_ALONE: u8 = 5;

/// Pause between two looks at what the compiler has used up: it takes tens of megabytes meanwhile at the most.
const LOOK: Duration = Duration::from_millis(20);

/// How much a compiler steps back behind the work of the host, in the system's measure.
const NICENESS: i32 = 5;

/// Most bytes of what a compiler says when it breaks off.
const LAST_WORDS_MAX: u64 = 2000;

/// Has `program` compile a component, and returns its machine code.
///
/// # Errors
/// [`PrepareError::Broken`] and [`PrepareError::Compile`] as the compiler says, [`PrepareError::Greedy`] and
/// [`PrepareError::Late`] if it used up what it may.
pub(super) fn compile(program: &Path, bytes: &[u8], limits: &ModuleLimits) -> Result<Vec<u8>, PrepareError> {
    let no_process = |error: std::io::Error| PrepareError::Compile {
        reason: format!("the system gives no process for the compiler, {}: {error}", program.display()),
    };
    let millis = u64::try_from(limits.deadline.as_millis()).unwrap_or(u64::MAX);
    let mut command = Command::new(program);
    command.arg(WORD).arg(limits.memory_bytes_max.to_string()).arg(millis.to_string());
    // It needs nothing of what the host was told.
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(no_process)?;
    if let Some(mut given) = child.stdin.take() {
        // One that ends before it has read everything says why below.
        let _ = given.write_all(bytes);
    }
    let mut answer = Vec::new();
    let mut said = String::new();
    // What cannot be read was not said: how it ended decides.
    let _ = child.stdout.take().map(|mut output| output.read_to_end(&mut answer));
    let _ = child.stderr.take().map(|error| error.take(LAST_WORDS_MAX).read_to_string(&mut said));
    let ended = child.wait().map_err(no_process)?;
    let broke_off = |how: String| PrepareError::Compile { reason: format!("the compiler broke off, {how}") };
    match ended.code().map(u8::try_from) {
        Some(Ok(0)) => understand(answer).ok_or_else(|| broke_off("without an answer".to_owned()))?,
        Some(Ok(ENDED_BY_MEMORY)) => Err(PrepareError::Greedy { limit: limits.memory_bytes_max }),
        Some(Ok(ENDED_BY_TIME)) => Err(PrepareError::Late { limit: limits.deadline }),
        Some(_) | None => {
            tracing::warn!(%ended, said = said.trim(), "the compiler of guests broke off");
            Err(broke_off(ended.to_string()))
        }
    }
}

/// Takes the mark off an answer; none if there is none.
fn understand(mut answer: Vec<u8>) -> Option<Result<Vec<u8>, PrepareError>> {
    let mark = *answer.first()?;
    answer.remove(0);
    let reason = |answer: &[u8]| String::from_utf8_lossy(answer).into_owned();
    match mark {
        CODE => Some(Ok(answer)),
        BROKEN => Some(Err(PrepareError::Broken { reason: reason(&answer) })),
        REFUSED => Some(Err(PrepareError::Compile { reason: reason(&answer) })),
        _ => None,
    }
}

/// If `words`, those of this process, ask for a compiler: compiles the component on standard input, writes its code to standard
/// output, and returns with what the process is to end. The first thing that a program calls which is named as
/// [`Config::compiler`].
pub fn serve_as_compiler(words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let mut words = words.skip(1);
    if words.next()? != WORD {
        return None;
    }
    let mut number = || words.next()?.to_str()?.parse::<u64>().ok();
    let (Some(memory), Some(millis)) = (number(), number()) else {
        eprintln!("usage: steward {WORD} MEMORY-BYTES DEADLINE-MILLIS < COMPONENT > CODE, as the host calls it");
        return Some(ExitCode::from(2));
    };
    Some(serve(memory, Duration::from_millis(millis)).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    }))
}

fn serve(memory: u64, deadline: Duration) -> std::io::Result<ExitCode> {
    step_back();
    let host = rustix::process::getppid();
    let began = Instant::now();
    let watch = move || {
        loop {
            let ended = match resident() {
                Some(bytes) if bytes > memory => ENDED_BY_MEMORY,
                _ if began.elapsed() > deadline => ENDED_BY_TIME,
                _ if rustix::process::getppid() != host => ENDED_ALONE,
                _ => {
                    std::thread::sleep(LOOK);
                    continue;
                }
            };
            std::process::exit(ended.into());
        }
    };
    std::thread::Builder::new().name("watch".to_owned()).spawn(watch)?;
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let made = workshop::on_large_stack(|| {
        let wasm = engine::to_compile(&Config::default())
            .map_err(|error| PrepareError::Compile { reason: format!("{error:#}") })?;
        machine_code(&wasm, &bytes)
    });
    let (mark, answer) = match made {
        Ok(code) => (CODE, code),
        Err(PrepareError::Broken { reason }) => (BROKEN, reason.into_bytes()),
        Err(PrepareError::Compile { reason }) => (REFUSED, reason.into_bytes()),
        Err(other) => (REFUSED, other.to_string().into_bytes()),
    };
    let mut output = std::io::stdout().lock();
    output.write_all(&[mark])?;
    output.write_all(&answer)?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Compiles a component in this process.
///
/// # Errors
/// [`PrepareError::Broken`] for broken bytes, [`PrepareError::Compile`] for those that are merely too demanding.
pub(super) fn machine_code(engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Vec<u8>, PrepareError> {
    engine.precompile_component(bytes).map_err(|error| match inspect::validate(bytes) {
        Err(broken) => broken,
        Ok(()) => PrepareError::Compile { reason: format!("{error:#}") },
    })
}

/// Lets requests go before, and offers itself first where the memory of the machine runs out. Where the system allows neither,
/// the bounds hold all the same.
fn step_back() {
    let _ = rustix::process::nice(NICENESS);
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
}

/// Returns the memory that this process has, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_word_makes_a_program_a_compiler() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>().into_iter();
        assert!(serve_as_compiler(words(&["steward"])).is_none());
        assert!(serve_as_compiler(words(&["steward", "status", WORD])).is_none());
        assert!(serve_as_compiler(words(&["steward", WORD, "many"])).is_some(), "and says how it is called");
    }

    #[test]
    fn an_answer_without_a_mark_is_none() {
        assert!(understand(Vec::new()).is_none());
        assert!(understand(b"running 0 tests".to_vec()).is_none());
        assert!(matches!(understand(b"Ccode".to_vec()), Some(Ok(code)) if code == b"code"));
        assert!(
            matches!(understand(b"Bhalf".to_vec()), Some(Err(PrepareError::Broken { reason })) if reason == "half")
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let refused = compile(Path::new("/no/such/program"), b"", &ModuleLimits::default()).expect_err("no program");
        assert!(refused.to_string().contains("/no/such/program"), "{refused}");
    }
}
