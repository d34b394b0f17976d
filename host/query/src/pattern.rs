//! Wildcard patterns: `*` for any run of characters, `?` for one; a backslash takes the meaning away.

/// A pattern that is neither a plain text nor a plain prefix; see [`Shape`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Character(char),
    One,
    Run,
}

/// What a text with wildcards turns out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// No wildcard: equality.
    Text(String),
    /// One `*` at the end: texts that begin so.
    Prefix(String),
    /// Anything else.
    Pattern(Pattern),
}

/// Reads a text with wildcards.
pub fn read(text: &str) -> Shape {
    let mut pieces = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let piece = match character {
            '*' => Piece::Run,
            '?' => Piece::One,
            '\\' => Piece::Character(characters.next_if(|next| is_special(*next)).unwrap_or('\\')),
            plain => Piece::Character(plain),
        };
        if piece != Piece::Run || pieces.last() != Some(&Piece::Run) {
            pieces.push(piece);
        }
    }
    let wild = pieces.iter().position(|piece| !matches!(piece, Piece::Character(_)));
    match wild {
        None => Shape::Text(literal(&pieces)),
        Some(place) if place + 1 == pieces.len() && pieces[place] == Piece::Run => {
            Shape::Prefix(literal(&pieces[..place]))
        }
        Some(_) => Shape::Pattern(Pattern { pieces }),
    }
}

/// Returns true if the text has a `*` that no backslash takes the meaning from.
pub fn has_run(text: &str) -> bool {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => return true,
            '\\' => {
                let mut ahead = characters.clone();
                if ahead.next().is_some_and(is_special) {
                    characters = ahead;
                }
            }
            _ => {}
        }
    }
    false
}

/// Returns the text without its backslashes before `*`, `?` and backslash.
pub fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.push(characters.next_if(|next| is_special(*next)).unwrap_or('\\')),
            other => plain.push(other),
        }
    }
    plain
}

/// Returns a text that [`unescape`] turns into `text` and that has no wildcard.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_special(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

impl Pattern {
    /// Returns the characters before the first wildcard.
    pub fn prefix(&self) -> String {
        literal(&self.pieces)
    }

    /// Returns true if the whole of `text` fits.
    ///
    /// Takes time proportional to the product of the two lengths at the worst.
    pub fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut at = 0;
        // Where to go on after the last run, should it have taken too little.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let fits = match self.pieces.get(at) {
                Some(Piece::Run) => {
                    at += 1;
                    retry = Some((at, rest.clone()));
                    continue;
                }
                Some(Piece::One) => rest.next().is_some(),
                Some(Piece::Character(wanted)) => rest.next() == Some(*wanted),
                None if rest.as_str().is_empty() => return true,
                None => false,
            };
            if fits {
                at += 1;
                continue;
            }
            let Some((after, from)) = &mut retry else {
                return false;
            };
            if from.next().is_none() {
                return false;
            }
            at = *after;
            rest = from.clone();
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Run => f.write_str("*")?,
                Piece::One => f.write_str("?")?,
                Piece::Character(character) if is_special(*character) => write!(f, "\\{character}")?,
                Piece::Character(character) => write!(f, "{character}")?,
            }
        }
        Ok(())
    }
}

fn is_special(character: char) -> bool {
    matches!(character, '*' | '?' | '\\')
}

/// Returns the characters up to the first wildcard.
fn literal(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map_while(|piece| match piece {
            Piece::Character(character) => Some(*character),
            Piece::One | Piece::Run => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        match read(text) {
            Shape::Pattern(pattern) => pattern,
            other => panic!("{text} is no pattern but {other:?}"),
        }
    }

    #[test]
    fn plain_texts_and_prefixes_are_told_from_patterns() {
        assert_eq!(read("abc"), Shape::Text("abc".into()));
        assert_eq!(read(r"a\*c"), Shape::Text("a*c".into()));
        assert_eq!(read("abc**"), Shape::Prefix("abc".into()));
        assert_eq!(read("*"), Shape::Prefix(String::new()));
        assert_eq!(pattern("ab?c*d").prefix(), "ab");
    }

    #[test]
    fn runs_take_as_much_as_is_needed() {
        for (text, yes, no) in [
            ("*a*b", &["ab", "xaxb", "aabb", "abab"][..], &["", "a", "ba", "abx"][..]),
            ("a?c", &["abc", "aéc"], &["ac", "abbc"]),
            ("?*", &["x", "xyz"], &[""]),
            (r"*\**", &["a*b", "*"], &["ab"]),
        ] {
            let pattern = pattern(text);
            assert!(yes.iter().all(|good| pattern.matches(good)), "{text}");
            assert!(!no.iter().any(|bad| pattern.matches(bad)), "{text}");
        }
    }

    #[test]
    fn a_hostile_pattern_ends_in_reasonable_time() {
        let pattern = pattern(&format!("{}b?", "a*".repeat(200)));
        assert!(!pattern.matches(&"a".repeat(20_000)));
    }

    proptest! {
        #[test]
        fn escaped_texts_mean_themselves(text in "[ab*?\\\\]{0,8}") {
            prop_assert_eq!(unescape(&escape(&text)), text.clone());
            prop_assert!(!has_run(&escape(&text)));
            prop_assert_eq!(read(&escape(&text)), Shape::Text(text));
        }

        #[test]
        fn patterns_are_read_back_as_they_are_written(text in "[ab*?\\\\]{0,8}") {
            if let Shape::Pattern(pattern) = read(&text) {
                prop_assert_eq!(read(&pattern.to_string()), Shape::Pattern(pattern));
            }
        }
    }
}
