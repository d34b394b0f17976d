//! Which documents to read.
//!
//! A plan looks for parts of the condition that must hold and that say where to look: a link, or a range of an indexed
//! field. Every document that is read is still held against the whole condition, so a plan can be wrong only by being
//! slow. Without such a part, the documents below a factory are read, or all of them.
//!
//! There are no statistics. Parts are tried in this order: a link, one value, a range with two ends, a range with one
//! end, the kind (which usually names a large share of all documents).

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
    /// Below which link to read everything, if no lookup is possible.
    pub below: Option<Link>,
}

impl Plan {
    /// Returns the plan for a request.
    pub fn of(request: &Request) -> Plan {
        let mut places = Vec::new();
        find(&request.condition, &mut places);
        // An index knows newest, living states only. Where each document has the same kind, that says nothing.
        let newest_only = !request.all_versions && !request.deleted;
        places.retain(|place| place.rank == Quality::Links || newest_only);
        places.retain(|place| place.rank != Quality::Kind || request.factory.is_none());
        places.sort_by_key(|place| place.rank);
        let below = request.factory.clone().or_else(|| common_parent(&request.condition));
        Plan { lookups: places.into_iter().map(|place| place.probes).collect(), below }
    }
}

/// How much a lookup promises; earlier is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Quality {
    Links,
    OneValue,
    ClosedRange,
    OpenRange,
    Kind,
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
    let rank = match (path.builtin() == Some(Builtin::Kind), single.is_some(), range.is_closed()) {
        (true, _, _) => Quality::Kind,
        (false, true, _) => Quality::OneValue,
        (false, false, true) => Quality::ClosedRange,
        (false, false, false) => Quality::OpenRange,
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
        assert_eq!(best("documentKind eq 'k'"), ["documentKind"]);
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
    fn the_kind_says_nothing_within_a_factory() {
        let factory = Some(Link::parse("/core/examples").expect("a link"));
        let condition = filter::parse("documentKind eq 'k'").expect("a filter");
        assert!(Plan::of(&Request { factory, ..Request::new(condition) }).lookups.is_empty());
    }
}
