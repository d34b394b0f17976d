//! Services that break: one call fails, with words that help its author, and the next one is served.

use serde_json::json;

use crate::Examination;

/// Flags of a host on which a call that never returns is given up soon.
const IMPATIENT: [&str; 2] = ["--guest-deadline", "4s"];

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_breaks_is_told_with_file_and_line_and_harms_no_other() {
    let examination = Examination::begin(&IMPATIENT).await;
    let client = examination.host.client();
    for (language, factory) in
        examination.mount("failing", |language| language.failing.map(|failing| failing.made)).await
    {
        let failing = language.failing.expect("it was mounted");
        client.post(&factory, &json!({ "documentSelfLink": "a" })).await.expect(201);
        let link = format!("{factory}/a");
        let [breaks, loops, hoards, recurses] = failing.words;
        for (word, status, codes) in [
            (breaks, 500, ["guest-trap", "guest-trap"]),
            (loops, 504, ["guest-deadline", "guest-deadline"]),
            (hoards, 500, ["guest-memory", "guest-memory"]),
            (recurses, 500, ["guest-stack", "guest-trap"]),
        ] {
            let answer = client.patch(&link, &json!({ failing.field: word })).await;
            assert_eq!(answer.status, status, "{}, {word}: {}", language.name, String::from_utf8_lossy(&answer.body));
            let problem = answer.json();
            let code = problem["code"].as_str().unwrap_or_default();
            assert!(codes.contains(&code), "{}, {word}: {problem}", language.name);
            let detail = problem["detail"].as_str().unwrap_or_default();
            let place = format!("{}:", failing.file);
            // A stack that is used up may leave no room for words.
            assert!(word != breaks || detail.contains(&place), "{}, {word}: {detail}", language.name);
            client.patch(&link, &json!({})).await.expect(200);
        }
    }
}
