//! Numbers that people and programs write with digits alone.

/// Returns the number that digits alone write; none for signs, spaces and nothing, which others who read the same bytes take in other ways,
/// and for what is beyond 64 bits.
pub fn digits(text: &str) -> Option<u64> {
    are_digits(text).then(|| text.parse().ok()).flatten()
}

/// Returns true if a text is of digits alone, and has some.
pub fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
