//! Texts from outside that go into a log: one text must stay one line.

/// Returns `text` as one line: every run of control characters, with the spaces around it, becomes one space.
///
/// A guest or a client chooses such a text; a line break in it would pass for a new line of the host's own log.
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
