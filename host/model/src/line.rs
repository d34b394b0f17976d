//! Texts of strangers in the lines of a log.

/// Returns the text in one line: what others say must not pass for lines of the host's own. Every run of control characters, and of
/// spaces around it, becomes one space.
pub fn one_line(text: &str) -> String {
    let parts = text.split(char::is_control).map(str::trim).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_is_left() {
        assert_eq!(one_line("a\r\n  b\u{1b}[31m\tc\n"), "a b [31m c");
        assert_eq!(one_line("  plain text "), "plain text");
        assert_eq!(one_line("\n\n"), "");
    }
}
