//! The table of results, in Markdown.

use std::fmt::Write as _;

/// How long the answers of one side took, and what they cost it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Milliseconds to an answer at the median, at 99 of 100, and at 999 of 1,000.
    pub(crate) millis: [f64; 3],
    /// Processor time of the whole process per answer, in microseconds.
    pub(crate) cpu_micros: f64,
}

/// One result beside what it is measured against.
#[derive(Debug, Clone, Default)]
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
    /// Latencies and processor time of the host, where it answers requests.
    pub(crate) ours: Option<Figures>,
    /// Those of the baseline, where it answers the same requests.
    pub(crate) theirs: Option<Figures>,
}

/// Returns one figure of both sides: the host's, and in parentheses the baseline's.
fn cell(row: &Row, figure: impl Fn(&Figures) -> f64, decimals: usize) -> String {
    let shown = |figures: &Figures| format!("{:.decimals$}", figure(figures));
    match (row.ours.as_ref().map(shown), row.theirs.as_ref().map(shown)) {
        (Some(ours), Some(theirs)) => format!("{ours} ({theirs})"),
        (Some(ours), None) => ours,
        (None, _) => String::new(),
    }
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
    let mut text = format!(
        "{}. Load generator and host share the cores. Release build. In parentheses: the baseline. Processor time is that of \
         the whole process of a server.\n\n",
        machine()
    );
    text.push_str("| what | reached | baseline | p50 ms | p99 ms | p99.9 ms | processor µs | ratio | wanted | |\n");
    text.push_str("|---|---|---|---|---|---|---|---|---|---|\n");
    for row in rows {
        let met = row.met.map_or("", |met| if met { "met" } else { "**short**" });
        let [p50, p99, p999] = [0, 1, 2].map(|place| cell(row, |figures| figures.millis[place], 2));
        let cpu = cell(row, |figures| figures.cpu_micros, 0);
        let Row { what, reached, baseline, ratio, wanted, .. } = row;
        let _ = writeln!(
            text,
            "| {what} | {reached} | {baseline} | {p50} | {p99} | {p999} | {cpu} | {ratio} | {wanted} | {met} |"
        );
    }
    text
}
