//! Which documents to read.
//!
//! A plan looks for parts of the condition that must hold and that say where to look: a link, or a range of an indexed
//! field. Every document that is read is still held against the whole condition, so a plan can be wrong only by being
//! slow. Without such a part, the documents below a factory are read, or all of them.
//!
//! There are no statistics. Parts are tried in this order: a link, one value, a range with two ends, a range with one
//! end. The kind is no place to look: which factories have documents of a kind is known before, see
//! [`Condition::of_kind`].

use std::borrow::Cow;

use steward_model::Builtin;
use steward_model::Link;

use super::condition::Condition;
use super::path::Path;
use super::request::Request;
use super::value::{Value, ValueRange};

/// Most alternatives of one choice to look up; longer lists are read through.
const PROBES_MAX: usize = 1000;

/// One place to look.
#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    /// At this document.
    Link(Link),
    /// In the index of this field.
    Range {
        /// The field.
        path: Path,
        /// The values.
        range: ValueRange,
    },
}

/// Where to look for the documents of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Sets of places, best first; all places of one set together hold every document that can match.
    pub lookups: Vec<Vec<Probe>>,
    /// How much the best set promises.
    pub best: Option<Quality>,
    /// Below which link to read everything, if no lookup is possible.
    pub below: Option<Link>,
}

impl Plan {
    /// Returns the plan for a request.
    pub fn of(request: &Request) -> Plan {
        let mut places = Vec::new();
        find(&request.condition, &mut places);
        // An index knows newest, living states only.
        places.retain(|place| place.rank == Quality::Links || request.is_of_newest());
        places.sort_by_key(|place| place.rank);
        let best = places.first().map(|place| place.rank);
        let below = request.factory.clone().or_else(|| common_parent(&request.condition));
        Plan { lookups: places.into_iter().map(|place| place.probes).collect(), best, below }
    }
}

/// What a condition asks for, as far as one index answers it.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape<'a> {
    /// Nothing.
    All,
    /// A value within a range in one field, and nothing else.
    Range(&'a Path, Cow<'a, ValueRange>),
    /// Something else, or more.
    More,
}

impl<'a> Shape<'a> {
    /// Returns the shape of a condition.
    pub fn of(condition: &'a Condition) -> Shape<'a> {
        match condition {
            Condition::Always => Shape::All,
            Condition::Within { path, range } if path.builtin().is_none() => Shape::Range(path, Cow::Borrowed(range)),
            Condition::Prefix { path, text } if path.builtin().is_none() => {
                Shape::Range(path, Cow::Owned(ValueRange::prefix(text)))
            }
            Condition::Within { .. }
            | Condition::Prefix { .. }
            | Condition::Like { .. }
            | Condition::Phrase { .. }
            | Condition::Exists { .. }
            | Condition::Not(_)
            | Condition::And(_)
            | Condition::Or(_) => Shape::More,
        }
    }
}

/// Returns the range in which the field at `path` must have a value, if a condition says so.
pub fn range_at<'a>(condition: &'a Condition, path: &Path) -> Option<Cow<'a, ValueRange>> {
    match condition {
        Condition::And(parts) => parts.iter().find_map(|part| range_at(part, path)),
        Condition::Within { .. } | Condition::Prefix { .. } => match Shape::of(condition) {
            Shape::Range(at, range) if at == path => Some(range),
            Shape::Range(..) | Shape::All | Shape::More => None,
        },
        Condition::Always
        | Condition::Like { .. }
        | Condition::Phrase { .. }
        | Condition::Exists { .. }
        | Condition::Not(_)
        | Condition::Or(_) => None,
    }
}

/// How much a lookup promises; earlier is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// Documents by name.
    Links,
    /// One value of a field.
    OneValue,
    /// A range with two ends.
    ClosedRange,
    /// A range with one end.
    OpenRange,
}

struct Place {
    rank: Quality,
    probes: Vec<Probe>,
}

/// Appends the places that hold every document for which `condition` holds.
fn find(condition: &Condition, places: &mut Vec<Place>) {
    match condition {
        Condition::Within { path, range } => places.extend(place_of(path, range)),
        Condition::Prefix { path, text } => places.extend(place_of(path, &ValueRange::prefix(text))),
        Condition::Like { path, pattern } => {
            let prefix = pattern.prefix();
            if !prefix.is_empty() {
                places.extend(place_of(path, &ValueRange::prefix(&prefix)));
            }
        }
        Condition::And(parts) => parts.iter().for_each(|part| find(part, places)),
        Condition::Or(parts) => places.extend(union(parts)),
        Condition::Always | Condition::Phrase { .. } | Condition::Exists { .. } | Condition::Not(_) => {}
    }
}

fn place_of(path: &Path, range: &ValueRange) -> Option<Place> {
    let single = range.single();
    if path.builtin() == Some(Builtin::SelfLink) {
        return match single {
            Some(Value::Text(text)) => {
                // No document has a name that is no link.
                let probes = Link::parse(&text).map(Probe::Link).into_iter().collect();
                Some(Place { rank: Quality::Links, probes })
            }
            // Ranges of links are read below their common parent.
            Some(Value::Boolean(_) | Value::Number(_)) | None => None,
        };
    }
    // What the host keeps of a document is in no index.
    if path.builtin().is_some() {
        return None;
    }
    let rank = match (single.is_some(), range.is_closed()) {
        (true, _) => Quality::OneValue,
        (false, true) => Quality::ClosedRange,
        (false, false) => Quality::OpenRange,
    };
    Some(Place { rank, probes: vec![Probe::Range { path: path.clone(), range: range.clone() }] })
}

/// Returns the best places of all parts together; none if one part has no place.
fn union(parts: &[Condition]) -> Option<Place> {
    let mut whole = Place { rank: Quality::Links, probes: Vec::new() };
    for part in parts {
        let mut places = Vec::new();
        find(part, &mut places);
        let best = places.into_iter().min_by_key(|place| place.rank)?;
        whole.rank = whole.rank.max(best.rank);
        whole.probes.extend(best.probes);
        if whole.probes.len() > PROBES_MAX {
            return None;
        }
    }
    Some(whole)
}

/// Returns the link below which all matching documents lie, by the beginning of their links.
fn common_parent(condition: &Condition) -> Option<Link> {
    let prefix = match condition {
        Condition::Prefix { path, text } if path.builtin() == Some(Builtin::SelfLink) => text.clone(),
        Condition::Like { path, pattern } if path.builtin() == Some(Builtin::SelfLink) => pattern.prefix(),
        Condition::And(parts) => return parts.iter().find_map(common_parent),
        Condition::Always
        | Condition::Within { .. }
        | Condition::Prefix { .. }
        | Condition::Like { .. }
        | Condition::Phrase { .. }
        | Condition::Exists { .. }
        | Condition::Not(_)
        | Condition::Or(_) => return None,
    };
    let slash = prefix.rfind('/').filter(|slash| *slash > 0)?;
    Link::parse(&prefix[..slash]).ok()
}

#[cfg(test)]
mod tests {
    use super::super::filter;
    use super::*;

    fn plan(text: &str) -> Plan {
        Plan::of(&Request::new(filter::parse(text).expect("a filter")))
    }

    /// Returns what the best lookup asks for: links as they are, fields by name.
    fn best(text: &str) -> Vec<String> {
        let name = |probe: &Probe| match probe {
            Probe::Link(link) => link.to_string(),
            Probe::Range { path, .. } => path.as_str().to_owned(),
        };
        plan(text).lookups.first().map(|probes| probes.iter().map(name).collect()).unwrap_or_default()
    }

    #[test]
    fn the_most_selective_part_comes_first() {
        assert_eq!(best("documentKind eq 'k' and name eq 'x'"), ["name"]);
        assert_eq!(best("a gt 1 and b gt 1 and b lt 5 and documentKind eq 'k'"), ["b"]);
        assert_eq!(best("name eq 'x' and documentSelfLink eq '/a/b'"), ["/a/b"]);
        assert!(best("documentKind eq 'k'").is_empty() && best("documentVersion eq 3").is_empty());
    }

    #[test]
    fn a_choice_is_looked_up_only_as_a_whole() {
        assert_eq!(best("a eq 1 or b eq 2"), ["a", "b"]);
        assert_eq!(best("documentSelfLink any '/a;/b'"), ["/a", "/b"]);
        assert!(plan("a eq 1 or not (b eq 2)").lookups.is_empty());
        assert!(plan("a ne 1").lookups.is_empty());
    }

    #[test]
    fn links_that_begin_alike_are_read_below_their_parent() {
        let below = |text| plan(text).below.map(|link| link.to_string());
        assert_eq!(below("documentSelfLink eq '/core/examples/*'"), Some("/core/examples".into()));
        assert_eq!(below("a eq 1 and documentSelfLink eq '/core/examples/n*1'"), Some("/core/examples".into()));
        assert_eq!(below("documentSelfLink eq '/co*'"), None);
        assert_eq!(below("documentSelfLink eq '/core/*' or a eq 1"), None);
    }

    #[test]
    fn history_and_tombstones_are_found_by_link_only() {
        let condition = filter::parse("name eq 'x' and documentSelfLink eq '/a/b'").expect("a filter");
        for (all_versions, deleted) in [(true, false), (false, true)] {
            let plan = Plan::of(&Request { all_versions, deleted, ..Request::new(condition.clone()) });
            assert_eq!(plan.lookups.len(), 1);
            assert!(matches!(plan.lookups[0][..], [Probe::Link(_)]));
        }
    }

    #[test]
    fn a_condition_of_one_range_is_told_from_more() {
        let condition = |text: &str| filter::parse(text).expect("a filter");
        let counter = Path::parse("counter").expect("a path");
        for one in ["counter ge 1 and counter lt 5", "counter eq 3", "name eq 'x*'"] {
            assert!(matches!(Shape::of(&condition(one)), Shape::Range(..)), "{one}");
        }
        for more in ["counter ge 1 and name eq 'x'", "documentVersion eq 3", "counter ne null", "counter ne 3"] {
            assert_eq!(Shape::of(&condition(more)), Shape::More, "{more}");
        }
        assert!(range_at(&condition("counter ge 1 and name eq 'x'"), &counter).is_some());
        assert!(range_at(&condition("counter ge 1 or name eq 'x'"), &counter).is_none());
    }
}
