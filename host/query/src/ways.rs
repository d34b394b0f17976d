//! The ways to the documents of a query.
//!
//! Each way knows for which queries it is right, and says so; the first that can be gone is. The last can always be gone: it reads
//! all documents below a factory, or all there are.
//!
//! | way | reads | for |
//! |---|---|---|
//! | counted | a count, or keys of one index | how many there are, of a factory or within one range |
//! | ranked | one index in its order, up to a full page | rows sorted by one field |
//! | looked up | what indexes name | conditions with a part that must hold and that an index knows |
//! | listed | the list of a factory, up to a full page | rows by link, without a condition |
//! | through | documents | everything |
//!
//! Where an index says for certain what a row needs, the document is not read.

use std::collections::BTreeSet;

use steward_model::Link;

use super::answer::{Error, Way};
use super::collector::Collector;
use super::order::{Rank, SortTerm};
use super::plan::{Plan, Probe, Quality, Shape, range_at};
use super::request::{Content, Request};
use super::source::{Candidate, Certainty, Source};
use super::value::ValueRange;

/// Most links to take from an index; where it has more, reading the documents in order costs less.
const LOOKUP_LINKS_MAX: usize = 100_000;

/// Most documents to read one by one for a page; a page of more costs less when all are read in order.
const LISTED_READS_MAX: usize = 2000;

/// Most entries of an index to read for a page: if so few of them match, reading all documents in order costs less.
const RANKED_READS_MAX: usize = 20_000;

/// Whether a way was gone to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    /// The collector has all that it needs.
    Through,
    /// Another way has to be taken.
    Nowhere,
}

type Walk<S> = Result<Went, Error<<S as Source>::Error>>;

/// Links that an index names, and how sure it is of each; none if it cannot say, or names too many.
type Links<S> = Result<Option<Vec<(Link, Certainty)>>, Error<<S as Source>::Error>>;

/// Shows a collector all documents that its answer depends on.
///
/// # Errors
/// [`Error`] if the source fails or the budget does not suffice.
pub(super) fn read<S: Source>(collector: &mut Collector<'_, S>) -> Result<(), Error<S::Error>> {
    if collector.request.condition.is_never() {
        return Ok(());
    }
    let plan = Plan::of(collector.request);
    if goes(collector, Way::Count, counted)?
        || goes(collector, Way::Order, |collector| ranked(collector, &plan))?
        || goes(collector, Way::Index, |collector| looked_up(collector, &plan))?
        || goes(collector, Way::List, listed)?
    {
        return Ok(());
    }
    collector.way = Way::Documents;
    let (request, source) = (collector.request, collector.source);
    // Even to begin costs more than a query that is to be quick may.
    if collector.budget.reads_max < u64::MAX {
        return Err(Error::Long { max: collector.budget.reads_max });
    }
    let deleted = request.deleted || request.all_versions;
    for document in source.documents(plan.below.as_ref(), from(request), deleted) {
        if collector.consider(document.map_err(Error::Source)?)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Tries a way, and returns whether it was gone to its end.
fn goes<'a, S: Source>(
    collector: &mut Collector<'a, S>,
    way: Way,
    walk: impl FnOnce(&mut Collector<'a, S>) -> Walk<S>,
) -> Result<bool, Error<S::Error>> {
    collector.way = way;
    Ok(walk(collector)? == Went::Through)
}

/// Returns behind which link the documents begin that may be rows.
fn from(request: &Request) -> Option<&Link> {
    request.after.as_ref().filter(|_| request.is_in_order_of_links() && !request.total).map(Rank::link)
}

fn counted<S: Source>(collector: &mut Collector<'_, S>) -> Walk<S> {
    let request = collector.request;
    if request.wanted() > 0 || !request.is_of_newest() {
        return Ok(Went::Nowhere);
    }
    match Shape::of(&request.condition) {
        Shape::All if request.factory.is_some() => count_all(collector),
        Shape::Range(path, range) => {
            let Some(candidates) = collector.source.indexed(path, &range).map_err(Error::Source)? else {
                return Ok(Went::Nowhere);
            };
            let mut doubtful = BTreeSet::new();
            for candidate in candidates {
                let Candidate { link, certainty, .. } = candidate.map_err(Error::Source)?;
                collector.spend_key()?;
                match certainty {
                    Certainty::Whole => collector.matched += 1,
                    // One with several values is named several times.
                    Certainty::Value | Certainty::Beginning => {
                        doubtful.insert(link);
                    }
                }
                if doubtful.len() > LOOKUP_LINKS_MAX {
                    collector.begin_anew();
                    return Ok(Went::Nowhere);
                }
            }
            for link in &doubtful {
                // Nothing stops a count.
                let _ = collector.read(link)?;
            }
            Ok(Went::Through)
        }
        Shape::All | Shape::More => Ok(Went::Nowhere),
    }
}

fn count_all<S: Source>(collector: &mut Collector<'_, S>) -> Walk<S> {
    if let Some(count) = collector.source.counted().map_err(Error::Source)? {
        collector.matched = count;
        return Ok(Went::Through);
    }
    let Some(list) = collector.source.listed(None).map_err(Error::Source)? else { return Ok(Went::Nowhere) };
    for listed in list {
        let listed = listed.map_err(Error::Source)?;
        collector.spend_key()?;
        collector.matched += u64::from(!listed.is_expired(collector.budget.now));
    }
    Ok(Went::Through)
}

/// Returns the number of all rows, if it is asked for and kept as a count.
fn total<S: Source>(collector: &Collector<'_, S>) -> Result<Option<u64>, Error<S::Error>> {
    let request = collector.request;
    let is_all = request.total && request.factory.is_some() && Shape::of(&request.condition) == Shape::All;
    if is_all { collector.source.counted().map_err(Error::Source) } else { Ok(None) }
}

fn ranked<S: Source>(collector: &mut Collector<'_, S>, plan: &Plan) -> Walk<S> {
    let (request, source) = (collector.request, collector.source);
    let [term] = &request.order[..] else { return Ok(Went::Nowhere) };
    let range = range_at(&request.condition, &term.path);
    // A part about another field may leave so few that sorting them costs less.
    let elsewhere = plan.best.filter(|_| range.is_none()).is_some_and(|quality| quality < Quality::OpenRange);
    if request.limit == 0 || !request.is_of_newest() || elsewhere || term.path.builtin().is_some() {
        return Ok(Went::Nowhere);
    }
    let after = match &request.after {
        None => None,
        Some(after) => match after.first_value() {
            Some(value) => Some((value, after.link())),
            // The page begins among documents that are not in the index.
            None => return Ok(Went::Nowhere),
        },
    };
    let total = total(collector)?;
    if request.total && total.is_none() {
        return Ok(Went::Nowhere);
    }
    let mut found = source.ranked(&term.path, range.as_deref(), term.descending, after).map_err(Error::Source)?;
    // Of several values the first is sorted by, be it within the range or not.
    if range.is_some() && found.as_ref().is_some_and(|found| !found.is_single) {
        found = source.ranked(&term.path, None, term.descending, after).map_err(Error::Source)?;
    }
    let Some(found) = found else { return Ok(Went::Nowhere) };
    // Documents without the field stand before all others, or behind them. A later page has those before it behind itself.
    let is_whole = found.is_whole || range.is_some() || (after.is_some() && !term.descending);
    if !is_whole && !term.descending {
        return Ok(Went::Nowhere);
    }
    (collector.in_order, collector.counts) = (true, false);
    let went = in_rank_order(collector, (term, range.as_deref()), found.candidates)?;
    if went == Went::Nowhere || !(is_whole || collector.is_full()) {
        collector.begin_anew();
        return Ok(Went::Nowhere);
    }
    collector.matched = total.unwrap_or(collector.matched);
    Ok(Went::Through)
}

/// Shows the documents that an index names in the order of the rows.
fn in_rank_order<S: Source>(
    collector: &mut Collector<'_, S>,
    (term, range): (&SortTerm, Option<&ValueRange>),
    candidates: impl Iterator<Item = Result<Candidate, S::Error>>,
) -> Walk<S> {
    let request = collector.request;
    let is_known = is_covered(request, Some(term));
    for (reads, candidate) in candidates.enumerate() {
        let candidate = candidate.map_err(Error::Source)?;
        collector.spend_key()?;
        if reads > RANKED_READS_MAX + request.wanted() || candidate.certainty == Certainty::Beginning {
            return Ok(Went::Nowhere);
        }
        let is_outside = range.is_some_and(|range| !range.holds(candidate.value.as_scalar()));
        let next = match candidate.certainty {
            Certainty::Whole if is_outside => continue,
            Certainty::Whole if is_known => {
                let value = (candidate.value, term.descending);
                collector.take(Rank::of_index(candidate.link, Some(value)))?
            }
            Certainty::Whole | Certainty::Value | Certainty::Beginning => {
                collector.read_at(&candidate.link, &candidate.value)?
            }
        };
        if next.is_break() {
            break;
        }
    }
    Ok(Went::Through)
}

/// Returns true if an index of the field that the rows are sorted by, or else of the one that the condition asks for, knows all that a
/// row needs of a document whose value is certain.
fn is_covered(request: &Request, sorted_by: Option<&SortTerm>) -> bool {
    let is_held = match (Shape::of(&request.condition), sorted_by) {
        (Shape::All, _) => true,
        (Shape::Range(path, _), Some(term)) => *path == term.path,
        (Shape::Range(..), None) => request.order.is_empty(),
        (Shape::More, _) => false,
    };
    is_held && request.content == Content::Links && request.is_of_newest()
}

/// Shows the documents at the best places that the source can look up.
fn looked_up<S: Source>(collector: &mut Collector<'_, S>, plan: &Plan) -> Walk<S> {
    let (request, from) = (collector.request, from(collector.request));
    for probes in &plan.lookups {
        let Some(mut links) = links_at(collector, probes)? else { continue };
        links.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        links.dedup_by(|(one, _), (other, _)| one == other);
        let is_known = is_covered(request, None);
        for (link, certainty) in links.into_iter().filter(|(link, _)| from.is_none_or(|from| link > from)) {
            let next = match certainty {
                Certainty::Whole if is_known => collector.take(Rank::of_index(link, None))?,
                Certainty::Whole | Certainty::Value | Certainty::Beginning => collector.read(&link)?,
            };
            if next.is_break() {
                break;
            }
        }
        return Ok(Went::Through);
    }
    Ok(Went::Nowhere)
}

/// Returns what is found at the places of one set; none if the source cannot look one up, or too much is there.
fn links_at<S: Source>(collector: &mut Collector<'_, S>, probes: &[Probe]) -> Links<S> {
    let mut links = Vec::new();
    for probe in probes {
        match probe {
            Probe::Link(link) => links.push((link.clone(), Certainty::Value)),
            Probe::Range { path, range } => {
                let Some(found) = collector.source.indexed(path, range).map_err(Error::Source)? else {
                    return Ok(None);
                };
                for candidate in found {
                    let Candidate { link, certainty, .. } = candidate.map_err(Error::Source)?;
                    collector.spend_key()?;
                    links.push((link, certainty));
                    if links.len() > LOOKUP_LINKS_MAX {
                        return Ok(None);
                    }
                }
            }
        }
    }
    Ok(Some(links))
}

fn listed<S: Source>(collector: &mut Collector<'_, S>) -> Walk<S> {
    let request = collector.request;
    let is_plain = request.factory.is_some() && Shape::of(&request.condition) == Shape::All;
    let is_link = request.content == Content::Links;
    let is_short = is_link || request.wanted() <= LISTED_READS_MAX;
    if !is_plain || !request.order.is_empty() || !request.is_of_newest() || request.limit == 0 || !is_short {
        return Ok(Went::Nowhere);
    }
    let total = total(collector)?;
    if request.total && total.is_none() {
        return Ok(Went::Nowhere);
    }
    // That there are rows before a later page is no reason to read them: the total is known.
    let after = request.after.as_ref().map(Rank::link);
    let Some(list) = collector.source.listed(after).map_err(Error::Source)? else { return Ok(Went::Nowhere) };
    (collector.in_order, collector.counts) = (true, false);
    for listed in list {
        let listed = listed.map_err(Error::Source)?;
        collector.spend_key()?;
        if listed.is_expired(collector.budget.now) {
            continue;
        }
        let next = match is_link {
            true => collector.take(Rank::of_index(listed.link, None))?,
            false => collector.read(&listed.link)?,
        };
        if next.is_break() {
            break;
        }
    }
    collector.matched = total.unwrap_or(collector.matched);
    Ok(Went::Through)
}
