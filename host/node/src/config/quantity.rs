//! Sizes and durations as people write them: `64MiB`, `250ms`, `1h30m`.

use std::time::Duration;

/// Units of a size, longest names first, so that `KiB` is not read as `B`.
const UNITS: [(&str, u64); 7] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("b", 1),
];

/// Parses a number of bytes: digits and one of `B KiB MiB GiB kB MB GB` in any case; digits alone are bytes.
///
/// # Errors
/// A sentence that says what would be right.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let (digits, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((lower.strip_suffix(unit)?.trim_end(), *factor)))
        .unwrap_or((lower.as_str(), 1));
    let refused = || "is not a size: write bytes, or 64KiB, 1MiB, 2GiB".to_owned();
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(refused)
}

/// Returns a size as people read it, with at most one decimal: `184 KiB`.
pub fn show_size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = units[0];
    for larger in &units[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// Parses a span: a number with `ms`, `s`, `m` or `h`, also several of them (`1h30m`).
///
/// # Errors
/// A sentence that says what would be right; also for spans below zero.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused = || "is not a duration: write 250ms, 10s, 9m or 1h30m".to_owned();
    let span: jiff::SignedDuration = text.trim().parse().map_err(|_| refused())?;
    Duration::try_from(span).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        for (text, bytes) in [("0", 0), ("17", 17), ("5B", 5), ("1MiB", 1 << 20), ("64 kib", 65536), ("2MB", 2_000_000)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn sizes_that_are_none_are_refused() {
        for text in ["", "MiB", "1.5MiB", "-1", "99999999999GiB", "1TB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        for (bytes, text) in [(12, "12 B"), (184 << 10, "184 KiB"), (1_289_748, "1.2 MiB"), (3 << 30, "3.0 GiB")] {
            assert_eq!(show_size(bytes), text);
        }
    }

    #[test]
    fn durations_name_their_unit() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5400)));
        for text in ["", "10", "-1s", "soon"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
