//! Texts from outside on their way to a log or a terminal: they are read, and move nothing.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns true if a terminal does something with the character besides showing it: controls of ASCII and of ISO 6429, separators of
/// lines, and what turns the direction of the text around it (source: Unicode TR 9, section 2).
pub fn commands(character: char) -> bool {
    let turns =
        matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || turns || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Returns `text` as one line: every run of characters that are no text, with the spaces around it, becomes one space.
///
/// A guest or a client chooses such a text; a line break in it would pass for a new line of the host's own log.
pub fn one_line(text: &str) -> String {
    let parts = text.split(commands).map(str::trim).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ")
}

/// Returns `text` for a terminal: characters that are no text are written as JSON writes them, `\u001b`; lines and tabulators stay.
pub fn shown(text: &str) -> Cow<'_, str> {
    written(text, |character| commands(character) && !matches!(character, '\n' | '\t'))
}

/// Returns `text` for a log, whose lines are records: as [`shown`], with `\u000a` for each line break, and so for tabulators.
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    written(text, commands)
}

fn written(text: &str, is_written: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_written) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match is_written(character) {
            // Memory does not refuse; all of these have four digits.
            true => drop(write!(shown, "\\u{:04x}", u32::from(character))),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_is_left() {
        assert_eq!(one_line("a\r\n  b\u{1b}[31m\tc\n"), "a b [31m c");
        assert_eq!(one_line("a\u{2028}b\u{202e}c\u{9b}d"), "a b c d");
        assert_eq!(one_line("  plain text "), "plain text");
        assert_eq!(one_line("\n\n"), "");
    }

    #[test]
    fn a_terminal_is_shown_what_would_command_it() {
        assert_eq!(shown("two\nlines\tand ä"), "two\nlines\tand ä");
        assert_eq!(shown("\u{1b}[31m\u{7}\u{9b}31m\r\u{202e}x"), "\\u001b[31m\\u0007\\u009b31m\\u000d\\u202ex");
    }

    #[test]
    fn a_record_of_a_log_is_one_line() {
        assert_eq!(on_one_line("one line, ä"), "one line, ä");
        assert_eq!(on_one_line("a\r\nb\tc\u{1b}[31m\u{2028}d"), "a\\u000d\\u000ab\\u0009c\\u001b[31m\\u2028d");
    }
}
