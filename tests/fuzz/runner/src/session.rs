//! Runs of the engine.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};

use crate::Target;

/// Names the target in the environment of the engine.
const TARGET_VARIABLE: &str = "STEWARD_FUZZ_TARGET";

/// Longest time for one input: the slowest of ours takes milliseconds, and machines of others are busy.
const INPUT_SECONDS_MAX: u32 = 10;

/// Most memory of an engine.
const MEMORY_MIB_MAX: u32 = 2048;

/// Lines of the engine's log that are shown when a promise broke.
const LINES_SHOWN: usize = 40;

/// Runs libFuzzer on one target with arguments of the caller's choice.
pub(crate) fn foreground(engine: &Path, target: &Target, arguments: &[String]) -> Result<ExitCode> {
    let status = Command::new(engine).args(arguments).env(TARGET_VARIABLE, &target.name).status();
    let status = status.with_context(|| format!("run {}", engine.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs each target for `seconds`, as many at once as there are processors, and says how far each came.
pub(crate) fn run_all(engine: &Path, targets: &[Target], seconds: u64, seed: Option<u64>) -> Result<ExitCode> {
    let waiting = Mutex::new(targets.iter().collect::<VecDeque<_>>());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        let mut sound = true;
        while let Some(target) = next() {
            sound &= match run(engine, target, seconds, seed) {
                Ok(line) => {
                    println!("fuzz: {:16} {line}", target.name);
                    true
                }
                Err(error) => {
                    println!("fuzz: {:16} FAILED: {error:#}", target.name);
                    false
                }
            };
        }
        sound
    };
    let at_once = thread::available_parallelism().map_or(1, usize::from).min(targets.len());
    let sound = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        let ended: Vec<bool> = workers.into_iter().map(|worker| worker.join().unwrap_or(false)).collect();
        ended.into_iter().all(|sound| sound)
    });
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one target and returns what it did, in words.
fn run(engine: &Path, target: &Target, seconds: u64, seed: Option<u64>) -> Result<String> {
    let folder = found(engine)?.join(&target.name);
    let (grown, log) = (folder.join("grown"), folder.join("log"));
    fs::create_dir_all(&grown).with_context(|| format!("make {}", grown.display()))?;
    let file = File::create(&log).with_context(|| format!("write {}", log.display()))?;
    let status = Command::new(engine)
        .arg(format!("-max_total_time={seconds}"))
        .args(seed.map(|seed| format!("-seed={seed}")))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .arg("-print_final_stats=1")
        .args([&grown, &target.kept])
        .env(TARGET_VARIABLE, &target.name)
        .stdout(file.try_clone().context("share the log")?)
        .stderr(file)
        .status()
        .with_context(|| format!("run {}", engine.display()))?;
    let said = fs::read(&log).with_context(|| format!("read {}", log.display()))?;
    let said = String::from_utf8_lossy(&said);
    ensure!(status.success(), "{status}\n{}\n(all of it: {})", tail(&said), log.display());
    Ok(summary(&said))
}

/// Returns the folder of what runs find, beside the profile that the engine was built in.
fn found(engine: &Path) -> Result<PathBuf> {
    let target = engine.ancestors().nth(2).context("find the folder of build output")?;
    Ok(target.join("fuzz"))
}

fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
}

/// Returns executions, edges and inputs out of what libFuzzer says at the end.
fn summary(said: &str) -> String {
    let after = |word: &str| {
        let rest = said.rsplit_once(word).map_or("", |(_, rest)| rest);
        rest.split_whitespace().next().unwrap_or("?").to_owned()
    };
    format!(
        "{:>10} executions, {:>7} per second, {:>6} edges, {:>5} inputs",
        after("stat::number_of_executed_units:"),
        after("stat::average_exec_per_sec:"),
        after(" cov: "),
        after(" corp: ").split('/').next().unwrap_or("?")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_run_is_told_in_one_line() {
        let said = "#4\tINITED cov: 7 ft: 9 corp: 2/3b exec/s: 0 rss: 40Mb\n#99\tDONE   cov: 12 ft: 20 corp: 5/40b lim: 4\n\
                    stat::number_of_executed_units: 99\nstat::average_exec_per_sec:     33\n";
        let words: Vec<String> = summary(said).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words.join(" "), "99 executions, 33 per second, 12 edges, 5 inputs");
        assert!(summary("nothing").contains("? executions"));
    }
}
