//! Conditions: what must hold of a document for a query to return it.
//!
//! The one internal form. Two front ends make it ([`super::filter`] of OData text, [`super::spec`] of Xenon's query
//! specification), [`super::plan`] looks for an index in it, [`super::evaluate`] holds documents against it.
//!
//! A path may lead to several values, since lists are entered; a leaf holds if it holds of one of them. Two bounds
//! on one field in one conjunction become one range, so that one and the same item must lie between them.
//!
//! Its printed form is a filter that [`super::filter::parse`] reads back; only the condition that always holds has none,
//! for there the filter is left out.

use std::ops::Bound;

use steward_model::Builtin;

use super::path::Path;
use super::pattern::{self, Pattern, Shape};
use super::value::{Bounds, Scalar, Value, ValueRange};

/// What must hold of a document. Made by the functions below, which keep it in its simplest shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: holds of every document.
    Always,
    /// A value lies in a range.
    Within {
        /// Where to look.
        path: Path,
        /// What is allowed.
        range: ValueRange,
    },
    /// A text begins so.
    Prefix {
        /// Where to look.
        path: Path,
        /// The first characters.
        text: String,
    },
    /// A text fits a pattern.
    Like {
        /// Where to look.
        path: Path,
        /// The pattern.
        pattern: Pattern,
    },
    /// A text contains these words side by side.
    Phrase {
        /// Where to look.
        path: Path,
        /// The words, in lower case.
        words: Vec<String>,
    },
    /// The field exists and is not null.
    Exists {
        /// Where to look.
        path: Path,
    },
    /// Does not hold.
    Not(Box<Condition>),
    /// All hold.
    And(Vec<Condition>),
    /// At least one holds.
    Or(Vec<Condition>),
}

impl Condition {
    /// Holds if the field has this value.
    pub fn equal(path: impl Into<Path>, value: Value) -> Condition {
        Condition::Within { path: path.into(), range: ValueRange::only(value) }
    }

    /// Holds if the field is a text that fits, where `*` stands for any run of characters and `?` for one.
    pub fn like(path: Path, text: &str) -> Condition {
        match pattern::read(text) {
            Shape::Text(text) => Condition::equal(path, Value::Text(text)),
            Shape::Prefix(text) => Condition::Prefix { path, text },
            Shape::Pattern(pattern) => Condition::Like { path, pattern },
        }
    }

    /// Holds if the field is a text with the words of `phrase` side by side, whatever their case.
    pub fn phrase(path: Path, phrase: &str) -> Condition {
        Condition::Phrase { path, words: words(phrase).collect() }
    }

    /// Returns true if texts would be searched for more than [`pattern::SEARCHED_CHARACTERS_MAX`] characters. Those who read
    /// conditions refuse them, for they know the place.
    pub(super) fn searches_for_too_much(&self) -> bool {
        match self {
            Condition::Like { pattern, .. } => pattern.characters() > pattern::SEARCHED_CHARACTERS_MAX,
            Condition::Phrase { words, .. } => {
                words.iter().map(|word| word.chars().count()).sum::<usize>() > pattern::SEARCHED_CHARACTERS_MAX
            }
            Condition::Not(inner) => inner.searches_for_too_much(),
            Condition::And(parts) | Condition::Or(parts) => parts.iter().any(Condition::searches_for_too_much),
            Condition::Always | Condition::Within { .. } | Condition::Prefix { .. } | Condition::Exists { .. } => false,
        }
    }

    /// Holds if `condition` does not.
    #[must_use]
    pub fn negate(condition: Condition) -> Condition {
        match condition {
            Condition::Not(inner) => *inner,
            other => Condition::Not(Box::new(other)),
        }
    }

    /// Holds if all of `conditions` do; of none of them, always.
    #[must_use]
    pub fn all(conditions: impl IntoIterator<Item = Condition>) -> Condition {
        let mut parts = Vec::new();
        for condition in conditions {
            match condition {
                Condition::Always => {}
                Condition::And(inner) => inner.into_iter().for_each(|part| add_conjunct(&mut parts, part)),
                other => add_conjunct(&mut parts, other),
            }
        }
        match parts.len() {
            0 => Condition::Always,
            1 => parts.remove(0),
            _ => Condition::And(parts),
        }
    }

    /// Holds if one of `conditions` does.
    ///
    /// # Panics
    /// If there is none: a choice of nothing is a mistake of the caller.
    #[must_use]
    pub fn any(conditions: impl IntoIterator<Item = Condition>) -> Condition {
        let mut parts = Vec::new();
        for condition in conditions {
            match condition {
                Condition::Or(inner) => parts.extend(inner),
                other => parts.push(other),
            }
        }
        assert!(!parts.is_empty(), "a choice needs at least one condition");
        if parts.contains(&Condition::Always) {
            return Condition::Always;
        }
        if parts.len() == 1 { parts.remove(0) } else { Condition::Or(parts) }
    }
}

impl Condition {
    /// Returns what is left of the condition for documents that are known to be of one kind.
    #[must_use]
    pub fn of_kind(&self, kind: &str) -> Condition {
        match self {
            Condition::Within { path, range } if is_kind(path) => constant(range.holds(Scalar::Text(kind))),
            Condition::Prefix { path, text } if is_kind(path) => constant(kind.starts_with(text.as_str())),
            Condition::Like { path, pattern } if is_kind(path) => constant(pattern.matches(kind)),
            Condition::Exists { path } if is_kind(path) => Condition::Always,
            Condition::Not(inner) => match inner.of_kind(kind) {
                Condition::Always => Condition::never(),
                inner => Condition::negate(inner),
            },
            Condition::And(parts) => folded(parts, kind, (Condition::Always, Condition::never()), Condition::And),
            Condition::Or(parts) => folded(parts, kind, (Condition::never(), Condition::Always), Condition::Or),
            Condition::Always
            | Condition::Within { .. }
            | Condition::Prefix { .. }
            | Condition::Like { .. }
            | Condition::Phrase { .. }
            | Condition::Exists { .. } => self.clone(),
        }
    }

    /// Returns the condition that holds of no document.
    pub fn never() -> Condition {
        Condition::Not(Box::new(Condition::Always))
    }

    /// Returns true if the condition says of itself that it holds of no document.
    pub fn is_never(&self) -> bool {
        matches!(self, Condition::Not(inner) if **inner == Condition::Always)
    }
}

fn is_kind(path: &Path) -> bool {
    path.builtin() == Some(Builtin::Kind)
}

fn constant(holds: bool) -> Condition {
    if holds { Condition::Always } else { Condition::never() }
}

/// Returns what is left of parts that are put together by `join`, where one of them may say nothing and another all. They are not put
/// together anew: two ranges that stood apart must not become one.
fn folded(
    parts: &[Condition],
    kind: &str,
    (nothing, all): (Condition, Condition),
    join: fn(Vec<Condition>) -> Condition,
) -> Condition {
    let mut parts: Vec<Condition> = parts.iter().map(|part| part.of_kind(kind)).collect();
    if parts.contains(&all) {
        return all;
    }
    parts.retain(|part| *part != nothing);
    match parts.len() {
        0 => nothing,
        1 => parts.remove(0),
        _ => join(parts),
    }
}

/// Adds one part of a conjunction, as the missing bound of an earlier part where it is one.
fn add_conjunct(parts: &mut Vec<Condition>, part: Condition) {
    let Condition::Within { path, range } = part else {
        parts.push(part);
        return;
    };
    let mut unjoined = range;
    for earlier in parts.iter_mut() {
        let Condition::Within { path: ours, range } = earlier else {
            continue;
        };
        if *ours != path {
            continue;
        }
        match range.join(unjoined) {
            Ok(()) => return,
            Err(back) => unjoined = back,
        }
    }
    parts.push(Condition::Within { path, range: unjoined });
}

/// Returns the words of a text in lower case: what stands between characters that are neither letters nor digits.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Condition::Always => f.write_str("always"),
            Condition::Within { path, range } => write_range(f, path, range),
            Condition::Prefix { path, text } => {
                write!(f, "startswith({}, {})", Name(path), Quoted(text))
            }
            Condition::Like { path, pattern } => {
                write!(f, "like({}, '{}')", Name(path), pattern.to_string().replace('\'', "''"))
            }
            Condition::Phrase { path, words } => {
                write!(f, "phrase({}, {})", Name(path), Quoted(&words.join(" ")))
            }
            Condition::Exists { path } => write!(f, "{} ne null", Name(path)),
            Condition::Not(inner) => match inner.as_ref() {
                Condition::Exists { path } => write!(f, "{} eq null", Name(path)),
                inner => write!(f, "not ({inner})"),
            },
            Condition::And(parts) => write_joined(f, parts, " and "),
            Condition::Or(parts) => write_joined(f, parts, " or "),
        }
    }
}

fn write_joined(f: &mut std::fmt::Formatter<'_>, parts: &[Condition], word: &str) -> std::fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            f.write_str(word)?;
        }
        match part {
            Condition::And(_) | Condition::Or(_) => write!(f, "({part})")?,
            Condition::Always
            | Condition::Within { .. }
            | Condition::Prefix { .. }
            | Condition::Like { .. }
            | Condition::Phrase { .. }
            | Condition::Exists { .. }
            | Condition::Not(_) => write!(f, "{part}")?,
        }
    }
    Ok(())
}

fn write_range(f: &mut std::fmt::Formatter<'_>, path: &Path, range: &ValueRange) -> std::fmt::Result {
    match range {
        ValueRange::Boolean(boolean) => write!(f, "{} eq {boolean}", Name(path)),
        ValueRange::Numbers(bounds) => write_bounds(f, path, bounds, |number| number.to_string()),
        ValueRange::Texts(bounds) => write_bounds(f, path, bounds, |text| Quoted(text).to_string()),
    }
}

fn write_bounds<T: PartialEq>(
    f: &mut std::fmt::Formatter<'_>,
    path: &Path,
    bounds: &Bounds<T>,
    write: impl Fn(&T) -> String,
) -> std::fmt::Result {
    let name = Name(path);
    if let Some(single) = bounds.single() {
        return write!(f, "{name} eq {}", write(single));
    }
    match &bounds.lower {
        Bound::Included(lower) => write!(f, "{name} ge {}", write(lower))?,
        Bound::Excluded(lower) => write!(f, "{name} gt {}", write(lower))?,
        Bound::Unbounded => {}
    }
    if !matches!((&bounds.lower, &bounds.upper), (Bound::Unbounded, _) | (_, Bound::Unbounded)) {
        f.write_str(" and ")?;
    }
    match &bounds.upper {
        Bound::Included(upper) => write!(f, "{name} le {}", write(upper)),
        Bound::Excluded(upper) => write!(f, "{name} lt {}", write(upper)),
        Bound::Unbounded => Ok(()),
    }
}

/// Returns true for characters that a name may have without being quoted.
pub(super) fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-$@:.".contains(c)
}

/// Returns true for characters with which an unquoted name may begin.
pub(super) fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

/// Prints a path as a filter names it.
struct Name<'a>(&'a Path);

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.as_str();
        let bare = text.starts_with(is_name_start) && text.chars().all(is_name_character) && text != "not";
        if bare { f.write_str(text) } else { write!(f, "\"{}\"", text.replace('"', "\"\"")) }
    }
}

/// Prints a text as a literal of a filter.
struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "'{}'", pattern::escape(self.0).replace('\'', "''"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Number;
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).expect("a valid path")
    }

    fn bound(name: &str, lower: Bound<i128>, upper: Bound<i128>) -> Condition {
        let range =
            ValueRange::Numbers(Bounds { lower: lower.map(Number::Integer), upper: upper.map(Number::Integer) });
        Condition::Within { path: path(name), range }
    }

    #[test]
    fn two_bounds_on_one_field_are_one_range() {
        let low = bound("a", Bound::Included(2), Bound::Unbounded);
        let high = bound("a", Bound::Unbounded, Bound::Excluded(4));
        let other = bound("b", Bound::Unbounded, Bound::Excluded(4));
        let both = Condition::all([low.clone(), other.clone(), high]);
        assert_eq!(both, Condition::And(vec![bound("a", Bound::Included(2), Bound::Excluded(4)), other]));
        assert_eq!(both.to_string(), "a ge 2 and a lt 4 and b lt 4");
        assert_eq!(Condition::all([low.clone(), low.clone()]), Condition::And(vec![low.clone(), low]));
    }

    #[test]
    fn conditions_take_their_simplest_shape() {
        let a = Condition::equal(path("a"), Value::integer(1));
        assert_eq!(Condition::all([]), Condition::Always);
        assert_eq!(Condition::all([Condition::Always, a.clone()]), a);
        assert_eq!(Condition::negate(Condition::negate(a.clone())), a);
        assert_eq!(Condition::any([a.clone()]), a);
        assert_eq!(Condition::like(path("a"), "x*"), Condition::Prefix { path: path("a"), text: "x".into() });
    }
}
