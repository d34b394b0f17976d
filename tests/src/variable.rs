//! What whoever runs tests asks of them by variables.

/// Returns the number that a variable of the environment says; `default` if it says none.
pub fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
