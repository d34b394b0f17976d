//! `/`: what this node serves, for programs and for a browser. `/core`: the part of it that lies there.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::shapes::list;
use crate::http::Http;
use crate::http::answer_body::AnswerBody;
use crate::http::encode::{self, Answer};
use crate::http::host_request::HostRequest;

/// Factories of the host itself.
const OWN: [&str; 5] =
    ["/core/factories", "/core/modules", "/core/node-groups", "/core/node-selectors", "/core/query-tasks"];

/// Where to look besides the services, and what is there.
const LINKS: [(&str, &str); 8] = [
    ("factories", "/core/factories?expand"),
    ("health", "/health/ready"),
    ("management", "/core/management"),
    ("metrics", "/metrics"),
    ("modules", "/core/modules?expand"),
    ("nodeGroup", "/core/node-groups/default"),
    ("openapi", "/openapi.json"),
    ("partitions", "/core/partitions"),
];

/// Lists the services of this node whose path begins with `below`, and the factories that it cannot serve now: they have documents.
pub(super) fn answer(http: &Http, asked: &HostRequest, below: &str) -> Answer {
    let (services, absent) = (http.operations().services().all(), http.operations().services().all_absent());
    let mounted = services.iter().map(|service| Described {
        path: service.path.to_string(),
        docs: service.descriptor().docs.clone(),
        is_served: true,
    });
    let absent = absent.iter().map(|absent| Described {
        path: absent.path.to_string(),
        docs: format!("not served now: {}", absent.reason),
        is_served: false,
    });
    let mut described: Vec<Described> =
        mounted.chain(absent).filter(|service| service.path.starts_with(below)).collect();
    described.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let mut answer = match shows_pages(&asked.parts.headers) {
        true => page(http, &described),
        false => document(http, &described, below),
    };
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    answer
}

/// A service, as it is listed.
struct Described {
    path: String,
    docs: String,
    /// It answers here and now, and so does what lies below it.
    is_served: bool,
}

fn document(http: &Http, described: &[Described], below: &str) -> Answer {
    let mut links: Vec<String> = described.iter().map(|service| service.path.clone()).collect();
    links.extend(OWN.into_iter().filter(|own| own.starts_with(below)).map(str::to_owned));
    links.sort_unstable();
    let mut list = list(http, links, None);
    let served = described.iter().filter(|service| service.is_served);
    let templates = served.map(|service| (service.path.clone(), format!("{}/template", service.path).into()));
    let mut further: Map<String, Value> =
        LINKS.iter().map(|(name, link)| ((*name).to_owned(), (*link).into())).collect();
    further.insert("templates".to_owned(), Value::Object(templates.collect()));
    list["links"] = json!(further);
    encode::json(StatusCode::OK, &list)
}

/// A browser names the type of pages, programs do not.
fn shows_pages(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|media| media.split(';').next().unwrap_or_default().trim() == "text/html")
}

fn page(http: &Http, described: &[Described]) -> Answer {
    let mut body = String::from(
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>steward</title>\
         <style>body{font:16px/1.5 system-ui;max-width:48em;margin:2em auto;padding:0 1em}td,th{text-align:left;padding:0 1em 0 0}\
         </style>\n",
    );
    // Writing into a text does not fail.
    let _ = writeln!(
        body,
        "<h1>steward</h1><p>Node {}, version {}.</p>",
        text(http.owner_name()),
        env!("CARGO_PKG_VERSION")
    );
    match described.is_empty() {
        true => body.push_str("<p>Nothing is deployed yet: <code>steward deploy FILE.wasm</code></p>\n"),
        false => body.push_str("<table><tr><th>Service<th>Shape<th>What it is\n"),
    }
    for service in described {
        let (path, docs) = (text(&service.path), text(&service.docs));
        let _ = match service.is_served {
            true => writeln!(
                body,
                "<tr><td><a href=\"{path}\">{path}</a><td><a href=\"{path}/template\">template</a><td>{docs}"
            ),
            false => writeln!(body, "<tr><td>{path}<td>–<td>{docs}"),
        };
    }
    if !described.is_empty() {
        body.push_str("</table>\n");
    }
    body.push_str("<p>");
    for (name, link) in LINKS {
        let _ = write!(body, "<a href=\"{link}\">{name}</a> ");
    }
    let mut response = Response::new(AnswerBody::from(Bytes::from(body)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"));
    response
}

/// Returns a text as HTML shows it.
fn text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_says_of_itself_is_no_html() {
        assert_eq!(text("<b a='x' c=\"y\">&"), "&lt;b a=&#39;x&#39; c=&quot;y&quot;&gt;&amp;");
    }

    #[test]
    fn only_who_names_pages_gets_one() {
        let accepts =
            |accept: &'static str| shows_pages(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
        assert!(accepts("text/html,application/xhtml+xml,*/*;q=0.8") && accepts("application/json, text/html;q=0.9"));
        assert!(!accepts("*/*") && !accepts("application/json") && !shows_pages(&HeaderMap::new()));
    }
}
