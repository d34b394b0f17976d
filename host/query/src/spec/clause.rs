//! Clauses and terms, and the conditions that they write.

use std::ops::Bound;

use super::super::condition::Condition;
use super::super::filter::DEPTH_MAX;
use super::super::path::Path;
use super::super::pattern::SEARCHED_CHARACTERS_MAX;
use super::super::value::{Bounds, Number, Value, ValueRange};
use super::error::{Error, path_at};
use super::wire::{Clause, MatchType, Occurance, PropertyType, Range, Term};

/// Most clauses of a query, whatever they stand in: parts of a conjunction are compared with one another, and each document with all of
/// them. Source: Lucene's bound of the same name.
const CLAUSES_MAX: usize = 1024;

/// Returns what the query of a specification asks for.
pub(super) fn condition(query: &Clause) -> Result<Condition, Error> {
    count(query, "/querySpec/query", 0, &mut 0)?;
    let condition = clause_condition(query, "/querySpec/query")?;
    Ok(match query.occurance {
        Occurance::Must | Occurance::Should => condition,
        Occurance::MustNot => Condition::negate(condition),
    })
}

/// Refuses more clauses, or deeper ones, than may be asked for, before anything is made of them.
fn count(clause: &Clause, pointer: &str, depth: usize, counted: &mut usize) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(Error::new(pointer, format!("a query has at most {DEPTH_MAX} clauses inside one another")));
    }
    for (place, clause) in clause.boolean_clauses.iter().flatten().enumerate() {
        let pointer = format!("{pointer}/booleanClauses/{place}");
        *counted += 1;
        if *counted > CLAUSES_MAX {
            return Err(Error::new(
                pointer,
                format!("a query has at most {CLAUSES_MAX} clauses: ask in several queries"),
            ));
        }
        count(clause, &pointer, depth + 1, counted)?;
    }
    Ok(())
}

/// Returns what a clause asks for, its own occurance left aside.
fn clause_condition(clause: &Clause, pointer: &str) -> Result<Condition, Error> {
    match (&clause.term, &clause.boolean_clauses) {
        (Some(term), None) => term_condition(term, &format!("{pointer}/term")),
        (None, Some(clauses)) if !clauses.is_empty() => {
            boolean_condition(clauses, &format!("{pointer}/booleanClauses"))
        }
        (Some(_), Some(_)) => Err(Error::new(pointer, "a query has either term or booleanClauses, not both")),
        (None, Some(_) | None) => {
            Err(Error::new(pointer, "a query needs term or booleanClauses with one clause or more"))
        }
    }
}

fn boolean_condition(clauses: &[Clause], pointer: &str) -> Result<Condition, Error> {
    let (mut must, mut should) = (Vec::new(), Vec::new());
    // What should occur decides only if nothing must; a negation is no help in that.
    let some_must = clauses.iter().any(|clause| clause.occurance == Occurance::Must);
    for (place, clause) in clauses.iter().enumerate() {
        let condition = clause_condition(clause, &format!("{pointer}/{place}"))?;
        match clause.occurance {
            Occurance::Must => must.push(condition),
            Occurance::MustNot => must.push(Condition::negate(condition)),
            Occurance::Should => should.push(condition),
        }
    }
    if !some_must && !should.is_empty() {
        must.push(Condition::any(should));
    }
    Ok(Condition::all(must))
}

fn term_condition(term: &Term, pointer: &str) -> Result<Condition, Error> {
    let path = path_at(&term.property_name, pointer)?;
    match (&term.match_value, &term.range) {
        (Some(value), None) => value_condition(term, path, value, pointer),
        (None, Some(range)) => range_condition(path, range, &format!("{pointer}/range")),
        (Some(_), Some(_)) => Err(Error::new(pointer, "a term has either matchValue or range, not both")),
        (None, None) => Err(Error::new(pointer, "a term needs matchValue or range")),
    }
}

fn value_condition(term: &Term, path: Path, text: &str, pointer: &str) -> Result<Condition, Error> {
    let at = |reason: String| Error::new(format!("{pointer}/matchValue"), reason);
    let refuse = |reason: String| Err(at(reason));
    match term.match_type {
        MatchType::Wildcard => return searched(Condition::like(path, text)).map_err(at),
        MatchType::Prefix => {
            return Ok(Condition::Prefix { path, text: text.to_owned() });
        }
        MatchType::Phrase => return searched(Condition::phrase(path, text)).map_err(at),
        MatchType::Term => {}
    }
    match term.property_type {
        Some(PropertyType::Long | PropertyType::Double | PropertyType::Date) => match Number::parse(text) {
            Some(number) => Ok(Condition::equal(path, Value::Number(number))),
            None => refuse(format!("{text:?} is no number, as propertyType demands")),
        },
        Some(PropertyType::Boolean) => match text.parse() {
            Ok(boolean) => Ok(Condition::equal(path, Value::Boolean(boolean))),
            Err(_) => refuse(format!("{text:?} is neither true nor false, as propertyType demands")),
        },
        Some(
            PropertyType::String
            | PropertyType::Uri
            | PropertyType::Enum
            | PropertyType::Bytes
            | PropertyType::Podo
            | PropertyType::Collection
            | PropertyType::Map
            | PropertyType::InternetAddressV4
            | PropertyType::InternetAddressV6,
        ) => Ok(Condition::equal(path, Value::text(text))),
        None => Ok(untyped(path, text)),
    }
}

/// Returns the condition, or why texts are not searched for so much.
fn searched(condition: Condition) -> Result<Condition, String> {
    match condition.searches_for_too_much() {
        true => Err(format!("a text to search for has at most {SEARCHED_CHARACTERS_MAX} characters: shorten it")),
        false => Ok(condition),
    }
}

/// Returns equality with a text, or with the number or boolean that the text writes.
fn untyped(path: Path, text: &str) -> Condition {
    let other = text.parse().map(Value::Boolean).ok().or_else(|| Number::parse(text).map(Value::Number));
    match (path.builtin(), other) {
        (Some(builtin), Some(other)) if builtin.is_number() => Condition::equal(path, other),
        (None, Some(other)) => {
            Condition::any([Condition::equal(path.clone(), Value::text(text)), Condition::equal(path, other)])
        }
        (Some(_), Some(_)) | (_, None) => Condition::equal(path, Value::text(text)),
    }
}

fn range_condition(path: Path, range: &Range, pointer: &str) -> Result<Condition, Error> {
    let bound = |number: &Option<serde_json::Number>, inclusive| match (number, inclusive) {
        (None, _) => Bound::Unbounded,
        (Some(number), true) => Bound::Included(Number::of_json(number)),
        (Some(number), false) => Bound::Excluded(Number::of_json(number)),
    };
    if path.builtin().is_some_and(|builtin| !builtin.is_number()) {
        return Err(Error::new(pointer, format!("{} is a text, and ranges are of numbers", path.as_str())));
    }
    let lower = bound(&range.min, range.is_min_inclusive);
    let upper = bound(&range.max, range.is_max_inclusive);
    Ok(Condition::Within { path, range: ValueRange::Numbers(Bounds { lower, upper }) })
}
