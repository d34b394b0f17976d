//! Rust source, split into its code and its comments.
//!
//! A scanner, not a parser: it knows strings, raw strings, characters, lifetimes and nested comments, and so never
//! takes a brace in a string for a block. Both halves keep every line break of the original:
//!
//! ```text
//! original   let a = "{"; // why        code   let a = " "; ......        comments   ............ // why
//! ```

/// Code and comments of one Rust file, each with everything else replaced by spaces.
pub(crate) struct Source {
    /// The code: texts of strings and characters are blank, their quotes stay.
    pub(crate) code: String,
    /// The code without modules and functions that exist for tests only.
    pub(crate) product: String,
    /// The comments, with their slashes and stars.
    pub(crate) comments: String,
}

impl Source {
    /// Takes `text` apart.
    pub(crate) fn of(text: &str) -> Source {
        let mut scanner = Scanner { text, at: 0, code: String::new(), comments: String::new() };
        scanner.run();
        let product = without_tests(&scanner.code);
        Source { code: scanner.code, product, comments: scanner.comments }
    }

    /// Returns true if the whole file is compiled for tests only.
    pub(crate) fn is_test_only(&self) -> bool {
        self.code.contains("#![cfg(test)]")
    }

    /// Returns the names of the modules in other files that this file declares for tests only.
    pub(crate) fn test_modules(&self) -> Vec<&str> {
        self.code
            .match_indices(TEST_ATTRIBUTE)
            .filter_map(|(at, attribute)| {
                let item = &self.code[at + attribute.len()..];
                let end = item.find([';', '{'])?;
                let (_, name) = item[..end].split_once("mod ")?;
                (item[end..].starts_with(';')).then(|| name.trim())
            })
            .collect()
    }
}

/// Marks an item that is compiled for tests only.
const TEST_ATTRIBUTE: &str = "#[cfg(test)]";

/// Returns the line of the byte `at` in `text`, from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Returns the places of `word` in `text` where it is no part of a longer identifier.
pub(crate) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_identifier) && !after.is_some_and(is_identifier)
    })
}

/// Returns the identifier at the beginning of `text`, which may be empty.
pub(crate) fn identifier(text: &str) -> &str {
    &text[..text.find(|c: char| !is_identifier(c)).unwrap_or(text.len())]
}

fn is_identifier(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns the end of the block that the brace at `open` begins, its closing brace included.
pub(crate) fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    code.len()
}

/// Returns `code` with every item under `#[cfg(test)]` blank.
fn without_tests(code: &str) -> String {
    let mut product = code.to_owned();
    for (at, _) in code.match_indices(TEST_ATTRIBUTE) {
        let Some(first) = code[at..].find(['{', ';']).map(|offset| at + offset) else { continue };
        let end = if code[first..].starts_with('{') { block_end(code, first) } else { first + 1 };
        product.replace_range(at..end, &blank(&code[at..end]));
    }
    product
}

/// Returns spaces and line breaks instead of `text`, byte for byte.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    code: String,
    comments: String,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) {
        while let Some(next) = self.rest().chars().next() {
            let rest = self.rest();
            if rest.starts_with("//") {
                self.comment(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.comment(nested_comment(rest));
            } else if let Some((quote, hashes)) = self.raw_string() {
                let close = format!("\"{}", "#".repeat(hashes));
                let body = rest[quote + 1..].find(&close).map_or(rest.len(), |end| quote + 1 + end + close.len());
                self.literal(body);
            } else if next == '"' {
                self.literal(quoted(rest, b'"'));
            } else if next == '\'' && is_character(rest) {
                self.literal(quoted(rest, b'\''));
            } else {
                let length = next.len_utf8();
                self.code.push_str(&rest[..length]);
                self.comments.push_str(&blank(&rest[..length]));
                self.at += length;
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Returns the distance to the opening quote and the number of hashes if a raw string begins here.
    fn raw_string(&self) -> Option<(usize, usize)> {
        if self.text[..self.at].chars().next_back().is_some_and(is_identifier) {
            return None;
        }
        let rest = self.rest();
        let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
            rest.strip_prefix(prefix).is_some_and(|after| after.trim_start_matches('#').starts_with('"'))
        })?;
        let quote = rest.find('"')?;
        Some((quote, quote - prefix.len()))
    }

    fn comment(&mut self, length: usize) {
        let text = &self.text[self.at..self.at + length];
        self.comments.push_str(text);
        self.code.push_str(&blank(text));
        self.at += length;
    }

    /// Takes a string or character: its first and last byte stay in the code, so that words do not run together.
    fn literal(&mut self, length: usize) {
        let text = &self.text[self.at..self.at + length];
        self.comments.push_str(&blank(text));
        let inner = blank(text);
        self.code.push('"');
        self.code.push_str(&inner[1..length.max(2) - 1]);
        self.code.push_str(if length > 1 { "\"" } else { "" });
        self.at += length;
    }
}

/// Returns the length of the comment that `text` begins with, comments in it included.
fn nested_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Returns the length of the literal that `text` begins with; a backslash protects the byte after it.
fn quoted(text: &str, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Returns true if the quote at the beginning of `text` opens a character, not a lifetime.
fn is_character(text: &str) -> bool {
    let mut after = text.chars().skip(1);
    match (after.next(), after.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => true,
        (Some(_) | None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::of(text).code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn braces_in_literals_and_comments_are_no_code() {
        assert_eq!(code(r#"a("{ \" {", '{', '\'', b'{') // {"#), r#"a(" ", " ", " ", b" ")"#);
        assert_eq!(code("r#\"{ \" {\"# + br\"{\" /* { /* { */ { */ + b"), "\" \" + \" \" + b");
    }

    #[test]
    fn lifetimes_and_raw_identifiers_are_code() {
        assert_eq!(code("fn f<'a>(x: &'a str, r#type: T) {}"), "fn f<'a>(x: &'a str, r#type: T) {}");
    }

    #[test]
    fn both_halves_keep_their_lines_and_lengths() {
        let text = "let ä = \"ü\n\"; // ö\n/* a\nb */ 'é'\n";
        let source = Source::of(text);
        assert_eq!(source.comments.matches('\n').count(), 4);
        assert_eq!(source.code.matches('\n').count(), 4);
        assert_eq!(source.code.len(), text.len());
        assert_eq!(source.comments.len(), text.len());
        assert!(source.comments.contains("// ö") && source.comments.contains("/* a\nb */"));
    }

    #[test]
    fn product_has_no_test_code() {
        let source =
            Source::of("fn a() {}\n#[cfg(test)]\nmod tests { fn b() { {} } }\nfn c() {}\n#[cfg(test)]\nuse d::e;");
        assert!(source.product.contains("fn a") && source.product.contains("fn c"));
        assert!(!source.product.contains("fn b") && !source.product.contains("d::e"));
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(words("rand operand rand_core rand::x", "rand").collect::<Vec<_>>(), [0, 23]);
    }
}
