//! What others have written down about the languages that the host speaks, put to it: JSON (RFC 8259, by the classes of JSONTestSuite),
//! filters (the productions of OData's ABNF), the text format of metrics (promtool), HTTP/2 (h2spec).
//!
//! The first two are tables of this file. The last two are programs: where they are not there, the test says so and passes over.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use http::Method;
use serde_json::json;
use steward_tests::client::Client;

use crate::host_with;

/// Texts that are no JSON, by what is wrong with them.
const NO_JSON: [&str; 84] = [
    // Nothing, or more than one value.
    "",
    " ",
    "1 2",
    "{} {}",
    "[1]x",
    "[1],",
    "{\"a\":true} \"x\"",
    "[][]",
    "nullnull",
    "\u{feff}",
    // Arrays.
    "[",
    "]",
    "[1",
    "[1,",
    "[,1]",
    "[1,,2]",
    "[1,]",
    "[,]",
    "[1 true]",
    "[a]",
    "[\"a\"",
    "[1:2]",
    "[\"a\":1]",
    "[*]",
    "[1}",
    // Objects.
    "{",
    "}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{,}",
    "{,\"a\":1}",
    "{\"a\" 1}",
    "{\"a\"::1}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{null:1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1,,\"b\":2}",
    "{\"a\":\"b\"]",
    "{\"a\"}",
    "{\"a\",\"b\"}",
    // Numbers.
    "[+1]",
    "[.5]",
    "[1.]",
    "[1.e1]",
    "[01]",
    "[-01]",
    "[-]",
    "[--1]",
    "[1e]",
    "[1e+]",
    "[1eE2]",
    "[0x1]",
    "[1_000]",
    "[NaN]",
    "[Infinity]",
    "[-Infinity]",
    "[1,5.]",
    "[2.e+3]",
    "[0e]",
    "[- 1]",
    "[1 000.0]",
    // Words.
    "[tru]",
    "[nul]",
    "[True]",
    "[NULL]",
    "truee",
    "[undefined]",
    // Strings.
    "[\"]",
    "[\"\\\"]",
    "[\"\\x00\"]",
    "[\"\\u\"]",
    "[\"\\u00A\"]",
    "[\"\\u{41}\"]",
    "[\"\\a\"]",
    "['a']",
    "[\"a\nb\"]",
    "[\"a\tb\"]",
    // What others call JSON.
    "[1]// x",
    "{\"a\":/* x */1}",
];

/// Texts that are JSON.
const JSON: [&str; 46] = [
    "{}",
    "[]",
    " {} ",
    "\n[\t]\r\n",
    "null",
    "true",
    "false",
    "0",
    "\"\"",
    "\"a\"",
    "[null]",
    "[[]]",
    "[{}]",
    "{\"a\":{}}",
    "{\"\":0}",
    "{\"a\":[]}",
    "{\"a\":null,\"b\":false}",
    "[1,2]",
    "[ 1 , 2 ]",
    "[-0]",
    "[-1]",
    "[0.5]",
    "[1.5e3]",
    "[1E22]",
    "[1e-2]",
    "[0e1]",
    "[123456789]",
    "[-0.0]",
    "[1.0]",
    "[\"\\u0000\"]",
    "[\"\\ud834\\udd1e\"]",
    "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
    "[\"\u{7f}\"]",
    "[\"\u{20ac}\"]",
    "[\"\u{1d11e}\"]",
    "[\"\\uFFFF\"]",
    "[\"\u{2028}\"]",
    "[\"\\u005C\"]",
    "[\"a/*b*/c\"]",
    "[\"\\u0022\"]",
    "[\"\u{fffe}\"]",
    "{\"a\\u0000b\":0}",
    "{\"min\":-1.0e+28}",
    "[20e1]",
    "[\"\\uA66D\"]",
    "[9007199254740993]",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_json_is_read_and_what_is_not_is_refused() {
    let host = host_with(&["examples"]).await;
    let headers = [("content-type", "application/json")];
    for text in NO_JSON.iter().filter(|text| !text.trim().is_empty()) {
        let answer = host.client().send(Method::POST, "/core/examples", &headers, *text).await.expect("an answer");
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (400, &json!("malformed-json")), "{text:?}");
    }
    for text in JSON {
        let answer = host.client().send(Method::POST, "/core/examples", &headers, text).await.expect("an answer");
        // A service may want another value; it has been read all the same.
        assert!([201, 400].contains(&answer.status.as_u16()), "{text:?}: {}", answer.status);
        assert_ne!(answer.json()["code"], "malformed-json", "{text:?}: {}", answer.json());
    }
    let not_utf8: [&[u8]; 5] =
        [b"[\"\xff\"]", b"[\"\xc0\xaf\"]", b"[\"\xed\xa0\x80\"]", b"\xff\xfe{\0}\0", b"[\"\xe0\xff\"]"];
    for text in not_utf8 {
        let answer = host.client().send(Method::POST, "/core/examples", &headers, text).await.expect("an answer");
        assert_eq!(answer.status, 400, "{text:?}");
    }
}

/// Filters of the productions that the host has: each has to be answered.
const FILTERS: [&str; 22] = [
    "counter eq 1",
    "counter ne 1",
    "counter gt 1",
    "counter ge 1",
    "counter lt -1",
    "counter le 1.5",
    "name eq 'a'",
    "name eq 'it''s'",
    "name eq ''",
    "name eq '€'",
    "not (counter eq 1)",
    "(counter eq 1)",
    "((counter eq 1))",
    "counter eq 1 and name eq 'a'",
    "counter eq 1 or name eq 'a'",
    "counter eq 1 and (name eq 'a' or name eq 'b')",
    "isFromMigration eq true",
    "isFromMigration eq false",
    "counter eq null",
    "name ne null",
    "counter gt 1e3",
    "not (counter eq 1 or counter eq 2) and name eq 'a'",
];

/// Filters of other productions, and none at all: each has to be answered, or refused with its place or its name.
const OTHERS: [&str; 44] = [
    "",
    " ",
    "counter",
    "counter eq",
    "eq 1",
    "counter 1",
    "counter eq 1 and",
    "and counter eq 1",
    "counter eq 1 or or name eq 'a'",
    "(counter eq 1",
    "counter eq 1)",
    "()",
    "not",
    "not counter",
    "counter == 1",
    "counter = 1",
    "counter eq 'a",
    "name eq \"a\"",
    "name eq a",
    "contains(name,'a')",
    "startswith(name,'a')",
    "endswith(name,'a')",
    "length(name) eq 1",
    "tolower(name) eq 'a'",
    "indexof(name,'a') eq 1",
    "year(now()) eq 2026",
    "counter add 1 eq 2",
    "counter mod 2 eq 0",
    "-counter eq 1",
    "counter eq -INF",
    "counter eq NaN",
    "counter in (1,2)",
    "name has 'a'",
    "tags/any(t:t eq 'a')",
    "tags/all(t:t eq 'a')",
    "$it/name eq 'a'",
    "counter eq 2026-11-26",
    "counter eq duration'PT1H'",
    "counter eq 01234567-89ab-cdef-0123-456789abcdef",
    "cast(counter,Edm.Int32) eq 1",
    "counter eq 0x1F",
    "keyValues/a eq 'b'",
    "counter eq 99999999999999999999999999",
    "name eq 'a\u{0}b'",
];

async fn filtered(client: &Client, filter: &str) -> (u16, String) {
    let encoded: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let path = format!("/core/examples?$filter={encoded}");
    let answer = client.get(&path).await;
    (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_answered_or_refused_where_they_go_wrong() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    client.post("/core/examples", &json!({ "name": "a", "counter": 1 })).await.expect(201);
    for filter in FILTERS {
        let (status, body) = filtered(client, filter).await;
        assert_eq!(status, 200, "{filter:?}: {body}");
    }
    for filter in OTHERS {
        let (status, body) = filtered(client, filter).await;
        let placed = ["position", "character", "field", "errors", "did you mean", "is empty", "cannot be"]
            .iter()
            .any(|word| body.contains(word));
        assert!(status == 200 || (status == 400 && placed), "{filter:?}: {status} {body}");
    }
}

/// Returns true if the program is on this machine; says that a judge is passed over if it is not.
fn is_here(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("passed over: {program} is not on this machine");
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_what_prometheus_expects() {
    if !is_here("promtool") {
        return;
    }
    let host = host_with(&["counter", "duties"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    client.patch("/core/counters/c", &json!({})).await.expect(200);
    let metrics = client.get("/metrics").await.expect(200).body;
    let checked = tokio::task::spawn_blocking(move || {
        let mut promtool = Command::new("promtool");
        promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = promtool.spawn().expect("promtool runs");
        child.stdin.take().expect("a pipe").write_all(&metrics).expect("promtool reads");
        child.wait_with_output().expect("promtool ends")
    });
    let output = checked.await.expect("no panic");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

/// Cases of h2spec in which the host departs from it knowingly, one to a line, each with its reason.
const H2SPEC_EXCEPTIONS: &str = include_str!("h2spec-exceptions.txt");

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_as_h2spec_demands() {
    if !is_here("h2spec") {
        return;
    }
    let host = host_with(&["counter"]).await;
    host.client().post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let port = host.client().base().rsplit(':').next().expect("a port").to_owned();
    let judge = move || -> (String, Vec<String>) {
        let asked = ["--host", "127.0.0.1", "--port", &port, "--path", "/core/counters/c", "--timeout", "3"];
        let output = Command::new("h2spec").args(asked).output().expect("h2spec runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = said.lines().map(str::trim).filter_map(|line| line.strip_prefix("× "));
        let is_unknown = |case: &&str| {
            let mut exceptions = H2SPEC_EXCEPTIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            !exceptions.any(|exception| case.contains(exception))
        };
        let unexpected = failed.filter(is_unknown).map(str::to_owned).collect();
        (said, unexpected)
    };
    // It gives each case three seconds: what fails on a busy machine is judged once more.
    let judged = tokio::task::spawn_blocking(move || {
        let (said, unexpected) = judge();
        if unexpected.is_empty() { (said, unexpected) } else { judge() }
    });
    let (said, unexpected) =
        tokio::time::timeout(Duration::from_secs(600), judged).await.expect("in time").expect("no panic");
    assert!(said.contains("tests,"), "h2spec says what it has judged: {said}");
    assert!(unexpected.is_empty(), "{unexpected:?}\n{said}");
    assert_eq!(host.client().get("/core/counters/c").await.status, 200);
}
