//! The table of results, in Markdown.

use std::fmt::Write as _;

/// One result beside what it is measured against.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What was measured, with payload, concurrency and fsync.
    pub(crate) what: String,
    /// What the host reached.
    pub(crate) reached: String,
    /// What the baseline reached in the same run.
    pub(crate) baseline: String,
    /// How the two relate.
    pub(crate) ratio: String,
    /// What is wanted; empty if nothing is.
    pub(crate) wanted: String,
    /// Whether it is reached, if something is wanted.
    pub(crate) met: Option<bool>,
}

/// Returns what machine this is.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(':').nth(1));
    let memory = read("/proc/meminfo");
    let kib = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    let cpu = cpu.unwrap_or("unknown processor").trim().to_owned();
    format!("{cores} cores ({cpu}), {} GiB, Linux {}", kib >> 20, kernel.trim())
}

/// Returns a number with a comma after each three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns the table as text.
pub(crate) fn render(rows: &[Row]) -> String {
    let mut text = format!("{}. Load generator and host share the cores. Release build.\n\n", machine());
    text.push_str("| what | reached | baseline | ratio | wanted | |\n|---|---|---|---|---|---|\n");
    for row in rows {
        let met = row.met.map_or("", |met| if met { "met" } else { "**short**" });
        let Row { what, reached, baseline, ratio, wanted, .. } = row;
        let _ = writeln!(text, "| {what} | {reached} | {baseline} | {ratio} | {wanted} | {met} |");
    }
    text
}
