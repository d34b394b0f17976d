//! What the system knows about this process, under the names that all programs use for it.
//!
//! Source: the default collectors of Prometheus' client libraries.

use std::fmt::Write as _;

use crate::clock;

/// Appends what is known about this process; nothing where the system does not tell.
pub(super) fn describe(text: &mut String) {
    let seconds = clock::processor_time().as_secs_f64();
    write(text, "process_cpu_seconds_total", "counter", "Processor time of the process", seconds);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    if let Some(kibibytes) = number("VmRSS") {
        let bytes = kibibytes * 1024.0;
        write(text, "process_resident_memory_bytes", "gauge", "Memory of the process that is in use", bytes);
    }
    if let Some(threads) = number("Threads") {
        write(text, "process_threads", "gauge", "Threads of the process", threads);
    }
}

/// Appends one metric without labels, in the text format of Prometheus.
pub(super) fn write(text: &mut String, name: &str, kind: &str, help: &str, value: f64) {
    // Writing into a text does not fail.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_processor_and_memory() {
        let mut text = String::new();
        describe(&mut text);
        let value = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).expect("it is told");
            line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).expect("a number")
        };
        assert!(value("process_resident_memory_bytes ") > 100_000.0, "{text}");
        assert!(value("process_cpu_seconds_total ") >= 0.0 && value("process_threads ") >= 1.0, "{text}");
    }
}
