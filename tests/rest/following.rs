//! One request can be followed: its id is in every log line about it, through its effects and their answers.

use http::Method;
use serde_json::json;
use steward_tests::wait;

use crate::host_with_flags;

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
                let words = [r#"request="find-me-17""#, &format!("cause=\"{cause}\""), &format!("link={link} ")];
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
