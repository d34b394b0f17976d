//! Wildcard patterns: `*` for any run of characters, `?` for one; a backslash takes the meaning away.
//!
//! Clients choose the pattern and the texts, so no pair of them may cost the product of their lengths. A pattern is cut at its
//! runs; the first piece stands at the beginning of the text, the last at its end, and each of the others at the first place
//! that is left, behind the one before. A piece of plain characters is looked for by the search of the standard library, one
//! with `?` by bits, one for each step of the piece; both in time proportional to the text.

/// Most characters, runs not counted, of a pattern or a phrase that texts are searched for.
///
/// A search by bits takes one operation per character of the text for every 64 of them.
pub const SEARCHED_CHARACTERS_MAX: usize = 1024;

/// A pattern that is neither a plain text nor a plain prefix; see [`Shape`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<Piece>,
    /// What stands before, between and behind the runs.
    segments: Vec<Segment>,
}

/// A part of a pattern without runs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// These characters.
    Plain(String),
    /// One step for each character; none stands for any.
    Steps(Vec<Option<char>>),
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
        Some(_) => Shape::Pattern(Pattern::new(pieces)),
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

    /// Returns how many characters a text must have that fits, see [`SEARCHED_CHARACTERS_MAX`].
    pub fn characters(&self) -> usize {
        self.pieces.iter().filter(|piece| **piece != Piece::Run).count()
    }

    /// Returns true if the whole of `text` fits.
    ///
    /// Takes time proportional to the text, and to a 64th of the pattern for each of its characters where it has `?`.
    pub fn matches(&self, text: &str) -> bool {
        let [first, between @ .., last] = self.segments.as_slice() else {
            return self.segments.iter().all(|only| only.strip_start(text) == Some(""));
        };
        let Some(rest) = first.strip_start(text).and_then(|rest| last.strip_end(rest)) else {
            return false;
        };
        // The first place is the best one: it leaves most for the pieces behind.
        between.iter().try_fold(rest, |rest, segment| segment.strip_through(rest)).is_some()
    }

    fn new(pieces: Vec<Piece>) -> Pattern {
        let segments = pieces.split(|piece| *piece == Piece::Run).map(Segment::of).collect();
        Pattern { pieces, segments }
    }
}

impl Segment {
    /// Makes a segment of pieces without runs.
    fn of(pieces: &[Piece]) -> Segment {
        if !pieces.contains(&Piece::One) {
            return Segment::Plain(literal(pieces));
        }
        let step = |piece: &Piece| match piece {
            Piece::Character(character) => Some(*character),
            Piece::One | Piece::Run => None,
        };
        Segment::Steps(pieces.iter().map(step).collect())
    }

    /// Returns what is behind the segment, if the text begins with it.
    fn strip_start<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Segment::Plain(plain) => text.strip_prefix(plain.as_str()),
            Segment::Steps(steps) => {
                let mut rest = text.chars();
                let fits = steps.iter().all(|step| rest.next().is_some_and(|found| fits(*step, found)));
                fits.then_some(rest.as_str())
            }
        }
    }

    /// Returns what is before the segment, if the text ends with it.
    fn strip_end<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Segment::Plain(plain) => text.strip_suffix(plain.as_str()),
            Segment::Steps(steps) => {
                let mut rest = text.chars();
                let fits = steps.iter().rev().all(|step| rest.next_back().is_some_and(|found| fits(*step, found)));
                fits.then_some(rest.as_str())
            }
        }
    }

    /// Returns what is behind the first place where the text has the segment.
    fn strip_through<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Segment::Plain(plain) => text.find(plain.as_str()).map(|place| &text[place + plain.len()..]),
            Segment::Steps(steps) => strip_through_steps(steps, text),
        }
    }
}

fn fits(step: Option<char>, found: char) -> bool {
    step.is_none_or(|wanted| wanted == found)
}

/// Returns what is behind the first place where the text takes all steps.
///
/// Bit `n` of the state says that the characters read last take the first `n + 1` steps.
///
/// Source: Baeza-Yates, Gonnet: A new approach to text searching, 1992.
fn strip_through_steps<'a>(steps: &[Option<char>], text: &'a str) -> Option<&'a str> {
    // No text of fewer bytes has as many characters; what is prepared below costs no more than reading the text.
    if text.len() < steps.len() {
        return None;
    }
    let words = steps.len().div_ceil(64);
    let mut wanted: Vec<char> = steps.iter().copied().flatten().collect();
    wanted.sort_unstable();
    wanted.dedup();
    // The steps that each wanted character takes, and at the end those that any other does.
    let mut takes = vec![0_u64; (wanted.len() + 1) * words];
    for (place, step) in steps.iter().enumerate() {
        let bit = 1 << (place % 64);
        match step.map(|character| wanted.binary_search(&character)) {
            Some(row) => takes[row.unwrap_or(wanted.len()) * words + place / 64] |= bit,
            None => takes.iter_mut().skip(place / 64).step_by(words).for_each(|word| *word |= bit),
        }
    }
    let (last, mut state) = (steps.len() - 1, vec![0_u64; words]);
    for (place, character) in text.char_indices() {
        let row = wanted.binary_search(&character).unwrap_or(wanted.len()) * words;
        let mut carried = 1;
        for (word, takes) in state.iter_mut().zip(&takes[row..row + words]) {
            let next = *word >> 63;
            *word = (*word << 1 | carried) & takes;
            carried = next;
        }
        if state[last / 64] >> (last % 64) & 1 == 1 {
            return Some(&text[place + character.len_utf8()..]);
        }
    }
    None
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

    /// Ignores how long it takes.
    fn fits_naively(pieces: &[Piece], text: &[char]) -> bool {
        match (pieces.split_first(), text.split_first()) {
            (None, _) => text.is_empty(),
            (Some((Piece::Run, after)), None) => fits_naively(after, text),
            (Some((Piece::Run, after)), Some((_, rest))) => fits_naively(after, text) || fits_naively(pieces, rest),
            (Some((Piece::One, after)), Some((_, rest))) => fits_naively(after, rest),
            (Some((Piece::Character(wanted), after)), Some((found, rest))) => {
                wanted == found && fits_naively(after, rest)
            }
            (Some((Piece::One | Piece::Character(_), _)), None) => false,
        }
    }

    #[test]
    fn a_search_takes_time_in_proportion_to_the_text() {
        let text = "a".repeat(900_000);
        let almost = format!("{}b", "a".repeat(1_000));
        let one_of_two = "a?".repeat(500);
        let hostile = [
            format!("*{almost}*"),
            format!("*{}b*", "?".repeat(1_000)),
            format!("*{one_of_two}b"),
            format!("*a{almost}?*"),
        ];
        for text_of_pattern in &hostile {
            let pattern = pattern(text_of_pattern);
            // Time itself cannot be asserted; in proportion to both lengths these take minutes in a debug build.
            assert!((0..4).all(|_| !pattern.matches(&text)));
        }
    }

    #[test]
    fn steps_are_found_over_the_border_of_words() {
        let steps = format!("{}?c", "ab".repeat(40));
        let pattern = pattern(&format!("*{steps}*"));
        assert!(pattern.matches(&format!("ab{}éc tail", "ab".repeat(40))));
        assert!(!pattern.matches(&format!("ab{}éd tail", "ab".repeat(40))));
    }

    proptest! {
        #[test]
        fn patterns_match_as_a_naive_reading_of_them_does(text in "[abé]{0,12}", wild in "[abé*?]{0,8}") {
            let characters: Vec<char> = text.chars().collect();
            if let Shape::Pattern(pattern) = read(&wild) {
                prop_assert_eq!(pattern.matches(&text), fits_naively(&pattern.pieces, &characters), "{}", wild);
            }
        }

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
