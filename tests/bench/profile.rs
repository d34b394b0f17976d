//! A profile of a host under load, by `perf` of linux-perf: which functions its processor time goes to.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

/// Samples per second and core; not a multiple of what timers use.
const SAMPLES_PER_SECOND: &str = "997";

/// Functions with less of the time are not listed.
const PERCENT_MIN: &str = "0.3";

/// Runs `load`, which has to last for `span`, under a profiler of the process `pid`, and writes the functions in the order of
/// their own time to `<name>.txt` in `folder`. Without a folder nothing is run.
///
/// # Errors
/// If `perf` is missing or fails, and those of `load`.
pub(crate) fn beside(
    folder: Option<&Path>,
    name: &str,
    pid: u32,
    span: Duration,
    load: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let samples = folder.join(format!("{name}.data"));
    let text = folder.join(format!("{name}.txt"));
    let mut record = Command::new("perf");
    record.args(["record", "--quiet", "-F", SAMPLES_PER_SECOND, "-p", &pid.to_string(), "-o"]).arg(&samples);
    record.args(["--", "sleep", &span.as_secs_f64().to_string()]).stdout(Stdio::null());
    let mut recorder = record.spawn().context("start perf, which is in the package linux-perf")?;
    let loaded = load();
    ensure!(recorder.wait()?.success(), "perf record failed");
    loaded?;
    let mut report = Command::new("perf");
    report.args(["report", "--stdio", "--no-children", "--percent-limit", PERCENT_MIN]);
    report.args(["--sort", "dso,symbol", "-i"]).arg(&samples);
    let told = report.stdout(File::create(&text)?).stderr(Stdio::null()).status()?;
    ensure!(told.success(), "perf report failed");
    eprintln!("{name}: profile in {}", text.display());
    Ok(())
}
