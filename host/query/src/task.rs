//! Query tasks: `POST /core/query-tasks`, and the pages of their results.
//!
//! A task is run at once and answered finished, whether it is direct or not; what to do with one that is not is the
//! caller's choice. As in Xenon, a task with `resultLimit` returns no rows itself but the link of its first page, if
//! there are any rows; TOP_RESULTS returns them. A task without `resultLimit` returns up to 10,000 rows and, where
//! Xenon fails, the link of the page that follows them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use steward_model::render::{close_object, write_name};
use steward_model::{Timestamp, strict};

use super::answer::Answer;
use super::page::{self, TaskPage};
use super::request::Request;
use super::results::{self, Frame, write_number, write_string};
use super::spec::{self, QueryOption, Specification};

/// Where pages are; the token follows as a query parameter, since a self-link has no room for it.
pub const PAGES: &str = "/core/query-page";

/// How long a task lives if it does not say: ten minutes.
pub const LIFETIME: std::time::Duration = std::time::Duration::from_secs(600);

/// The kind of query tasks.
pub const KIND: &str = "com:vmware:xenon:services:common:QueryTask";

/// Why a query task is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The body is no query task.
    #[error("body is no query task: {0}")]
    Shape(#[from] strict::Fault),
    /// The specification must be changed.
    #[error("{0}")]
    Specification(#[from] spec::Error),
    /// The page cannot be had. [`page::Error::Expired`] means that it existed once.
    #[error("{0}")]
    Page(#[from] page::Error),
}

/// A query task, or one page of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    specification: Specification,
    request: Request,
    is_direct: bool,
    expires: Option<Timestamp>,
    part: Part,
}

/// What of a task this is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// The whole task, rows included.
    Whole,
    /// The task without its rows, which are on pages.
    Announcement,
    /// The page with this link.
    Page(String),
}

/// What is known only when the query has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finish<'a> {
    /// The self-link that the task gets.
    pub link: &'a str,
    /// The host id of the node that answers.
    pub owner: &'a str,
    /// The time of day.
    pub now: Timestamp,
    /// How long the query took.
    pub micros: u64,
}

/// What is read of a task. The other fields that a task has in Xenon and in our own answers mean nothing here, and may be sent back; they
/// have their types, so that nobody takes for understood what was not even read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    #[serde(default, rename = "taskInfo")]
    wish: Wish,
    query_spec: Option<Specification>,
    #[serde(default)]
    tenant_links: Option<Vec<String>>,
    #[serde(default)]
    document_expiration_time_micros: i64,
    #[serde(rename = "results")]
    _results: Option<BTreeMap<String, IgnoredAny>>,
    #[serde(rename = "indexLink")]
    _index_link: Option<String>,
    #[serde(rename = "nodeSelectorLink")]
    _node_selector_link: Option<String>,
    #[serde(rename = "kind")]
    _kind: Option<String>,
    #[serde(rename = "documentKind")]
    _document_kind: Option<String>,
    #[serde(rename = "documentSelfLink")]
    _document_self_link: Option<String>,
    #[serde(rename = "documentVersion")]
    _document_version: Option<i64>,
    #[serde(rename = "documentEpoch")]
    _document_epoch: Option<i64>,
    #[serde(rename = "documentUpdateTimeMicros")]
    _document_update_time: Option<i64>,
    #[serde(rename = "documentUpdateAction")]
    _document_update_action: Option<String>,
    #[serde(rename = "documentOwner")]
    _document_owner: Option<String>,
    #[serde(rename = "documentSourceLink")]
    _document_source_link: Option<String>,
    #[serde(rename = "documentAuthPrincipalLink")]
    _document_auth_principal_link: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wish {
    is_direct: bool,
    #[serde(rename = "stage")]
    _stage: Option<String>,
    #[serde(rename = "failure")]
    _failure: Option<BTreeMap<String, IgnoredAny>>,
    #[serde(rename = "durationMicros")]
    _duration: Option<i64>,
}

impl Task {
    /// Reads the body of a POST.
    ///
    /// # Errors
    /// [`Error`] says what is wrong and where: with line and column where the shape is wrong, otherwise with a pointer.
    pub fn parse(body: &[u8]) -> Result<Task, Error> {
        let body: Body = strict::from_slice(body)?;
        let refuse = |pointer: &str, reason: &str| {
            Err(spec::Error { pointer: pointer.to_owned(), reason: reason.to_owned() }.into())
        };
        let Some(specification) = body.query_spec else {
            return refuse("/querySpec", "querySpec is required: it says what to look for");
        };
        if body.tenant_links.is_some_and(|links| !links.is_empty()) {
            return refuse(
                "/tenantLinks",
                "tenantLinks are not supported: put a clause on tenantLinks.item into the query",
            );
        }
        if body.document_expiration_time_micros < 0 {
            return refuse(
                "/documentExpirationTimeMicros",
                "documentExpirationTimeMicros is microseconds since 1970; 0 or none: ten minutes from now",
            );
        }
        let mut request = specification.request()?;
        let is_paged = specification.page_rows().is_some()
            && !specification.has(QueryOption::TopResults)
            && !specification.has(QueryOption::Count);
        if is_paged {
            request.limit = 1;
        }
        let part = if is_paged { Part::Announcement } else { Part::Whole };
        let expires = Some(Timestamp(body.document_expiration_time_micros)).filter(|expires| expires.0 > 0);
        Ok(Task { specification, request, is_direct: body.wish.is_direct, expires, part })
    }

    /// Reads the token of a page.
    ///
    /// # Errors
    /// [`Error::Page`] if the token is damaged, or the task has expired by `now`.
    pub fn page(token: &str, now: Timestamp) -> Result<Task, Error> {
        let page: TaskPage = page::open(token)?;
        if page.expires <= now {
            return Err(page::Error::Expired.into());
        }
        let specification: Specification =
            serde_json::from_str(&page.specification).map_err(|_| page::Error::Damaged)?;
        let mut request = specification.request()?;
        if let Some(after) = page.after {
            if !after.fits(&request.order) {
                return Err(page::Error::Damaged.into());
            }
            request.after = Some(after);
            request.skip = 0;
        }
        let part = Part::Page(link(token));
        Ok(Task { specification, request, is_direct: true, expires: Some(page.expires), part })
    }

    /// Returns what to run.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns true if the client waits for the results.
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// Returns the finished task as clients see it.
    ///
    /// # Errors
    /// [`page::Error::TooLong`] if the specification is too long to be carried from page to page.
    pub fn finish(&self, answer: &Answer, finish: &Finish<'_>) -> Result<Bytes, page::Error> {
        let expires = self.expires.unwrap_or_else(|| finish.now.plus(LIFETIME));
        let next_page = self.next_page(answer, expires)?;
        let empty = Answer::default();
        let shown = if self.part == Part::Announcement { &empty } else { answer };
        let mut out = Vec::with_capacity(1024 + shown.rows.iter().map(|row| row.content.len() + 128).sum::<usize>());
        out.push(b'{');
        self.write_stage(&mut out, finish.micros);
        write_name(&mut out, "querySpec");
        serde_json::to_writer(&mut out, &self.specification).expect("a specification is plain JSON");
        out.push(b',');
        write_name(&mut out, "results");
        let frame = Frame { owner: finish.owner, micros: finish.micros, total: None, next_page: next_page.as_deref() };
        results::write(&mut out, &self.request, shown, &frame);
        out.push(b',');
        write_string(&mut out, "indexLink", "/core/document-index");
        write_string(&mut out, "nodeSelectorLink", "/core/node-selectors/default");
        write_number(&mut out, "documentVersion", 0);
        write_number(&mut out, "documentEpoch", 0);
        write_string(&mut out, "documentKind", KIND);
        let (link, updated) = match &self.part {
            Part::Whole | Part::Announcement => (finish.link, finish.now),
            Part::Page(link) => (link.as_str(), Timestamp(0)),
        };
        write_string(&mut out, "documentSelfLink", link);
        write_number(&mut out, "documentUpdateTimeMicros", updated.0.unsigned_abs());
        write_number(&mut out, "documentExpirationTimeMicros", expires.0.unsigned_abs());
        write_string(&mut out, "documentOwner", finish.owner);
        close_object(&mut out);
        Ok(Bytes::from(out))
    }

    fn write_stage(&self, out: &mut Vec<u8>, micros: u64) {
        write_name(out, "taskInfo");
        out.push(b'{');
        write_string(out, "stage", "FINISHED");
        write_name(out, "isDirect");
        out.extend_from_slice(if self.is_direct { b"true," } else { b"false," });
        write_number(out, "durationMicros", micros);
        close_object(out);
        out.push(b',');
    }

    fn next_page(&self, answer: &Answer, expires: Timestamp) -> Result<Option<String>, page::Error> {
        let after = match &self.part {
            Part::Announcement if answer.rows.is_empty() => return Ok(None),
            Part::Announcement => None,
            Part::Whole | Part::Page(_) if self.specification.has(QueryOption::TopResults) => {
                return Ok(None);
            }
            Part::Whole | Part::Page(_) => match &answer.next {
                Some(next) if self.request.limit > 0 => Some(next.clone()),
                Some(_) | None => return Ok(None),
            },
        };
        let specification = serde_json::to_string(&self.specification).expect("a specification is plain JSON");
        Ok(Some(link(&page::seal(&TaskPage { specification, expires, after })?)))
    }
}

fn link(token: &str) -> String {
    format!("{PAGES}?{}={token}", page::PARAMETER)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use steward_model::Moment;

    use super::super::memory::{KIND as EXAMPLE, Memory};
    use super::super::request::{Budget, HELD_BYTES_MAX, SCANNED_MAX};
    use super::super::run::run;
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_251_256_681_000);

    fn finished(memory: &Memory, task: &Task) -> Json {
        let budget = Budget {
            now: NOW,
            deadline: Moment(1),
            scanned_max: SCANNED_MAX,
            held_bytes_max: HELD_BYTES_MAX,
            reads_max: u64::MAX,
        };
        let answer = run(task.request(), memory, &budget, &|| Moment(0)).expect("an answer");
        let finish = Finish { link: "/core/query-tasks/1", owner: "hostAtPort8000", now: NOW, micros: 998 };
        serde_json::from_slice(&task.finish(&answer, &finish).expect("a task")).expect("JSON")
    }

    fn post(memory: &Memory, specification: Json) -> Json {
        let body = json!({"taskInfo": {"isDirect": true}, "querySpec": specification}).to_string();
        finished(memory, &Task::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}")))
    }

    fn token(link: &Json) -> String {
        let link = link.as_str().expect("a link");
        link.strip_prefix("/core/query-page?$skiptoken=").expect("the link of a page").to_owned()
    }

    fn examples() -> Json {
        json!({"term": {"propertyName": "documentKind", "matchValue": EXAMPLE}})
    }

    #[test]
    fn a_direct_task_is_answered_in_the_shape_that_clients_know() {
        let query = json!({"term": {"propertyName": "name", "matchValue": "n3", "matchType": "TERM"}});
        let task = post(&Memory::examples(5), json!({ "query": query }));
        let expected = r#"{"taskInfo":{"stage":"FINISHED","isDirect":true,"durationMicros":998},
            "querySpec":{"query":{"occurance":"MUST_OCCUR",
                "term":{"propertyName":"name","matchValue":"n3","matchType":"TERM"}},
                "resultLimit":2147483647,"options":[]},
            "results":{"documentLinks":["/core/examples/n3"],"documentCount":1,"queryTimeMicros":998,
                "documentVersion":0,"documentUpdateTimeMicros":0,"documentExpirationTimeMicros":0,
                "documentOwner":"hostAtPort8000"},
            "indexLink":"/core/document-index","nodeSelectorLink":"/core/node-selectors/default",
            "documentVersion":0,"documentEpoch":0,"documentKind":"com:vmware:xenon:services:common:QueryTask",
            "documentSelfLink":"/core/query-tasks/1","documentUpdateTimeMicros":1795251256681000,
            "documentExpirationTimeMicros":1795251856681000,"documentOwner":"hostAtPort8000"}"#;
        let expected: Json = serde_json::from_str(expected).expect("JSON");
        assert_eq!(task.to_string(), expected.to_string());
    }

    #[test]
    fn history_names_versions_newest_first() {
        let mut memory = Memory::examples(2);
        memory.put("/core/examples/n0", "{}");
        memory.put("/core/examples/n1", "{}");
        memory.put("/core/examples/n1", "{}");
        let task = post(&memory, json!({"query": examples(), "options": ["INCLUDE_ALL_VERSIONS", "EXPAND_CONTENT"]}));
        let names = ["n1?documentVersion=2", "n0?documentVersion=1", "n1?documentVersion=1", "n0?documentVersion=0"];
        let links = task["results"]["documentLinks"].as_array().expect("a list");
        for (link, name) in links.iter().zip(names) {
            assert_eq!(*link, format!("/core/examples/{name}"));
            assert!(task["results"]["documents"][link.as_str().expect("a text")]["documentVersion"].is_u64());
        }
        assert_eq!(links.len(), 5);
    }

    #[test]
    fn the_options_of_content_decide_what_documents_show() {
        let memory = Memory::examples(1);
        let shown = |option: &str, select: Json| {
            let mut specification = json!({"query": examples(), "options": [option]});
            if !select.is_null() {
                specification["selectTerms"] = select;
            }
            post(&memory, specification)["results"]["documents"]["/core/examples/n0"].clone()
        };
        assert_eq!(shown("EXPAND_CONTENT", Json::Null)["name"], "n0");
        let builtin = shown("EXPAND_BUILTIN_CONTENT_ONLY", Json::Null);
        assert_eq!((builtin.get("name"), &builtin["documentVersion"]), (None, &json!(0)));
        assert_eq!(shown("EXPAND_SELECTED_FIELDS", json!([{"propertyName": "name"}])), json!({"name": "n0"}));
        assert_eq!(shown("INCLUDE_DELETED", Json::Null), Json::Null);
    }

    #[test]
    fn a_count_returns_the_number_alone() {
        let results = &post(&Memory::examples(4), json!({"query": examples(), "options": ["COUNT"]}))["results"];
        assert_eq!((&results["documentLinks"], &results["documentCount"]), (&json!([]), &json!(4)));
    }

    #[test]
    fn top_results_are_in_the_task_itself() {
        let specification = json!({
            "query": examples(), "options": ["SORT", "TOP_RESULTS"], "resultLimit": 2,
            "sortTerm": {"propertyName": "counter", "propertyType": "LONG"}, "sortOrder": "DESC"
        });
        let results = &post(&Memory::examples(12), specification)["results"];
        assert_eq!(results["documentLinks"], json!(["/core/examples/n11", "/core/examples/n10"]));
        assert_eq!(results.get("nextPageLink"), None);
    }

    #[test]
    fn a_result_limit_puts_the_rows_on_pages() {
        let memory = Memory::examples(5);
        let specification = json!({
            "query": examples(), "options": ["SORT", "EXPAND_CONTENT"], "resultLimit": 2,
            "sortTerm": {"propertyName": "name"}, "sortOrder": "DESC"
        });
        let mut task = post(&memory, specification);
        assert_eq!((&task["results"]["documentLinks"], &task["results"]["documents"]), (&json!([]), &json!({})));
        let mut names = Vec::new();
        while let Some(link) = task["results"].get("nextPageLink") {
            let link = link.clone();
            task = finished(&memory, &Task::page(&token(&link), NOW).expect("a page"));
            assert_eq!(task["documentSelfLink"], link);
            assert_eq!(task["documentExpirationTimeMicros"], 1_795_251_856_681_000_i64);
            let page = task["results"]["documents"].as_object().expect("an object");
            names.extend(page.values().map(|document| document["name"].as_str().expect("a text").to_owned()));
        }
        assert_eq!(names, ["n4", "n3", "n2", "n1", "n0"]);
        let nothing = json!({"query": {"term": {"propertyName": "name", "matchValue": "x"}}, "resultLimit": 2});
        assert_eq!(post(&memory, nothing)["results"].get("nextPageLink"), None);
    }

    #[test]
    fn pages_die_with_their_task() {
        let task = post(&Memory::examples(5), json!({"query": examples(), "resultLimit": 2}));
        let token = token(&task["results"]["nextPageLink"]);
        assert!(Task::page(&token, NOW.plus(LIFETIME - std::time::Duration::from_micros(1))).is_ok());
        assert!(matches!(Task::page(&token, NOW.plus(LIFETIME)), Err(Error::Page(page::Error::Expired))));
    }

    #[test]
    fn a_body_that_is_no_task_is_refused_with_the_place() {
        for (body, words) in [
            (r#"{"taskInfo":{"isDirect":true}}"#, "querySpec is required"),
            (r#"{"querySpec":"#, "line 1 column 13"),
            (r#"{"querySpec":{"query":{"occurance":"MAY_OCCUR"}}}"#, "MUST_NOT_OCCUR"),
            (r#"{"querySpec":{"query":{"terms":{}}}}"#, "unknown field `terms`"),
            (r#"{"querySpec":{"query":{}},"tenantLinks":["/t"]}"#, "tenantLinks are not supported"),
            (r#"{"querySpec":{"query":{}}}"#, "(at /querySpec/query)"),
        ] {
            let error = Task::parse(body.as_bytes()).expect_err(body).to_string();
            assert!(error.contains(words), "{body}: {error}");
        }
        let deep = format!(r#"{{"querySpec":{{"query":{}"#, r#"{"booleanClauses":["#.repeat(10_000));
        assert!(matches!(Task::parse(deep.as_bytes()), Err(Error::Shape(_))));
    }
}
