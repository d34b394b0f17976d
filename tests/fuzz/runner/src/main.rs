//! `cargo fuzz-all`: builds the fuzz engine and runs targets over what is kept, a minute each.
//!
//! Problem: coverage-guided fuzzing usually asks for a nightly compiler and a tool to install, so it runs where somebody
//! remembers it. Promise: this needs the pinned compiler, cargo, and a compiler of C++; where the last is missing it says so
//! and passes over. The dependencies stay as the tests have compiled them; only the workspace is compiled again, so that a
//! fuzzer can watch it.
//!
//! ```text
//!  build       the engine, with this program between cargo and rustc ── instrument   flags of coverage
//!  session     one run of the engine per target, as many at once as there are processors
//! ```
//!
//! What a run finds stays below `target/fuzz/<target>/`: `grown/` are inputs that reached new code, `crash-…`, `timeout-…` and
//! `oom-…` those that broke the promise, `log` what the engine said. How to go on from there is in
//! `host/docs/contributing.md`. Left out: sanitizers, which need another compiler, and which safe code needs least.

mod build;
mod instrument;
mod session;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "runs fuzz targets over their kept inputs and whatever grows out of them

usage: cargo fuzz-all [TARGET …] [--seconds N] [--seed N]     each for N seconds, or STEWARD_FUZZ_SECONDS, or 60;
                                                          the same seed makes the same run
       cargo fuzz-all TARGET -- ARGUMENT …                    one in the foreground, with arguments for libFuzzer";

/// What to run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Arguments {
    /// Targets by name; all if there is none.
    targets: Vec<String>,
    /// How long each runs, in seconds.
    seconds: u64,
    /// What chance begins with; none: another one each time.
    seed: Option<u64>,
    /// Arguments for libFuzzer itself.
    engine: Vec<String>,
}

impl Arguments {
    fn parse(given: impl IntoIterator<Item = String>, seconds: Option<String>) -> Result<Arguments> {
        let number = |text: String| text.parse::<u64>().with_context(|| format!("{text:?} is no number"));
        let seconds = seconds.map_or(Ok(60), number)?;
        let mut arguments = Arguments { seconds, ..Arguments::default() };
        let mut given = given.into_iter();
        while let Some(argument) = given.next() {
            match argument.as_str() {
                "--" => arguments.engine.extend(given.by_ref()),
                "--seconds" => arguments.seconds = number(given.next().unwrap_or_default())?,
                "--seed" => arguments.seed = Some(number(given.next().unwrap_or_default())?),
                option if option.starts_with('-') => bail!("there is no option {option}\n\n{USAGE}"),
                _ => arguments.targets.push(argument),
            }
        }
        Ok(arguments)
    }
}

fn main() -> ExitCode {
    if instrument::is_asked() {
        return instrument::compile();
    }
    let given: Vec<String> = env::args().skip(1).collect();
    if given.iter().take_while(|argument| *argument != "--").any(|argument| argument == "-h" || argument == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse(given, env::var("STEWARD_FUZZ_SECONDS").ok());
    match arguments.and_then(|arguments| fuzz(&arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fuzz(arguments: &Arguments) -> Result<ExitCode> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).context("find the repository")?;
    let targets = chosen(&repository.join("tests/fuzz/corpus"), &arguments.targets)?;
    if let Err(missing) = build::compiler() {
        println!("fuzz: passed over, {missing}");
        return Ok(ExitCode::SUCCESS);
    }
    let engine = build::engine(repository)?;
    if arguments.engine.is_empty() {
        return session::run_all(&engine, &targets, arguments.seconds, arguments.seed);
    }
    match targets.as_slice() {
        [target] => session::foreground(&engine, target, &arguments.engine),
        _ => bail!("name one target before the arguments for libFuzzer"),
    }
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    name: String,
    /// The folder of its kept inputs.
    kept: PathBuf,
}

/// Returns the targets called `names`, or all: each has a folder in the corpus.
fn chosen(corpus: &Path, names: &[String]) -> Result<Vec<Target>> {
    let mut known = Vec::new();
    for entry in std::fs::read_dir(corpus).with_context(|| format!("read {}", corpus.display()))? {
        let kept = entry.context("read the corpus")?.path();
        let name = kept.file_name().unwrap_or_default().to_string_lossy().into_owned();
        known.push(Target { name, kept });
    }
    known.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(stranger) = names.iter().find(|name| known.iter().all(|target| target.name != **name)) {
        let known: Vec<&str> = known.iter().map(|target| target.name.as_str()).collect();
        bail!("{stranger} is no target: there are {}", known.join(", "));
    }
    known.retain(|target| names.is_empty() || names.contains(&target.name));
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(given: &[&str], seconds: Option<&str>) -> Result<Arguments> {
        Arguments::parse(given.iter().map(|argument| (*argument).to_owned()), seconds.map(str::to_owned))
    }

    #[test]
    fn arguments_are_targets_seconds_and_what_is_for_the_engine() {
        let expected = Arguments { seconds: 60, ..Arguments::default() };
        assert_eq!(parsed(&[], None).expect("arguments"), expected);
        let given = ["frames", "--seconds", "5", "--seed", "1", "--", "-runs=1", "--seconds"];
        let expected = Arguments {
            targets: vec!["frames".to_owned()],
            seconds: 5,
            seed: Some(1),
            engine: vec!["-runs=1".to_owned(), "--seconds".to_owned()],
        };
        assert_eq!(parsed(&given, Some("7")).expect("arguments"), expected);
        assert_eq!(parsed(&["--seconds"], None).expect_err("refused").to_string(), "\"\" is no number");
        assert!(parsed(&["--second", "5"], None).is_err());
    }

    #[test]
    fn each_folder_of_the_corpus_is_a_target() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
        let all = chosen(&corpus, &[]).expect("the corpus");
        assert!(all.len() > 1 && all.iter().all(|target| target.kept.is_dir()), "{all:?}");
        let one = chosen(&corpus, &["frames".to_owned()]).expect("a target");
        assert_eq!(one.iter().map(|target| target.name.as_str()).collect::<Vec<_>>(), ["frames"]);
        assert!(chosen(&corpus, &["frame".to_owned()]).expect_err("refused").to_string().contains("frames"));
    }
}
