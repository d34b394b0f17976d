//! What a process takes of the machine, as Linux counts it.

use std::time::Duration;

use anyhow::Context;

/// Ticks per second in `/proc/<pid>/stat`: the same on every machine on which Linux runs here.
const TICKS_PER_SECOND: u64 = 100;

/// Returns the processor time of a process since it began, in steps of 10 ms.
///
/// # Errors
/// If the process is gone.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // The name of the program stands in parentheses and may hold anything; the numbers follow it.
    let (_, numbers) = text.rsplit_once(')').with_context(|| format!("{path} names the program"))?;
    let ticks: u64 = numbers.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// Returns how many bytes of memory a process holds.
///
/// # Errors
/// If the process is gone.
pub(crate) fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.with_context(|| format!("{path} tells the resident set"))? << 10)
}

/// Bytes of a sector in `/proc/diskstats`, whatever those of the disk are.
const SECTOR_BYTES: u64 = 512;

/// Returns how many bytes were written to a device since the system started.
///
/// # Errors
/// If the system does not count for it.
pub(crate) fn device_bytes(name: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/diskstats").context("read /proc/diskstats")?;
    let line =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|words| words.get(2) == Some(&name));
    let sectors = line.and_then(|words| words.get(9)?.parse::<u64>().ok());
    Ok(sectors.with_context(|| format!("/proc/diskstats counts for {name}"))? * SECTOR_BYTES)
}
