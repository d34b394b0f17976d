//! Holding a document against a condition.
//!
//! The body is parsed once, and not at all when a condition asks only for what the host knows anyway. One document may hold long
//! texts and one condition many searches, so the clock is looked at after so many bytes, not only between documents.

use std::cell::{Cell, OnceCell};

use serde_json::Value as Json;
use steward_model::json;
use steward_model::{Document, Moment};

use super::condition::{Condition, words};
use super::path::{ITEM, Path, value_of};
use super::value::{Number, Scalar, Value};

/// How many bytes of texts are read between two looks at the clock.
const BYTES_PER_LOOK: usize = 1024 * 1024;

/// What is read of documents, and until when.
pub struct Effort<'a> {
    clock: &'a dyn Fn() -> Moment,
    deadline: Moment,
    /// Bytes since the last look at the clock.
    bytes: Cell<usize>,
    is_over: Cell<bool>,
}

impl<'a> Effort<'a> {
    /// Returns an effort that ends at `deadline`.
    pub fn until(deadline: Moment, clock: &'a dyn Fn() -> Moment) -> Effort<'a> {
        Effort { clock, deadline, bytes: Cell::new(0), is_over: Cell::new(false) }
    }

    /// Returns true if the deadline was met while a condition was held against a document: what came of it means nothing.
    pub fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Looks at the clock.
    pub(super) fn look(&self) -> bool {
        self.bytes.set(0);
        self.is_over.set((self.clock)() >= self.deadline);
        self.is_over.get()
    }

    /// Accounts for bytes to be read; returns false if there is no more time for them.
    fn spend(&self, bytes: usize) -> bool {
        self.bytes.set(self.bytes.get() + bytes);
        !(self.is_over.get() || self.bytes.get() >= BYTES_PER_LOOK && self.look())
    }
}

/// A document as queries see it.
pub struct View<'a> {
    document: &'a Document,
    owner: &'a str,
    body: OnceCell<Json>,
    effort: Option<&'a Effort<'a>>,
}

impl<'a> View<'a> {
    /// Looks at a document whose partition is served by the node called `owner`.
    pub fn new(document: &'a Document, owner: &'a str) -> View<'a> {
        View { document, owner, body: OnceCell::new(), effort: None }
    }

    /// Looks at it as long as there is time.
    #[must_use]
    pub fn within(self, effort: &'a Effort<'a>) -> View<'a> {
        View { effort: Some(effort), ..self }
    }

    /// Returns true if the condition holds; anything if [`Effort::is_over`] afterwards.
    pub fn satisfies(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Always => true,
            Condition::Within { path, range } => self.any_scalar(path, &mut |scalar| range.holds(scalar)),
            Condition::Prefix { path, text } => self.any_text(path, |found| found.starts_with(text.as_str())),
            Condition::Like { path, pattern } => self.any_text(path, |found| pattern.matches(found)),
            Condition::Phrase { path, words } => self.any_text(path, |found| has_phrase(found, words)),
            Condition::Exists { path } => self.exists(path),
            Condition::Not(inner) => !self.satisfies(inner),
            Condition::And(parts) => parts.iter().all(|part| self.satisfies(part)),
            Condition::Or(parts) => parts.iter().any(|part| self.satisfies(part)),
        }
    }

    /// Returns the value to sort by: the first scalar at the path; none if there is none.
    pub fn sort_key(&self, path: &Path) -> Option<Value> {
        let mut first = None;
        self.any_scalar(path, &mut |scalar| {
            first = Some(scalar.to_value());
            true
        });
        first
    }

    /// Returns all scalars at the path, in their order.
    #[cfg(test)]
    pub(super) fn values(&self, path: &Path) -> Vec<Value> {
        let mut values = Vec::new();
        self.any_scalar(path, &mut |scalar| {
            values.push(scalar.to_value());
            false
        });
        values
    }

    fn any_scalar(&self, path: &Path, test: &mut dyn FnMut(Scalar<'_>) -> bool) -> bool {
        if let Some(builtin) = path.builtin() {
            return value_of(builtin, self.document, self.owner).is_some_and(test);
        }
        walk(self.body(), path.as_str(), &mut |found| scalar_of(found).is_some_and(&mut *test))
    }

    fn any_text(&self, path: &Path, test: impl Fn(&str) -> bool) -> bool {
        self.any_scalar(path, &mut |scalar| match scalar {
            Scalar::Text(text) => self.spend(text.len()) && test(text),
            Scalar::Boolean(_) | Scalar::Number(_) => false,
        })
    }

    fn exists(&self, path: &Path) -> bool {
        match path.builtin() {
            Some(builtin) => value_of(builtin, self.document, self.owner).is_some(),
            // The walk gives only the items of a list, so the list itself, empty or not, is asked for here.
            None => leads_somewhere(self.body(), path.as_str()),
        }
    }

    fn body(&self) -> &Json {
        self.body.get_or_init(|| {
            self.spend(self.document.body.len());
            json::plain(&self.document.body).unwrap_or(Json::Null)
        })
    }

    /// Accounts for bytes to be read; returns false if there is no more time for them.
    fn spend(&self, bytes: usize) -> bool {
        self.effort.is_none_or(|effort| effort.spend(bytes))
    }
}

/// Calls `test` with each value that `path` leads to, and stops when it returns true.
fn walk(json: &Json, path: &str, test: &mut dyn FnMut(&Json) -> bool) -> bool {
    match json {
        Json::Array(items) => {
            let inside = within_list(path);
            items.iter().any(|item| walk(item, path, test) || inside.is_some_and(|rest| walk(item, rest, test)))
        }
        leaf if path.is_empty() => test(leaf),
        Json::Object(fields) => {
            readings(path).any(|(name, rest)| fields.get(name).is_some_and(|field| walk(field, rest, test)))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

/// Returns true if `path` leads to anything but null.
fn leads_somewhere(json: &Json, path: &str) -> bool {
    match json {
        _ if path.is_empty() => !json.is_null(),
        Json::Array(items) => {
            let inside = within_list(path);
            let follow = |item, path: Option<&str>| path.is_some_and(|path| leads_somewhere(item, path));
            items.iter().any(|item| follow(item, Some(path)) || follow(item, inside))
        }
        Json::Object(fields) => {
            readings(path).any(|(name, rest)| fields.get(name).is_some_and(|field| leads_somewhere(field, rest)))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

/// Returns what is left of a path that begins with the word for the items of a list.
///
/// `tags` and `tags.item` both mean the items; `item` may as well be a field of each.
fn within_list(path: &str) -> Option<&str> {
    match path.strip_prefix(ITEM) {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix('.'),
        None => None,
    }
}

/// Returns the ways to read the first name of a path: `a.b.c` begins with `a`, with `a.b` or with `a.b.c`.
fn readings(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let dots = path.match_indices('.').map(|(dot, _)| (&path[..dot], &path[dot + 1..]));
    dots.chain(std::iter::once((path, "")))
}

fn scalar_of(json: &Json) -> Option<Scalar<'_>> {
    match json {
        Json::Bool(boolean) => Some(Scalar::Boolean(*boolean)),
        Json::Number(number) => Some(Scalar::Number(Number::of_json(number))),
        Json::String(text) => Some(Scalar::Text(text)),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Returns true if the text has the words of the phrase side by side; a phrase of no words is in no text.
///
/// Source: Knuth, Morris, Pratt: Fast pattern matching in strings, 1977, with words for characters.
fn has_phrase(text: &str, phrase: &[String]) -> bool {
    // No text of fewer bytes has as many words; what is prepared below costs no more than reading the text.
    if phrase.is_empty() || text.len() < phrase.len() {
        return false;
    }
    // How many words of the phrase stand at the end of what was read, given as many before and the next one.
    let advance = |borders: &[usize], mut found: usize, word: &str| {
        while found > 0 && phrase[found] != word {
            found = borders[found - 1];
        }
        found + usize::from(phrase[found] == word)
    };
    // For each beginning of the phrase: how many words of its own beginning it ends with.
    let mut borders = vec![0];
    for place in 1..phrase.len() {
        borders.push(advance(&borders, borders[place - 1], &phrase[place]));
    }
    let mut found = 0;
    words(text).any(|word| {
        found = advance(&borders, found, &word);
        found == phrase.len()
    })
}

#[cfg(test)]
mod tests {
    use super::super::filter;
    use super::super::memory::document;
    use super::*;

    fn holds(body: &str, filter: &str) -> bool {
        let document = document("/core/examples/one", body);
        let condition = filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        View::new(&document, "hostAtPort8000").satisfies(&condition)
    }

    #[test]
    fn comparisons_follow_the_type_of_the_field() {
        let body = r#"{"name":"n3","counter":3,"ratio":2.5,"done":true,"none":null}"#;
        for yes in [
            "name eq 'n3'",
            "name ne 'n4'",
            "name ge 'n'",
            "counter eq 3",
            "counter lt 3.5",
            "counter gt -1",
            "ratio eq 2.5",
            "done eq true",
            "done ne false",
            "none eq null",
            "absent eq null",
            "name ne null",
            "absent ne 'x'",
            "name eq 'n*'",
            "name eq '*3'",
        ] {
            assert!(holds(body, yes), "{yes}");
        }
        for no in ["counter eq '3'", "name eq 3", "name lt 5", "done eq 'true'", "none ne null", "absent eq 'x'"] {
            assert!(!holds(body, no), "{no}");
        }
    }

    #[test]
    fn paths_lead_into_objects_lists_and_maps() {
        let body = r#"{"info":{"stage":"FINISHED"},"tags":["a","b"],"map":{"a.b":1,"c":{"d":2}},
                       "rows":[{"item":"x","n":1},{"n":5}],"empty":[]}"#;
        for yes in [
            "info.stage eq 'FINISHED'",
            "tags eq 'b'",
            "tags.item eq 'a'",
            "tags.item any 'x;b'",
            "tags all 'a;b'",
            "map.a.b eq 1",
            "map.c.d eq 2",
            "rows.n eq 5",
            "rows.item.n eq 5",
            "rows.item eq 'x'",
            "info ne null",
            "empty ne null",
            "tags.item ne null",
            "rows.n ne null",
        ] {
            assert!(holds(body, yes), "{yes}");
        }
        for no in ["info eq 'FINISHED'", "tags all 'a;c'", "map.a eq 1", "empty.item ne null", "rows.m ne null"] {
            assert!(!holds(body, no), "{no}");
        }
    }

    #[test]
    fn a_range_asks_for_one_item_within_both_bounds() {
        assert!(holds(r#"{"n":[1,3]}"#, "n ge 2 and n lt 4"));
        assert!(!holds(r#"{"n":[1,5]}"#, "n ge 2 and n lt 4"));
    }

    #[test]
    fn phrases_are_words_side_by_side_whatever_their_case() {
        let body = r#"{"text":"The quick, brown Fox"}"#;
        assert!(holds(body, "phrase(text, 'Quick brown')"));
        assert!(!holds(body, "phrase(text, 'quick fox')"));
        assert!(!holds(body, "phrase(text, 'row')"));
        assert!(!holds(body, "phrase(text, '-')"));
        let repeated = r#"{"text":"a a b a a b a a c"}"#;
        assert!(holds(repeated, "phrase(text, 'a a b a a c')"));
        assert!(!holds(repeated, "phrase(text, 'a a a')"));
    }

    #[test]
    fn the_clock_is_looked_at_within_one_document() {
        let document = document("/core/examples/one", &format!(r#"{{"name":"{}"}}"#, "a".repeat(900_000)));
        let condition = filter::parse(&vec!["contains(name, 'b')"; 100].join(" or ")).expect("a filter");
        let looks = Cell::new(0);
        let clock = || {
            looks.set(looks.get() + 1);
            Moment(looks.get())
        };
        let effort = Effort::until(Moment(5), &clock);
        assert!(!View::new(&document, "h").within(&effort).satisfies(&condition));
        assert!(effort.is_over());
        assert_eq!(looks.get(), 5, "what is left of the condition is passed over");
    }

    #[test]
    fn fields_of_the_host_are_fields_like_others() {
        for yes in [
            "documentSelfLink eq '/core/examples/*'",
            "documentOwner eq 'hostAtPort8000'",
            "documentVersion ge 0",
            "documentUpdateAction eq 'POST'",
            "documentSourceLink eq null",
            "documentExpirationTimeMicros eq 0",
        ] {
            assert!(holds("{}", yes), "{yes}");
        }
    }
}
