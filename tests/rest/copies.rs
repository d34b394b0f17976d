//! What a client may ask of the copies of a document, on a node that has the only one.

use http::Method;
use serde_json::{Value, json};

use crate::host_with;

const PATH: &str = "/core/examples/e";

#[tokio::test(flavor = "multi_thread")]
async fn the_only_copy_answers_as_it_is_and_says_up_to_where() {
    let host = host_with(&["examples", "greeting"]).await;
    let client = host.client();
    let body = json!({ "documentSelfLink": "e", "name": "one", "counter": 1 });
    let created = client.post("/core/examples", &body).await.expect(201);
    let tag = created.header("etag").trim_matches('"').to_owned();
    for path in [format!("{PATH}?consistency=local"), format!("{PATH}?atLeast={tag}&documentVersion=0")] {
        let read = client.get(&path).await.expect(200);
        assert_eq!((&read.json()["counter"], read.header("etag")), (&json!(1), created.header("etag")));
        assert_eq!(read.header("x-steward-copy"), read.header("x-steward-owner"));
        assert_eq!(read.header("x-steward-position"), tag, "it is the last record of its partition");
    }
    let newest = client.get(PATH).await.expect(200);
    assert!(newest.headers.get("x-steward-position").is_none(), "nobody has asked for a copy");
    // The parameters of a service without documents are its own.
    client.get("/greeting?consistency=eventual").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_of_copies_is_refused_with_what_can() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let body = json!({ "documentSelfLink": "e", "name": "one" });
    client.post("/core/examples", &body).await.expect(201);
    for (query, words) in [
        ("consistency=eventual", "write local"),
        ("atLeast=7", "write <epoch>-<offset>"),
        ("atLeast=3-", "write <epoch>-<offset>"),
    ] {
        let detail = client.get(&format!("{PATH}?{query}")).await.expect(400).json()["detail"].to_string();
        assert!(detail.contains(words), "{detail}");
    }
    let made_up = client.get(&format!("{PATH}?atLeast=1-99999999")).await.expect(412).json();
    assert_eq!(made_up["code"], "position-not-in-log", "at once: {made_up}");
    for (method, path) in [(Method::PATCH, PATH), (Method::DELETE, PATH), (Method::GET, "/core/examples")] {
        let path = format!("{path}?consistency=local");
        let refused = client.with_headers(method, &path, &[], &json!({})).await.expect(400).json();
        assert!(refused["detail"].to_string().contains("is for"), "{refused}");
    }
    for (method, headers) in [
        (Method::GET, [("x-xenon-rpl-quorum", "1")]),
        (Method::PATCH, [("x-xenon-rpl-quorum", "0")]),
        (Method::PATCH, [("x-xenon-rpl-quorum", "most")]),
        (Method::PATCH, [("x-steward-at-least", "1-1")]),
    ] {
        let body = if method == Method::GET { Value::Null } else { json!({ "counter": 9 }) };
        client.with_headers(method, PATH, &headers, &body).await.expect(400);
    }
    assert_eq!(client.get(PATH).await.expect(200).json()["documentVersion"], 0, "nothing has happened");
    for wanted in ["1", "x-xenon-all"] {
        let headers = [("x-xenon-rpl-quorum", wanted)];
        client.with_headers(Method::PATCH, PATH, &headers, &json!({ "counter": 9 })).await.expect(200);
    }
    let beyond = [("x-xenon-rpl-quorum", "2")];
    let beyond = client.with_headers(Method::PATCH, PATH, &beyond, &json!({ "counter": 10 })).await.expect(400).json();
    assert_eq!((&beyond["code"], &beyond["wanted"]), (&json!("quorum-beyond-nodes"), &json!(2)), "{beyond}");
}
