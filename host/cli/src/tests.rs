//! Tests of whole commands against a played host: what is sent, what is printed, how the process ends.

use std::io::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::output::{Format, Times};
use super::*;

/// The time at which all commands run, in microseconds.
const NOW: i64 = 1_700_000_000_000_000;

/// Bytes that a test reads after a command has written them.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no writer panics").clone()).expect("UTF-8")
    }
}

/// What a command did.
struct Seen {
    exit: u8,
    data: String,
    talk: String,
    requests: Vec<String>,
}

/// In place of a status: the host takes the request and never answers.
const NEVER: u16 = 0;

type Reply = (u16, &'static [(&'static str, &'static str)], Value);

/// Runs a command against a host that answers by `play(request line, body)`, with `answer` on standard input.
async fn run_with(words: &[&str], answer: Option<&str>, play: fn(&str, &str) -> Reply) -> Seen {
    run_on(words, answer, None, play).await
}

/// The same on a terminal with so many columns.
async fn run_on(words: &[&str], answer: Option<&str>, columns: Option<usize>, play: fn(&str, &str) -> Reply) -> Seen {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let host = format!("http://{}", listener.local_addr().expect("an address"));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let server = tokio::spawn(serve(listener, Arc::clone(&requests), play));
    let all = ["steward", "-H", &host].into_iter().chain(words.iter().copied());
    let matches = help::command(clap::ColorChoice::Never).try_get_matches_from(all).expect("a valid command line");
    let cli = Cli::from_arg_matches(&matches).expect("a valid command line");
    let (data, talk) = (Paper::default(), Paper::default());
    let mut terminal = Terminal { columns, ..terminal(&data, &talk, answer) };
    cli.global.configure(&mut terminal);
    (terminal.coloured, terminal.coloured_data) = (false, false);
    let Verb::Command(command) = &cli.command else { panic!("{words:?} starts a node") };
    let ended = dispatch(command, &cli.global, &mut terminal).await;
    let exit = ended.unwrap_or_else(|failure| {
        terminal.show_failure(&failure);
        failure.exit
    });
    server.abort();
    let requests = requests.lock().expect("no server panics").clone();
    let hide = |paper: &Paper| paper.text().replace(&host, "HOST");
    Seen { exit: exit as u8, data: hide(&data), talk: hide(&talk), requests }
}

/// Returns a terminal that writes on paper; somebody watches it who has such an answer to give.
fn terminal(data: &Paper, talk: &Paper, answer: Option<&str>) -> Terminal {
    Terminal {
        lost: None,
        data: Box::new(data.clone()),
        talk: Box::new(talk.clone()),
        answers: Box::new(std::io::Cursor::new(answer.unwrap_or_default().to_owned())),
        format: Format::Table,
        times: Times::Human,
        columns: None,
        quiet: false,
        coloured: false,
        coloured_data: false,
        interactive: answer.is_some(),
        now: Timestamp(NOW),
    }
}

async fn run(words: &[&str], play: fn(&str, &str) -> Reply) -> Seen {
    run_with(words, None, play).await
}

async fn serve(listener: TcpListener, requests: Arc<Mutex<Vec<String>>>, play: fn(&str, &str) -> Reply) {
    while let Ok((stream, _)) = listener.accept().await {
        let requests = Arc::clone(&requests);
        let service = service_fn(move |request| reply(request, Arc::clone(&requests), play));
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn reply(
    request: Request<hyper::body::Incoming>,
    requests: Arc<Mutex<Vec<String>>>,
    play: fn(&str, &str) -> Reply,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let line = format!("{} {}", request.method(), request.uri());
    let conditions: String = ["if-match", "idempotency-key", "prefer", "content-type"]
        .into_iter()
        .filter_map(|name| Some(format!(" {name}={}", request.headers().get(name)?.to_str().ok()?)))
        .collect();
    let body = request.into_body().collect().await.expect("a whole body").to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    requests.lock().expect("no server panics").push(format!("{line}{conditions} {body}").trim_end().to_owned());
    let (status, headers, answer) = play(&line, &body);
    if status == NEVER {
        return std::future::pending().await;
    }
    let text = if answer.is_null() { String::new() } else { answer.to_string() };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    // By this a host is known.
    response.headers_mut().insert("x-steward-owner", http::HeaderValue::from_static("node-2"));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        response.headers_mut().insert(*name, http::HeaderValue::from_static(value));
    }
    Ok(response)
}

const OWNED: &[(&str, &str)] = &[("x-steward-owner", "node-2"), ("etag", "\"1-0\"")];

fn counter(_: &str, _: &str) -> Reply {
    (201, OWNED, json!({"name": "c1", "count": 3, "documentSelfLink": "/core/counters/c1", "documentVersion": 0}))
}

#[tokio::test]
async fn post_sends_fields_and_prints_link_and_state() {
    let words =
        ["post", "/core/counters", "name=c1", "count:=3", "--id", "c1", "--idempotency-key", "k", "--timeout", "9s"];
    let seen = run(&words, counter).await;
    assert_eq!(seen.exit, 0);
    assert_eq!(
        seen.requests,
        ["POST /core/counters idempotency-key=k prefer=wait=8 content-type=application/json \
          {\"name\":\"c1\",\"count\":3,\"documentSelfLink\":\"/core/counters/c1\"}"]
    );
    assert_eq!(seen.talk, "201 /core/counters/c1   v0   owner node-2\n");
    assert!(seen.data.starts_with("{\n  \"name\": \"c1\",\n  \"count\": 3,"), "{}", seen.data);
}

#[tokio::test]
async fn quiet_post_prints_the_link_alone() {
    let seen = run(&["-q", "post", "/core/counters"], counter).await;
    assert_eq!((seen.data.as_str(), seen.talk.as_str()), ("/core/counters/c1\n", ""));
}

#[tokio::test]
async fn patch_and_delete_carry_preconditions() {
    let seen = run(&["patch", "/core/counters/c1", "--kind", "Add", "by:=3", "--if-match", "1-7"], counter).await;
    assert_eq!(
        seen.requests,
        [
            "PATCH /core/counters/c1 if-match=\"1-7\" prefer=wait=29 content-type=application/json {\"by\":3,\"kind\":\"Add\"}"
        ]
    );
    let seen = run(&["delete", "/core/counters/c1", "--if-match", "*"], counter).await;
    assert_eq!(seen.requests, ["DELETE /core/counters/c1 if-match=* prefer=wait=29"]);
}

#[tokio::test]
async fn get_shows_headers_and_selected_fields_on_request() {
    let seen = run(&["get", "/core/counters/c1", "--version", "3", "-i", "--select", "name,count"], counter).await;
    assert_eq!(seen.requests, ["GET /core/counters/c1?documentVersion=3"]);
    assert!(seen.data.starts_with("HTTP/1.1 201 Created\nx-steward-owner: node-2\netag: \"1-0\"\n"), "{}", seen.data);
    assert!(seen.data.ends_with("\n\nc1\n3\n"), "{}", seen.data);
    let seen = run(&["get", "/core/counters/c1", "--select", "nothing"], counter).await;
    assert_eq!(seen.exit, 5);
}

#[tokio::test]
async fn delete_of_what_is_no_document_asks_first() {
    let path = "/core/factories/core/counters";
    let seen = run(&["delete", path], counter).await;
    assert_eq!((seen.exit, seen.requests.len()), (2, 0), "{}", seen.talk);
    let seen = run_with(&["delete", path], Some("y\n"), counter).await;
    assert!(
        seen.talk.starts_with(&format!("{path} is no document, but the host's own: DELETE it on HOST? [y/N] ")),
        "{}",
        seen.talk
    );
    assert_eq!(seen.requests, [format!("DELETE {path} prefer=wait=29")]);
    for path in ["/core/management?x", "/core/counters/c1/effects", "/"] {
        assert_eq!(run(&["delete", path], counter).await.requests.len(), 0, "{path}");
        assert_eq!(run(&["delete", path, "--yes"], counter).await.requests.len(), 1, "{path}");
    }
}

fn conflict(_: &str, _: &str) -> Reply {
    (412, &[], json!({"code": "precondition-failed", "detail": "the document has version 4, If-Match asked for 3"}))
}

#[tokio::test]
async fn refusal_is_told_with_code_request_and_hint() {
    let seen = run(&["put", "/core/counters/c1", "{\"count\":1}", "--if-match", "1-3"], conflict).await;
    assert_eq!((seen.exit, seen.data.as_str()), (6, ""));
    assert_eq!(
        seen.talk,
        "error[precondition-failed]: the document has version 4, If-Match asked for 3\n\
         \x20 PUT /core/counters/c1: 412 Precondition Failed\n\
         hint: read it again: steward get -i /core/counters/c1\n"
    );
    let seen = run(&["-o", "json", "put", "/a", "x=1"], conflict).await;
    let told: Value = serde_json::from_str(&seen.talk).expect("a JSON document");
    assert_eq!((&told["type"], &told["exit"]), (&json!("error"), &json!(6)));
}

fn silent(_: &str, _: &str) -> Reply {
    (NEVER, &[], Value::Null)
}

#[tokio::test]
async fn answer_that_does_not_come_in_time_is_told_as_unknown() {
    let seen = run(&["patch", "/a", "x=1", "--timeout", "50ms"], silent).await;
    assert_eq!(seen.exit, 8);
    assert!(seen.talk.starts_with("error[timeout]: no answer from HOST within 50ms\n"), "{}", seen.talk);
    assert!(seen.talk.contains("it may have happened or not"), "{}", seen.talk);
    assert!(seen.talk.contains("hint: give --idempotency-key next time"), "{}", seen.talk);
}

fn pages(line: &str, _: &str) -> Reply {
    let page = |links: Value, next: Value, documents: Value| {
        (200, OWNED, json!({"documentLinks": links, "documents": documents, "nextPageLink": next}))
    };
    let one = json!({"count": 912, "owner": "ana", "documentVersion": 87, "documentUpdateTimeMicros": NOW - 2_000_000});
    let two = json!({"count": 31, "owner": null, "documentVersion": 4, "documentUpdateTimeMicros": NOW - 540_000_000});
    if line.contains("page=2") {
        page(json!(["/core/counters/c1"]), json!(""), json!({"/core/counters/c1": two}))
    } else {
        page(json!(["/core/counters/c7"]), json!("/core/counters?page=2"), json!({"/core/counters/c7": one}))
    }
}

#[tokio::test]
async fn query_follows_pages_and_prints_a_table() {
    let seen = run(&["query", "/core/counters", "count gt 30", "--orderby", "count desc", "--top", "0"], pages).await;
    assert_eq!(
        seen.requests,
        ["GET /core/counters?$filter=count%20gt%2030&expand&$orderby=count%20desc", "GET /core/counters?page=2"]
    );
    assert_eq!(
        seen.data,
        "LINK               COUNT  OWNER  VERSION  UPDATED\n\
         /core/counters/c7    912  ana         87  2s ago\n\
         /core/counters/c1     31  –            4  9m ago\n"
    );
    assert_eq!(seen.talk, "2 found\n");
}

#[tokio::test]
async fn query_takes_no_more_pages_than_wanted() {
    let seen = run(&["query", "/core/counters", "--top", "1", "-o", "json"], pages).await;
    assert_eq!(seen.requests, ["GET /core/counters?expand&$limit=1"]);
    let found: Value = serde_json::from_str(&seen.data).expect("a JSON document");
    assert_eq!((&found["count"], &found["more"]), (&json!(1), &json!(true)));
}

fn task(_: &str, _: &str) -> Reply {
    let links = ["/core/counters/c1?documentVersion=1", "/core/counters/c1?documentVersion=0"];
    (200, &[], json!({"results": {"documentLinks": links, "documents": {}}}))
}

#[tokio::test]
async fn all_versions_are_asked_of_a_query_task() {
    let seen = run(&["-q", "query", "/core/counters", "--all-versions"], task).await;
    assert!(seen.requests[0].starts_with("POST /core/query-tasks "), "{:?}", seen.requests);
    assert!(seen.requests[0].contains("INCLUDE_ALL_VERSIONS"), "{:?}", seen.requests);
    assert_eq!(seen.data, "/core/counters/c1?documentVersion=1\n/core/counters/c1?documentVersion=0\n");
}

fn versions(_: &str, _: &str) -> Reply {
    let version = |number: u64, count: u64| {
        json!({"documentVersion": number, "documentUpdateAction": "PATCH", "documentOwner": "node-2", "count": count,
               "documentUpdateCause": "effect",
               "documentUpdateTimeMicros": NOW - 3_000_000})
    };
    (200, &[], json!({"versions": [version(1, 5), version(0, 2)]}))
}

#[tokio::test]
async fn history_tells_what_changed() {
    let seen = run(&["history", "/core/counters/c1", "-n", "2", "--time", "iso"], versions).await;
    assert_eq!(seen.requests, ["GET /core/counters/c1/history?limit=2"]);
    assert_eq!(
        seen.data,
        "VERSION  UPDATED               ACTION  CAUSE   OWNER   CHANGED\n\
         \x20     1  2023-11-14T22:13:17Z  PATCH   effect  node-2  count=5\n\
         \x20     0  2023-11-14T22:13:17Z  PATCH   effect  node-2  count=2\n"
    );
}

fn node(line: &str, _: &str) -> Reply {
    let member = json!({"id": "node-1", "status": "AVAILABLE", "membershipQuorum": 1, "votes": true,
        "groupReference": "http://127.0.0.1:8000/core/node-groups/default", "documentUpdateTimeMicros": NOW - 1_000_000});
    match line {
        "GET /health/ready?verbose" => {
            (503, &[], json!({"checks": [{"name": "modules", "ok": false, "detail": "1 of 2 compiled"}]}))
        }
        "GET /core/management" => (200, &[], json!({"id": "node-1", "version": "0.1.0"})),
        _ => (200, &[], json!({"nodes": {"node-1": member}})),
    }
}

#[tokio::test]
async fn status_of_a_node_that_is_not_ready_ends_with_8() {
    let seen = run(&["status"], node).await;
    assert_eq!(seen.exit, 8);
    assert_eq!(
        seen.data,
        "group default   1/1 AVAILABLE   quorum 1   epoch –   NOT READY   steward 0.1.0\n\n\
         NODE     STATUS     QUORUM  ROLE   OWNS  IN SYNC  BEHIND  CHANGED  ADDRESS\n\
         node-1*  AVAILABLE       1  votes     –        –       –  1s ago   http://127.0.0.1:8000\n\
         problem  modules: 1 of 2 compiled\n"
    );
    let narrow = run_on(&["status"], None, Some(60), node).await.data;
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    assert!(
        narrow.starts_with("group default   1/1 AVAILABLE   quorum 1   epoch –\nNOT READY   steward 0.1.0\n\n"),
        "{narrow}"
    );
    let seen = run(&["status", "--wait", "--timeout", "300ms"], node).await;
    assert_eq!((seen.exit, seen.data.as_str()), (8, ""));
    assert!(seen.talk.contains("error[not-ready]"), "{}", seen.talk);
}

mod deploying;
mod log;
mod pages;
mod progress;
