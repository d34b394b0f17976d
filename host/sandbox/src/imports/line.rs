//! How long a log line of a guest may be, and where longer ones are cut.

/// Longest message, and longest text of fields, in bytes; the rest is cut off.
pub(crate) const LINE_BYTES_MAX: usize = 8 << 10;

/// Returns the first `bytes_max` bytes of `text`, or a little less so that no character is cut in two.
pub(crate) fn head(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(head("aäb", 2), "a");
        assert_eq!(head("aäb", 3), "aä");
        assert_eq!(head("aäb", 30), "aäb");
    }
}
