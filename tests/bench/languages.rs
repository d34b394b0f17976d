//! What a service costs in each language: the `todo` of guest-examples, which all of them have, and a new project in the loop of its author.
//!
//! A call renames a list. The component is also called bare through wasmtime in the same turns where it imports nothing but our own
//! interface; Python's imports WASI, and scripts are no components. The memory of an instance is the smallest ceiling under which it
//! serves a call. What a language needs and this machine lacks is said in its row.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use steward_model::operation::Request;
use steward_sandbox::{Config, Module, Occasion, Sandbox, Script, ScriptFile};
use steward_tests::build;
use steward_tests::examples::{self, Example};
use steward_tests::guests::{self, Progress};
use tempfile::TempDir;

use crate::Wish;
use crate::guest::{self, Bare};
use crate::rounds::{in_turns, median};
use crate::service::{STATE_BYTES, call, request_with, waited};
use crate::table::Row;

/// Turns of each side.
const ROUNDS: usize = 5;

/// Calls of one turn on an instance that is there, and on one that is made for the call.
const WARM_CALLS: u32 = 2_000;
const COLD_CALLS: u32 = 100;

/// Memories come in pages.
const PAGE: usize = 64 << 10;
const MEMORY_MAX: usize = 64 << 20;

/// How much longer than a bare call one in Rust may take, where a bare call of the counter takes [`BARE_MICROS`].
const RUST_MORE_MICROS: f64 = 3.0;

/// What a bare call of the counter took where the runtimes were compared. What a call may take is that much more where this takes longer.
const BARE_MICROS: f64 = 2.2;

/// Times that a project is saved.
const SAVES: u32 = 3;

/// How a service is made.
#[derive(Clone, Copy)]
enum Made {
    Guest,
    Project,
    Script,
}

/// One language.
struct Language {
    name: &'static str,
    /// What `steward new` calls it.
    lang: &'static str,
    made: Made,
    /// The file of the counter, and that of the list where it is a script.
    counter: &'static str,
    todo: &'static str,
    /// What stands once in a new project, and what takes its place.
    edit: (&'static str, &'static str, &'static str),
    lines_max: usize,
    served_max: Duration,
    /// What a call may take where a bare call of the counter takes [`BARE_MICROS`]: half more than when runtimes were compared.
    micros_max: Option<f64>,
}

const TYPESCRIPT: Language = Language {
    name: "typescript",
    lang: "typescript",
    made: Made::Script,
    counter: "counter/typescript/counter.ts",
    todo: "todo/typescript/todo.ts",
    edit: ("service.ts", "\"1h\"", "\"2h\""),
    lines_max: 12,
    served_max: Duration::from_secs(1),
    micros_max: Some(15.0 * 1.5),
};

const PYTHON: Language = Language {
    name: "python",
    lang: "python",
    made: Made::Project,
    counter: "counter/python/service.py",
    todo: "guest-examples/todo/python",
    edit: ("service.py", "\"1h\"", "\"2h\""),
    lines_max: 14,
    served_max: Duration::from_secs(60),
    micros_max: Some(23.0 * 1.5),
};

const LANGUAGES: [Language; 7] = [
    Language {
        name: "rust",
        lang: "rust",
        made: Made::Guest,
        counter: "counter/rust/src/lib.rs",
        todo: "",
        edit: ("src/lib.rs", "\"1h\"", "\"2h\""),
        lines_max: 20,
        served_max: Duration::from_secs(3),
        micros_max: None,
    },
    TYPESCRIPT,
    Language {
        name: "javascript",
        lang: "javascript",
        counter: "counter/javascript/counter.js",
        todo: "todo/javascript/todo.js",
        edit: ("service.js", "\"1h\"", "\"2h\""),
        ..TYPESCRIPT
    },
    PYTHON,
    Language {
        name: "python as a script",
        made: Made::Script,
        todo: "todo/python/service.py",
        served_max: Duration::from_secs(1),
        ..PYTHON
    },
    Language {
        name: "go",
        lang: "go",
        made: Made::Project,
        counter: "counter/go/counter.go",
        todo: "guest-examples/todo/go",
        edit: ("service.go", "time.Hour", "2*time.Hour"),
        lines_max: 24,
        served_max: Duration::from_secs(60),
        micros_max: None,
    },
    Language {
        name: "c",
        lang: "c",
        made: Made::Project,
        counter: "counter/c/service.c",
        todo: "guest-examples/todo/c",
        edit: ("service.c", "ST_HOURS(1)", "ST_HOURS(2)"),
        lines_max: 45,
        served_max: Duration::from_secs(60),
        micros_max: None,
    },
];

impl Language {
    /// Returns the list as a module; none, with the reason, if its tool is missing here.
    fn module(&self) -> anyhow::Result<Result<Vec<u8>, String>> {
        let path = match self.made {
            Made::Guest => {
                guests::build(&["todo"], &Progress::hidden())?.first().context("a guest was built")?.path.clone()
            }
            Made::Script => return self.script().map(Ok),
            Made::Project => match examples::built(Example { language: self.name, folder: self.todo }) {
                Ok(path) => path,
                Err(examples::Error::Missing { said }) => {
                    return Ok(Err(said.lines().next().unwrap_or_default().to_owned()));
                }
                Err(error) => return Err(error.into()),
            },
        };
        Ok(Ok(std::fs::read(&path).with_context(|| format!("read {}", path.display()))?))
    }

    fn script(&self) -> anyhow::Result<Vec<u8>> {
        let path = build::repository().join("guest-examples").join(self.todo);
        let name = path.file_name().context("a script has a name")?.to_string_lossy().into_owned();
        let language = steward_sandbox::Language::of_file(&name).context("a script has a language")?;
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        Ok(Script { language, files: vec![ScriptFile { name, text }] }.module())
    }

    /// Returns the lines of the counter that say something: neither empty nor a comment.
    fn lines(&self) -> anyhow::Result<usize> {
        let path = build::repository().join("guest-examples").join(self.counter);
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let speaks =
            |line: &&str| !line.is_empty() && !["//", "\"\"\"", "#!"].iter().any(|mark| line.starts_with(mark));
        Ok(text.lines().map(str::trim).filter(speaks).count())
    }

    /// Returns how long it takes from a save to the first answer of the new code, the median of some.
    fn saved(&self) -> anyhow::Result<Duration> {
        let above = tempfile::tempdir().context("make a folder")?;
        let made = steward(above.path(), &["new", "bell", "--lang", self.lang])?.output().context("run steward new")?;
        ensure!(made.status.success(), "no project: {}", String::from_utf8_lossy(&made.stderr));
        let mut dev = Dev::start(above)?;
        dev.serves()?;
        let (file, from, to) = self.edit;
        let path = dev.place().join(file);
        let mut spans = Vec::new();
        for turn in 0..SAVES {
            let (from, to) = if turn % 2 == 0 { (from, to) } else { (to, from) };
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            ensure!(text.contains(from), "{from} is not in {}", path.display());
            std::fs::write(&path, text.replace(from, to)).with_context(|| format!("write {}", path.display()))?;
            spans.push(dev.serves()?.as_secs_f64());
        }
        Ok(Duration::from_secs_f64(median(&spans, |seconds| *seconds)))
    }
}

fn steward(folder: &Path, words: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(build::steward()?);
    command.current_dir(folder).env_remove("STEWARD_URL").args(words);
    Ok(command)
}

/// `steward dev` over a new project. The process ends with this value.
struct Dev {
    child: Child,
    told: BufReader<ChildStdout>,
    above: TempDir,
}

impl Dev {
    fn start(above: TempDir) -> anyhow::Result<Dev> {
        let mut command = steward(&above.path().join("bell"), &["dev", "--port", "0", "--fresh", "-o", "json"])?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("run steward dev")?;
        let told = BufReader::new(child.stdout.take().context("it has an output")?);
        Ok(Dev { child, told, above })
    }

    fn place(&self) -> PathBuf {
        self.above.path().join("bell")
    }

    /// Returns once new code is served, with how long it says that took from the save.
    fn serves(&mut self) -> anyhow::Result<Duration> {
        let mut line = String::new();
        loop {
            line.clear();
            ensure!(self.told.read_line(&mut line)? > 0, "steward dev has ended");
            let told: Value = serde_json::from_str(&line).with_context(|| format!("read {line}"))?;
            if told["type"] == "dev.fails" {
                bail!("the project does not build: {}", told["error"]);
            }
            if told["type"] == "dev.serves" {
                return Ok(Duration::from_millis(told["millis"].as_u64().context("a time")?));
            }
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns how many microseconds a call takes.
fn timed(calls: u32, mut call: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let began = Instant::now();
    for _ in 0..calls {
        call()?;
    }
    Ok(micros_each(began, calls))
}

fn config(cache: &Path) -> Config {
    Config { cache_folder: Some(cache.to_owned()), call_deadline: Duration::from_secs(60), ..Config::default() }
}

/// Lets the guest rename the list so many times; returns how many microseconds a call takes. All of them run on one runtime: to make one
/// costs as much as a call.
fn renamed(calls: u32, module: &Module, state: &[u8], request: &Request) -> anyhow::Result<f64> {
    waited(async {
        let began = Instant::now();
        for _ in 0..calls {
            let outcome = call(module, Occasion::Patch, state, request).await?;
            ensure!(outcome.document.is_some(), "the guest changes nothing");
        }
        Ok(micros_each(began, calls))
    })?
}

fn micros_each(began: Instant, calls: u32) -> f64 {
    began.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

/// Returns the smallest memory with which an instance serves a call.
fn memory(bytes: &[u8], cache: &Path, state: &[u8], request: &Request) -> usize {
    let serves = |pages: usize| {
        let config = Config { memory_bytes_max: pages * PAGE, ..config(cache) };
        let prepared = Sandbox::new(config).ok().and_then(|sandbox| sandbox.prepare(bytes).ok());
        prepared.is_some_and(|module| renamed(1, &module, state, request).is_ok())
    };
    let (mut short, mut enough) = (0, MEMORY_MAX / PAGE);
    while enough - short > 1 {
        let middle = short.midpoint(enough);
        if serves(middle) { enough = middle } else { short = middle }
    }
    enough * PAGE
}

/// Returns a list and the request that renames it, with a state of [`STATE_BYTES`].
fn list() -> anyhow::Result<(String, Request)> {
    let bare = r#"{"title":"","items":[],"nextId":1}"#;
    let title = |letter: &str| letter.repeat(STATE_BYTES - bare.len());
    let state = bare.replacen("\"\"", &format!("\"{}\"", title("a")), 1);
    Ok((state, request_with(format!(r#"{{"kind":"rename","title":"{}"}}"#, title("b")))?))
}

fn row(language: &Language, slowness: f64) -> anyhow::Result<Row> {
    let what = format!("{}: the list of guest-examples/todo, {STATE_BYTES} B of JSON state, one thread", language.name);
    let bytes = match language.module()? {
        Ok(bytes) => bytes,
        Err(missing) => return Ok(Row { what, reached: format!("not here: {missing}"), ..Row::default() }),
    };
    let (state, request) = list()?;
    let cache = tempfile::tempdir().context("make a folder")?;
    let began = Instant::now();
    Sandbox::new(config(cache.path()))?.prepare(&bytes)?;
    let compiled = began.elapsed();
    let began = Instant::now();
    let module = Sandbox::new(config(cache.path()))?.prepare(&bytes)?;
    let loaded = began.elapsed();
    let once = Config { calls_per_instance_max: 1, ..config(cache.path()) };
    let single = Sandbox::new(once)?.prepare(&bytes)?;
    // The first ones find nothing in any cache.
    renamed(WARM_CALLS / 10, &module, state.as_bytes(), &request)?;
    let warm = || renamed(WARM_CALLS, &module, state.as_bytes(), &request);
    let cold = || renamed(COLD_CALLS, &single, state.as_bytes(), &request);
    let mut bare = match language.made {
        Made::Guest | Made::Project => Bare::new(&bytes, state.clone(), &request).ok(),
        Made::Script => None,
    };
    let (micros, theirs) = in_turns(ROUNDS, warm, || match &mut bare {
        Some(bare) => timed(WARM_CALLS, || bare.call()).map(Some),
        None => Ok(None),
    })?;
    let micros = median(&micros, |micros| *micros);
    let theirs: Vec<f64> = theirs.into_iter().flatten().collect();
    let theirs = (!theirs.is_empty()).then(|| median(&theirs, |micros| *micros));
    let cold = (0..ROUNDS).map(|_| cold()).collect::<anyhow::Result<Vec<f64>>>()?;
    let cold = median(&cold, |micros| *micros);
    let (lines, saved) = (language.lines()?, language.saved()?);
    let memory = memory(&bytes, cache.path(), state.as_bytes(), &request);
    let of_bare = theirs.filter(|_| language.name == "rust").map(|theirs| theirs + RUST_MORE_MICROS * slowness);
    let most = language.micros_max.map(|most| most * slowness).or(of_bare);
    Ok(Row {
        what,
        reached: format!(
            "{micros:.1} µs a call, {cold:.0} µs with a new instance, {} KiB of memory an instance; module of {} KB, compiled in {:.0} ms, \
             loaded in {:.0} ms; counter of {lines} lines; served {:.2} s after a save",
            memory >> 10,
            bytes.len() / 1000,
            compiled.as_secs_f64() * 1e3,
            loaded.as_secs_f64() * 1e3,
            saved.as_secs_f64()
        ),
        baseline: theirs
            .map_or("not to be called bare".to_owned(), |theirs| format!("{theirs:.1} µs bare through wasmtime")),
        ratio: theirs.map_or(String::new(), |theirs| format!("{:.2} ×", micros / theirs)),
        wanted: format!(
            "{}≤ {} lines, ≤ {:?} from save to served",
            most.map_or(String::new(), |most| format!("≤ {most:.1} µs, ")),
            language.lines_max,
            language.served_max
        ),
        met: Some(
            most.is_none_or(|most| micros <= most) && lines <= language.lines_max && saved <= language.served_max,
        ),
        ..Row::default()
    })
}

/// Measures each language.
///
/// # Errors
/// If a service is refused, or a project does not build.
pub(crate) fn measure(_: &Wish) -> anyhow::Result<Vec<Row>> {
    let slowness = guest::bare_micros()? / BARE_MICROS;
    eprintln!("guests: a bare call takes {slowness:.1} times as long as where the runtimes were compared");
    LANGUAGES
        .iter()
        .map(|language| {
            eprintln!("guests: {}", language.name);
            row(language, slowness).with_context(|| format!("measure {}", language.name))
        })
        .collect()
}
