//! One request can be followed: its id is in every log line about it, through its effects and their answers.

use http::Method;
use serde_json::{Value, json};
use steward_tests::wait;

use crate::{component, host_with_flags};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_found_by_its_id_wherever_its_effects_go() {
    let host = host_with_flags(&["duties", "upgrade-before"], &["--log-level", "info,steward_node=debug"]).await;
    let client = host.client();
    for name in ["from", "to"] {
        client.post("/core/diaries", &json!({ "documentSelfLink": name })).await.expect(201);
    }
    let id = [("x-request-id", "find-me-17")];
    let letter = json!({ "note": "n", "letters": [{ "to": "/core/diaries/to", "note": "hello", "tag": "told" }] });
    client.with_headers(Method::PATCH, "/core/diaries/from", &id, &letter).await.expect(200);
    wait::until("the answer to the effect is told", || async {
        let log = host.log();
        let told = |cause: &str, link: &str| {
            let mut lines = log.lines().filter(|line| line.contains("operation done"));
            lines.any(|line| {
                let (cause, link) = (format!("cause=\"{cause}\""), format!("link={link} "));
                let words = [r#"request="find-me-17""#, &cause, &link, " partition=", " epoch="];
                words.iter().all(|word| line.contains(word))
            })
        };
        let client = told("client", "/core/diaries/from");
        (client && told("effect", "/core/diaries/to") && told("reply", "/core/diaries/from")).then_some(())
    })
    .await;
    client.post("/core/ledgers", &json!({ "documentSelfLink": "l" })).await.expect(201);
    client.with_headers(Method::PATCH, "/core/ledgers/l", &id, &json!({ "work": 1 })).await.expect(200);
    let lines = host.log();
    let line = lines.lines().find(|line| line.contains("guest: work begins")).expect("the guest's own line");
    assert!(line.contains(r#"request="find-me-17""#), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_a_component_is_found_by_its_id() {
    let host = host_with_flags(&[], &["--log-level", "info,steward_node=debug"]).await;
    host.client().deploy(&component("proxy").await, Some("/apps/x")).await;
    let id = [("x-request-id", "find-me-20")];
    host.client().with_headers(Method::GET, "/apps/x/told", &id, &Value::Null).await.expect(418);
    let log = host.log();
    let line = log.lines().find(|line| line.contains("operation done") && line.contains("find-me-20"));
    let line = line.unwrap_or_else(|| panic!("the request is not in the log:\n{log}"));
    assert!(line.contains(r#"operation{id=find-me-20 request="find-me-20""#), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_writes_to_its_standard_error_is_in_the_log_and_its_last_words_are_in_the_problem() {
    let host = host_with_flags(&["last-words"], &[]).await;
    let client = host.client();
    client.post("/core/last-words", &json!({ "documentSelfLink": "w" })).await.expect(201);
    let link = "/core/last-words/w";
    let id = [("x-request-id", "find-me-18")];
    let survived = json!({ "say": "first line\n\nsecond line\n" });
    client.with_headers(Method::PATCH, link, &id, &survived).await.expect(200);
    let log = host.log();
    for line in ["guest: first line", "guest: second line"] {
        let told = log.lines().find(|told| told.contains(line));
        let told = told.unwrap_or_else(|| panic!("{line:?} is not in the log:\n{log}"));
        assert!(told.contains("WARN") && told.contains(r#"request="find-me-18""#), "{told}");
    }
    let given_up = client.patch(link, &json!({ "say": "Traceback: no such\nKeyError: 'x'", "giveUp": true })).await;
    let problem = given_up.json();
    assert_eq!(problem["code"], "guest-trap", "{problem}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("KeyError: 'x'") && !detail.contains('\n'), "{detail}");
    assert!(!detail.contains("second line"), "words of an earlier call: {detail}");
    assert!(host.log().contains("guest: KeyError: 'x'"), "the operator reads it, too");
    assert_eq!(client.get(link).await.expect(200).json()["said"], 1, "who gave up has changed nothing");
}
