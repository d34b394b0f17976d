//! Xenon's query specification, as clients post it, and what it means here.
//!
//! ```json
//! {"query": {"booleanClauses": [
//!      {"occurance": "MUST_OCCUR", "term": {"propertyName": "documentKind", "matchValue": "k"}},
//!      {"term": {"propertyName": "counter", "range": {"type": "LONG", "min": 2, "max": 4, "isMinInclusive": true}}}]},
//!  "options": ["SORT", "EXPAND_CONTENT"], "sortTerm": {"propertyName": "name"}, "sortOrder": "DESC",
//!  "resultLimit": 100}
//! ```
//!
//! `occurance` is the word on the wire. Clauses mean what they mean in Lucene: all that must occur do, none that must
//! not does, and of those that should at least one does, unless something else must.
//!
//! Departures: a clause of negations alone is allowed. A `matchValue` without a `propertyType` also finds the number or
//! the boolean that it writes. PHRASE looks for words side by side in any text. An option that is not supported is
//! refused, as is a field that no supported option reads: neither is ever ignored. EXPLAIN is an option of this host: the results tell
//! which way was gone to them and what that cost.

mod clause;
mod error;
mod option;
mod wire;

pub use error::Error;
pub use wire::{RESULT_LIMIT_NONE, Specification};

pub(super) use option::QueryOption;

use error::path_at;
use steward_model::Builtin;
use wire::{Field, SortOrder};

use super::order::{self, SortTerm};
use super::request::{Content, ROWS_MAX, Request, SKIP_MAX};

impl Specification {
    /// Returns true if the option is given.
    pub(super) fn has(&self, option: QueryOption) -> bool {
        self.options.iter().any(|name| name == option.name())
    }

    /// Returns how many rows a page shall have; none if that is not said.
    pub(super) fn page_rows(&self) -> Option<usize> {
        let limited = self.result_limit < RESULT_LIMIT_NONE;
        limited.then(|| usize::try_from(self.result_limit).unwrap_or(ROWS_MAX).min(ROWS_MAX))
    }

    /// Returns what to run: the first page, or all there is.
    ///
    /// # Errors
    /// [`Error`] says where the specification must be changed, and how.
    pub(super) fn request(&self) -> Result<Request, Error> {
        self.check_options()?;
        self.check_limits()?;
        let condition = clause::condition(&self.query)?;
        let count = self.has(QueryOption::Count);
        Ok(Request {
            order: self.order()?,
            all_versions: self.has(QueryOption::IncludeAllVersions),
            deleted: self.has(QueryOption::IncludeDeleted),
            content: self.content()?,
            skip: self.offset.unwrap_or(0),
            limit: if count { 0 } else { self.page_rows().unwrap_or(ROWS_MAX) },
            total: count,
            explain: self.has(QueryOption::Explain),
            ..Request::new(condition)
        })
    }

    fn check_options(&self) -> Result<(), Error> {
        for (place, name) in self.options.iter().enumerate() {
            if !QueryOption::ALL.iter().any(|option| option.name() == name) {
                let supported = QueryOption::ALL.map(QueryOption::name).join(", ");
                let reason = format!("query option {name} is not supported: supported are {supported}");
                return Err(Error::new(format!("/querySpec/options/{place}"), reason));
            }
        }
        let refuse = |reason: &str| Err(Error::new("/querySpec/options", reason));
        let has = |option| self.has(option);
        let selected = has(QueryOption::ExpandSelectedFields);
        let expands = has(QueryOption::ExpandContent) || has(QueryOption::ExpandBuiltinContentOnly) || selected;
        if expands && has(QueryOption::Count) {
            return refuse("EXPAND_* and COUNT exclude each other: COUNT returns no documents");
        }
        if selected && has(QueryOption::ExpandContent) {
            return refuse("EXPAND_SELECTED_FIELDS and EXPAND_CONTENT exclude each other: name one of them");
        }
        if selected == self.select_terms.is_empty() {
            return refuse("EXPAND_SELECTED_FIELDS and selectTerms need each other: give both or neither");
        }
        if has(QueryOption::Sort) != self.sort_term.is_some() {
            return refuse("SORT and sortTerm need each other: give both or neither");
        }
        if self.sort_term.is_none() && !self.additional_sort_terms.is_empty() {
            return refuse("additionalSortTerms need SORT and sortTerm");
        }
        if has(QueryOption::TopResults) && self.page_rows().is_none() {
            return refuse("TOP_RESULTS needs resultLimit: say how many results");
        }
        Ok(())
    }

    fn check_limits(&self) -> Result<(), Error> {
        let above = self.has(QueryOption::TopResults) && self.result_limit > ROWS_MAX as u64;
        if self.result_limit == 0 || above {
            let reason = format!("resultLimit must be from 1 to {ROWS_MAX}; leave TOP_RESULTS out to take pages");
            return Err(Error::new("/querySpec/resultLimit", reason));
        }
        if self.offset.is_some_and(|offset| offset > SKIP_MAX) {
            return Err(Error::new(
                "/querySpec/offset",
                format!("offset must be from 0 to {SKIP_MAX}: take pages instead"),
            ));
        }
        Ok(())
    }

    fn order(&self) -> Result<Vec<SortTerm>, Error> {
        let Some(first) = &self.sort_term else {
            // History reads from the newest version back, whichever document it belongs to.
            let newest_first = SortTerm { path: Builtin::Version.into(), descending: true };
            return Ok(if self.has(QueryOption::IncludeAllVersions) { vec![newest_first] } else { Vec::new() });
        };
        let mut terms = vec![sort_term(first, self.sort_order, "/querySpec/sortTerm")?];
        for (place, field) in self.additional_sort_terms.iter().enumerate() {
            terms.push(sort_term(field, None, &format!("/querySpec/additionalSortTerms/{place}"))?);
        }
        Ok(order::shorten(terms))
    }

    fn content(&self) -> Result<Content, Error> {
        if self.has(QueryOption::ExpandContent) {
            return Ok(Content::Full);
        }
        if self.has(QueryOption::ExpandBuiltinContentOnly) && self.select_terms.is_empty() {
            return Ok(Content::Builtin);
        }
        if self.select_terms.is_empty() {
            return Ok(Content::Links);
        }
        let mut names = Vec::new();
        for (place, field) in self.select_terms.iter().enumerate() {
            if field.property_name.is_empty() || field.property_name.contains('.') {
                let pointer = format!("/querySpec/selectTerms/{place}/propertyName");
                return Err(Error::new(pointer, "selectTerms name whole fields: leave out what follows the dot"));
            }
            names.push(field.property_name.clone());
        }
        if self.has(QueryOption::ExpandBuiltinContentOnly) {
            names.extend(Builtin::ALL.map(|builtin| builtin.name().to_owned()));
        }
        Ok(Content::Fields(names))
    }
}

fn sort_term(field: &Field, order: Option<SortOrder>, pointer: &str) -> Result<SortTerm, Error> {
    let path = path_at(&field.property_name, pointer)?;
    Ok(SortTerm { path, descending: order.or(field.sort_order) == Some(SortOrder::Desc) })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn parse(specification: Json) -> Result<Specification, String> {
        serde_json::from_value(specification).map_err(|error| error.to_string())
    }

    fn refusal(specification: Json) -> (String, String) {
        let error = parse(specification).expect("the right shape").request().expect_err("must be refused");
        (error.pointer, error.reason)
    }

    /// Returns the condition of a query, printed as a filter.
    fn filter(query: Json) -> String {
        let request = parse(json!({ "query": query })).expect("the right shape").request().expect("a good query");
        request.condition.to_string()
    }

    fn term(name: &str, value: &str) -> Json {
        json!({"propertyName": name, "matchValue": value})
    }

    fn clause(occurance: &str, name: &str) -> Json {
        json!({"occurance": occurance, "term": term(name, "x")})
    }

    #[test]
    fn clauses_mean_what_they_mean_in_lucene() {
        let all = |clauses: &[Json]| filter(json!({ "booleanClauses": clauses }));
        let (must, not, should) = ("MUST_OCCUR", "MUST_NOT_OCCUR", "SHOULD_OCCUR");
        assert_eq!(all(&[clause(must, "a"), clause(must, "b")]), "a eq 'x' and b eq 'x'");
        assert_eq!(all(&[clause(should, "a"), clause(should, "b")]), "a eq 'x' or b eq 'x'");
        assert_eq!(all(&[clause(must, "a"), clause(should, "b")]), "a eq 'x'");
        assert_eq!(all(&[clause(not, "a"), clause(should, "b")]), "not (a eq 'x') and b eq 'x'");
        assert_eq!(all(&[clause(not, "a"), clause(must, "b")]), "not (a eq 'x') and b eq 'x'");
        assert_eq!(filter(clause(not, "a")), "not (a eq 'x')");
    }

    #[test]
    fn terms_match_by_their_type() {
        let typed = |value: &str, kind: &str| {
            filter(json!({"term": {"propertyName": "a", "matchValue": value, "propertyType": kind}}))
        };
        assert_eq!(typed("3", "LONG"), "a eq 3");
        assert_eq!(typed("3", "STRING"), "a eq '3'");
        assert_eq!(typed("true", "BOOLEAN"), "a eq true");
        assert_eq!(filter(json!({"term": term("a", "3")})), "a eq '3' or a eq 3");
        assert_eq!(filter(json!({"term": {"propertyName": "a", "matchValue": true}})), "a eq 'true' or a eq true");
        assert_eq!(filter(json!({"term": term("documentVersion", "3")})), "documentVersion eq 3");
        assert_eq!(filter(json!({"term": term("documentSelfLink", "3")})), "documentSelfLink eq '3'");
    }

    #[test]
    fn matches_and_ranges_become_conditions() {
        let matched = |kind: &str, value: &str| {
            filter(json!({"term": {"propertyName": "a", "matchValue": value, "matchType": kind}}))
        };
        assert_eq!(matched("WILDCARD", "x*"), "startswith(a, 'x')");
        assert_eq!(matched("WILDCARD", "*x?"), "like(a, '*x?')");
        assert_eq!(matched("PREFIX", "x*"), r"startswith(a, 'x\*')");
        assert_eq!(matched("PHRASE", "Quick fox"), "phrase(a, 'quick fox')");
        let range = |range: Json| filter(json!({"term": {"propertyName": "a", "range": range}}));
        assert_eq!(range(json!({"type": "LONG", "min": 2, "max": 4, "isMinInclusive": true})), "a ge 2 and a lt 4");
        assert_eq!(range(json!({"type": "DOUBLE", "max": -0.5, "isMaxInclusive": true})), "a le -0.5");
    }

    #[test]
    fn clauses_are_bounded_in_number_and_depth() {
        let many = |count: usize| json!({ "booleanClauses": vec![json!({ "term": { "propertyName": "a", "matchValue": "b" } }); count] });
        let nested = |levels: usize| (0..levels).fold(many(1), |inside, _| json!({ "booleanClauses": [inside] }));
        for (query, pointer) in [
            (many(1025), "/querySpec/query/booleanClauses/1024".to_owned()),
            (
                json!({ "booleanClauses": [many(600), many(600)] }),
                "/querySpec/query/booleanClauses/1/booleanClauses/422".to_owned(),
            ),
            (nested(32), format!("/querySpec/query{}", "/booleanClauses/0".repeat(33))),
        ] {
            let (at, reason) = refusal(json!({ "query": query }));
            assert_eq!(at, pointer);
            assert!(reason.contains("at most"), "{reason}");
        }
        for query in [many(1024), nested(31)] {
            parse(json!({ "query": query }))
                .and_then(|read| read.request().map_err(|error| error.to_string()))
                .expect("a query");
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let query = |query: Json| refusal(json!({ "query": query })).0;
        assert_eq!(query(json!({})), "/querySpec/query");
        assert_eq!(query(json!({"booleanClauses": []})), "/querySpec/query");
        assert_eq!(
            query(json!({"booleanClauses": [clause("MUST_OCCUR", "a"), {"term": {"propertyName": "b"}}]})),
            "/querySpec/query/booleanClauses/1/term"
        );
        assert_eq!(query(json!({"term": term("a..b", "x")})), "/querySpec/query/term/propertyName");
        let typed = json!({"term": {"propertyName": "a", "matchValue": "x", "propertyType": "LONG"}});
        assert_eq!(query(typed), "/querySpec/query/term/matchValue");
        let both = json!({"term": {"propertyName": "a", "matchValue": "x", "range": {"min": 1}}});
        assert_eq!(query(both), "/querySpec/query/term");
        let text = json!({"term": {"propertyName": "documentKind", "range": {"min": 1}}});
        assert_eq!(query(text), "/querySpec/query/term/range");
    }

    #[test]
    fn options_that_are_not_supported_are_refused_by_name() {
        let options = json!({"query": {"term": term("a", "x")}, "options": ["COUNT", "GROUP_BY"]});
        let (pointer, reason) = refusal(options);
        assert_eq!(pointer, "/querySpec/options/1");
        assert!(reason.starts_with("query option GROUP_BY is not supported: supported are COUNT,"), "{reason}");
        let error = parse(json!({"query": {}, "groupByTerm": {"propertyName": "a"}})).expect_err("unknown field");
        assert!(error.contains("groupByTerm") && error.contains("resultLimit"), "{error}");
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        for (more, word) in [
            (json!({"options": ["COUNT", "EXPAND_CONTENT"]}), "COUNT"),
            (json!({"options": ["EXPAND_SELECTED_FIELDS"]}), "selectTerms"),
            (json!({"selectTerms": [{"propertyName": "a"}]}), "EXPAND_SELECTED_FIELDS"),
            (
                json!({
                    "options": ["EXPAND_SELECTED_FIELDS", "EXPAND_CONTENT"], "selectTerms": [{"propertyName": "a"}]
                }),
                "EXPAND_CONTENT",
            ),
            (json!({"options": ["SORT"]}), "sortTerm"),
            (json!({"sortTerm": {"propertyName": "a"}}), "SORT"),
            (json!({"options": ["TOP_RESULTS"]}), "resultLimit"),
            (json!({"resultLimit": 0}), "from 1"),
            (json!({"resultLimit": 20_000, "options": ["TOP_RESULTS"]}), "to 10000"),
        ] {
            let mut specification = more.clone();
            specification["query"] = json!({"term": term("a", "x")});
            let (_, reason) = refusal(specification);
            assert!(reason.contains(word), "{more}: {reason}");
        }
    }

    #[test]
    fn history_is_read_from_the_newest_version_back() {
        let query = json!({"term": term("a", "x")});
        let specification =
            parse(json!({"query": query, "options": ["INCLUDE_ALL_VERSIONS"]})).expect("the right shape");
        let request = specification.request().expect("a good query");
        assert_eq!(request.order, [SortTerm { path: Builtin::Version.into(), descending: true }]);
    }
}
