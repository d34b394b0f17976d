//! Listing a factory: `GET /core/examples` with or without OData's query options.
//!
//! | option | meaning |
//! |---|---|
//! | `expand`, `$expand` | the documents too, if its value is `true` or it has none; not if it is `false` |
//! | `$filter` | see [`super::filter`] |
//! | `$orderby` | `name desc,counter` |
//! | `$top` | only so many; excludes `$limit` |
//! | `$skip` | without so many at the beginning |
//! | `$limit` | pages of so many, 1,000 if not given |
//! | `$count` | `true`: how many there are in all; without `$top` and `$limit` only that |
//! | `$select` | only these fields of the documents |
//! | `$skiptoken` | a later page; only as part of a `nextPageLink` |
//!
//! Departures from Xenon: `totalCount` is the true number or missing, never the size of a page. `$orderbytype` is not
//! needed, since values are ordered by their own types.

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use steward_model::Link;
use steward_model::digits::digits;

use super::answer::Answer;
use super::condition::Condition;
use super::filter;
use super::order::{self, SortTerm};
use super::page::{self, ListingPage};
use super::path::{self, Path};
use super::request::{Content, PAGE_ROWS, ROWS_MAX, Request, SKIP_MAX};
use super::results::{self, Frame};

const SUPPORTED: &str = "$filter, $orderby, $top, $skip, $limit, $count, $select, $expand";

/// Why a listing is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A parameter is no UTF-8 after decoding.
    #[error("query parameter {0:?} is no UTF-8 when its percent signs are decoded")]
    Encoding(String),
    /// There is no such option.
    #[error("query option {0} is not supported: supported are {SUPPORTED}")]
    Unsupported(String),
    /// There is no such parameter.
    #[error("there is no query parameter {name}{}: there are expand, {SUPPORTED}; fields are compared in $filter", nearest.map(|nearest| format!(", did you mean {nearest}?")).unwrap_or_default())]
    Unknown {
        /// What was written.
        name: String,
        /// A parameter with a similar name.
        nearest: Option<&'static str>,
    },
    /// A name lacks its dollar sign.
    #[error("query parameter {0} needs a dollar sign: ${0}")]
    Dollar(String),
    /// An option is given twice.
    #[error("query option {0} is given twice")]
    Repeated(&'static str),
    /// An option has a value that it cannot have.
    #[error("query option {option} cannot be {value:?}: {reason}")]
    Value {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Two options exclude each other.
    #[error("query options $top and $limit exclude each other: $top ends the result, $limit divides it into pages")]
    TopAndLimit,
    /// The filter cannot be read.
    #[error("{0}")]
    Filter(#[from] filter::Error),
    /// The page cannot be had.
    #[error("{0}")]
    Page(#[from] page::Error),
}

/// A listing of a factory's children.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    factory: Link,
    /// The query part of the URI without the page.
    query: String,
    request: Request,
    /// Whether any option of OData is given, for which clients expect `totalCount`.
    has_options: bool,
    /// Whether the result ends after one answer.
    is_top: bool,
}

impl Listing {
    /// Reads the query part of `GET <factory>?<query>`, still percent-encoded.
    ///
    /// # Errors
    /// [`Error`] says what to change.
    pub fn parse(factory: Link, query: &str) -> Result<Listing, Error> {
        let mut options = Options::default();
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            if name != page::PARAMETER {
                kept.push(pair);
            }
            options.set(&name, value)?;
        }
        let query = kept.join("&");
        let mut request = options.request(factory.clone())?;
        if let Some(token) = &options.skip_token {
            let page: ListingPage = page::open(token)?;
            if page.fingerprint != fingerprint(&factory, &query) || !page.after.fits(&request.order) {
                return Err(page::Error::OtherQuery.into());
            }
            request.after = Some(page.after);
            request.skip = 0;
        }
        let has_options = options.has_options();
        Ok(Listing { factory, query, request, has_options, is_top: options.top.is_some() })
    }

    /// Returns what to run.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns the result document.
    ///
    /// `owner` is the host id of the node that answers, `micros` how long the query took.
    ///
    /// # Errors
    /// [`page::Error::TooLong`] if the next page has no link short enough.
    pub fn results(&self, answer: &Answer, owner: &str, micros: u64) -> Result<Bytes, page::Error> {
        let next_page = match &answer.next {
            Some(after) if !self.is_top && self.request.limit > 0 => Some(self.page_link(after.clone())?),
            Some(_) | None => None,
        };
        // Known without counting: the one page that there is holds everything.
        let is_whole = self.request.after.is_none() && self.request.skip == 0 && answer.next.is_none();
        let total = answer.total.or_else(|| is_whole.then_some(answer.rows.len() as u64));
        let total = total.filter(|_| self.has_options);
        let mut out = Vec::with_capacity(256 + answer.rows.iter().map(|row| row.content.len() + 128).sum::<usize>());
        let frame = Frame { owner, micros, total, next_page: next_page.as_deref() };
        results::write(&mut out, &self.request, answer, &frame);
        Ok(Bytes::from(out))
    }

    fn page_link(&self, after: order::Rank) -> Result<String, page::Error> {
        let fingerprint = fingerprint(&self.factory, &self.query);
        let token = page::seal(&ListingPage { fingerprint, after })?;
        let separator = if self.query.is_empty() { "" } else { "&" };
        Ok(format!("{}?{}{separator}{}={token}", self.factory, self.query, page::PARAMETER))
    }
}

fn fingerprint(factory: &Link, query: &str) -> [u8; 8] {
    page::fingerprint(&format!("{factory}?{query}"))
}

/// The options as they are written.
#[derive(Default)]
struct Options {
    filter: Option<String>,
    order_by: Option<String>,
    top: Option<String>,
    skip: Option<String>,
    limit: Option<String>,
    count: Option<String>,
    select: Option<String>,
    skip_token: Option<String>,
    expand: Option<String>,
}

impl Options {
    /// Takes one parameter, its value still encoded.
    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let (option, slot) = match name {
            "expand" | "$expand" => ("$expand", &mut self.expand),
            "$filter" => ("$filter", &mut self.filter),
            "$orderby" => ("$orderby", &mut self.order_by),
            "$top" => ("$top", &mut self.top),
            "$skip" => ("$skip", &mut self.skip),
            "$limit" => ("$limit", &mut self.limit),
            "$count" => ("$count", &mut self.count),
            "$select" => ("$select", &mut self.select),
            page::PARAMETER => (page::PARAMETER, &mut self.skip_token),
            "filter" | "orderby" | "top" | "skip" | "limit" | "count" | "select" => {
                return Err(Error::Dollar(name.to_owned()));
            }
            other if other.starts_with('$') => return Err(Error::Unsupported(other.to_owned())),
            other => return Err(Error::Unknown { name: other.to_owned(), nearest: nearest(other) }),
        };
        if slot.is_some() {
            return Err(Error::Repeated(option));
        }
        *slot = Some(decode(value)?);
        Ok(())
    }

    fn has_options(&self) -> bool {
        let given = [&self.filter, &self.order_by, &self.top, &self.skip, &self.limit, &self.count, &self.select];
        given.into_iter().any(Option::is_some)
    }

    fn request(&self, factory: Link) -> Result<Request, Error> {
        if self.top.is_some() && self.limit.is_some() {
            return Err(Error::TopAndLimit);
        }
        let condition = self.filter.as_deref().map_or(Ok(Condition::Always), filter::parse)?;
        let top = number("$top", &self.top, 1, ROWS_MAX)?;
        let limit = number("$limit", &self.limit, 1, ROWS_MAX)?;
        let total = match self.count.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(refuse("$count", other, "write true or false")),
        };
        let only_count = total && top.is_none() && limit.is_none();
        Ok(Request {
            factory: Some(factory),
            order: self.order_by.as_deref().map_or(Ok(Vec::new()), read_order)?,
            content: self.content()?,
            skip: number("$skip", &self.skip, 0, SKIP_MAX)?.unwrap_or(0),
            limit: if only_count { 0 } else { top.or(limit).unwrap_or(PAGE_ROWS) },
            total,
            ..Request::new(condition)
        })
    }

    fn content(&self) -> Result<Content, Error> {
        let expands = match self.expand.as_deref() {
            None | Some("false") => false,
            Some("" | "true") => true,
            Some(other) => return Err(refuse("$expand", other, "write true or false, or the name alone")),
        };
        let Some(select) = &self.select else {
            return Ok(if expands { Content::Full } else { Content::Links });
        };
        let names: Vec<String> = select.split(',').map(|name| name.trim().to_owned()).collect();
        match names.iter().find(|name| name.is_empty() || name.contains('.')) {
            Some(_) => Err(refuse("$select", select, "write names of whole fields, separated by commas")),
            None => Ok(Content::Fields(names)),
        }
    }
}

fn nearest(name: &str) -> Option<&'static str> {
    let known = ["expand", "$filter", "$orderby", "$top", "$skip", "$limit", "$count", "$select"];
    known.into_iter().find(|known| strsim::damerau_levenshtein(known, &name.to_lowercase()) <= 2)
}

fn read_order(text: &str) -> Result<Vec<SortTerm>, Error> {
    let term = |term: &str| {
        let mut words = term.split_whitespace();
        let (name, direction, rest) = (words.next().unwrap_or(""), words.next(), words.next());
        let path = Path::parse(name).map_err(|error: path::Error| refuse("$orderby", text, &error.to_string()))?;
        match (direction, rest) {
            (None | Some("asc"), None) => Ok(SortTerm { path, descending: false }),
            (Some("desc"), None) => Ok(SortTerm { path, descending: true }),
            (None | Some(_), _) => Err(refuse("$orderby", text, "write it as: name desc,counter asc")),
        }
    };
    Ok(order::shorten(text.split(',').map(term).collect::<Result<_, _>>()?))
}

fn number(option: &'static str, text: &Option<String>, min: usize, max: usize) -> Result<Option<usize>, Error> {
    let Some(text) = text else { return Ok(None) };
    let number = digits(text).and_then(|number| usize::try_from(number).ok());
    let number = number.filter(|number| (min..=max).contains(number));
    match number {
        Some(number) => Ok(Some(number)),
        None => Err(refuse(option, text, &format!("write a number from {min} to {max}"))),
    }
}

fn refuse(option: &'static str, value: &str, reason: &str) -> Error {
    Error::Value { option, value: value.to_owned(), reason: reason.to_owned() }
}

/// Decodes a part of a query string as forms write it: a plus is a space, `%2B` a plus.
fn decode(text: &str) -> Result<String, Error> {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(Error::Encoding(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use steward_model::{Moment, Timestamp};

    use super::super::memory::Memory;
    use super::super::request::{Budget, HELD_BYTES_MAX, SCANNED_MAX};
    use super::super::run::run;
    use super::*;

    fn listing(query: &str) -> Result<Listing, Error> {
        Listing::parse(Link::parse("/core/examples").expect("a link"), query)
    }

    fn get(memory: &Memory, query: &str) -> Json {
        let listing = listing(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let budget = Budget {
            now: Timestamp(0),
            deadline: Moment(1),
            scanned_max: SCANNED_MAX,
            held_bytes_max: HELD_BYTES_MAX,
            reads_max: u64::MAX,
        };
        let answer = run(listing.request(), memory, &budget, &|| Moment(0)).expect("an answer");
        serde_json::from_slice(&listing.results(&answer, "hostAtPort8000", 999).expect("a result")).expect("JSON")
    }

    #[test]
    fn a_plain_listing_has_the_shape_that_clients_know() {
        let result = get(&Memory::examples(2), "");
        let expected = json!({
            "documentLinks": ["/core/examples/n0", "/core/examples/n1"], "documentCount": 2, "queryTimeMicros": 999,
            "documentVersion": 0, "documentUpdateTimeMicros": 0, "documentExpirationTimeMicros": 0,
            "documentOwner": "hostAtPort8000"
        });
        assert_eq!(result, expected);
        assert_eq!(result.to_string(), expected.to_string(), "the order of fields is part of the habit");
    }

    #[test]
    fn expand_adds_the_documents() {
        for query in ["", "expand=false", "$expand=false"] {
            assert_eq!(get(&Memory::examples(2), query).get("documents"), None, "{query}");
        }
        let result = get(&Memory::examples(2), "expand");
        assert_eq!(result["documents"]["/core/examples/n1"]["counter"], 1);
        assert_eq!(result["documents"]["/core/examples/n1"]["documentOwner"], "hostAtPort8000");
        assert_eq!(result.get("totalCount"), None);
    }

    #[test]
    fn filters_orders_and_selections_work_together() {
        let query = "%24filter=counter+ge+3&$orderby=counter%20desc,name&$top=2&$select=name,documentVersion";
        let result = get(&Memory::examples(9), query);
        assert_eq!(result["documentLinks"], json!(["/core/examples/n8", "/core/examples/n7"]));
        assert_eq!(result["documents"]["/core/examples/n8"], json!({"name": "n8", "documentVersion": 0}));
        assert_eq!(result.get("nextPageLink"), None);
        let skipped = get(&Memory::examples(9), "$orderby=counter&$skip=7");
        assert_eq!(skipped["documentLinks"], json!(["/core/examples/n7", "/core/examples/n8"]));
    }

    #[test]
    fn counts_are_true_or_missing() {
        let memory = Memory::examples(7);
        let only = get(&memory, "$count=true");
        assert_eq!((&only["totalCount"], &only["documentCount"]), (&json!(7), &json!(7)));
        assert_eq!(only["documentLinks"], json!([]));
        let page = get(&memory, "$count=true&$limit=3");
        assert_eq!((&page["totalCount"], &page["documentCount"]), (&json!(7), &json!(3)));
        assert_eq!(get(&memory, "$filter=counter lt 2")["totalCount"], 2);
        assert_eq!(get(&memory, "$limit=3").get("totalCount"), None);
    }

    #[test]
    fn pages_follow_one_another_to_the_end() {
        let memory = Memory::examples(2500);
        let mut query = "$filter=counter%20ge%200".to_owned();
        let mut sizes = Vec::new();
        loop {
            let page = get(&memory, &query);
            sizes.push(page["documentCount"].as_u64().expect("a number"));
            let Some(next) = page.get("nextPageLink") else { break };
            let next = next.as_str().expect("a text");
            query = next.strip_prefix("/core/examples?").expect("the same factory").to_owned();
            assert!(query.starts_with("$filter=counter%20ge%200&$skiptoken="));
        }
        assert_eq!(sizes, [1000, 1000, 500]);
    }

    #[test]
    fn a_page_belongs_to_its_query() {
        let page = get(&Memory::examples(9), "$limit=2");
        let link = page["nextPageLink"].as_str().expect("a text");
        let token = link.split("$skiptoken=").nth(1).expect("a token");
        let other = listing(&format!("$limit=3&$skiptoken={token}"));
        assert_eq!(other, Err(Error::Page(page::Error::OtherQuery)));
        assert_eq!(listing("$skiptoken=00"), Err(Error::Page(page::Error::Damaged)));
    }

    #[test]
    fn bad_options_are_refused_by_name() {
        for (query, words) in [
            ("$filter=name%20equals%20x", "at character 5"),
            ("$filter=%FF", "UTF-8"),
            ("$top=2&$limit=2", "exclude each other"),
            ("$top=0", "from 1 to 10000"),
            ("$limit=x", "from 1 to 10000"),
            ("$skip=-1", "from 0"),
            ("$count=1", "true or false"),
            ("$orderby=name%20up", "name desc"),
            ("$orderby=", "empty segment"),
            ("$select=a.b", "whole fields"),
            ("$filter=a%20eq%201&$filter=b%20eq%201", "given twice"),
            ("$orderbytype=LONG", "$orderbytype is not supported: supported are $filter"),
            ("limit=3", "$limit"),
            ("_=1&$limit=3", "_"),
            ("cache=no", "cache"),
        ] {
            let error = listing(query).expect_err(query).to_string();
            assert!(error.contains(words), "{query}: {error}");
        }
    }
}
