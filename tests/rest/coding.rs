//! Content codings: which one an answer has, under which tag, and that none of it decides whether something happens.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use steward_tests::client::{Answer, Client};

use crate::host_with;

const LINK: &str = "/core/examples/large";

/// What a client takes that takes neither a coding of this host nor the plain answer.
const NOTHING: [&str; 5] = ["identity;q=0", "*;q=0", "br, identity;q=0", "gzip;q=0, identity;q=0", "deflate, *;q=0"];

/// Creates a document that is worth a coding.
async fn large(client: &Client) {
    let body = json!({ "documentSelfLink": "large", "name": "x".repeat(5_000) });
    client.post("/core/examples", &body).await.expect(201);
}

async fn asked(client: &Client, method: Method, headers: &[(&str, &str)]) -> Answer {
    client.send(method, LINK, headers, "").await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_no_coding_at_all_is_told_what_has_happened() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    large(client).await;
    for (version, accepted) in (1..).zip(NOTHING) {
        let accept = [("accept-encoding", accepted)];
        let read = asked(client, Method::GET, &accept).await.expect(200);
        assert_eq!((read.header("content-encoding"), read.header("vary")), ("", "accept-encoding"), "{accepted}");
        let changed = client.with_headers(Method::PATCH, LINK, &accept, &json!({ "counter": version })).await;
        assert_eq!(changed.expect(200).json()["documentVersion"], version, "{accepted}");
    }
    asked(client, Method::DELETE, &[("accept-encoding", NOTHING[0])]).await.expect(200);
    asked(client, Method::GET, &[]).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_http_2_that_take_no_coding_are_told_too() {
    let host = host_with(&["examples"]).await;
    large(host.client()).await;
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let request = Request::patch(format!("{}{LINK}", host.client().base()))
        .header("content-type", "application/json")
        .header("accept-encoding", NOTHING[0])
        .body(Full::new(Bytes::from_static(b"{\"counter\":1}")));
    let response = client.request(request.expect("a request")).await.expect("a response");
    assert_eq!(response.status().as_u16(), 200);
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON")["documentVersion"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coded_answer_has_a_tag_of_its_own_that_names_the_same_state() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    large(client).await;
    let plain = asked(client, Method::GET, &[]).await.expect(200);
    assert_eq!(plain.header("vary"), "accept-encoding", "who asks otherwise gets other bytes");
    let plain = plain.header("etag").to_owned();
    for coding in ["gzip", "zstd"] {
        let accept = ("accept-encoding", coding);
        let coded = asked(client, Method::GET, &[accept]).await.expect(200);
        let tag = format!("{}+{coding}\"", plain.trim_end_matches('"'));
        assert_eq!((coded.header("etag"), coded.header("vary")), (tag.as_str(), "accept-encoding"));
        let head = asked(client, Method::HEAD, &[accept]).await.expect(200);
        assert_eq!((head.header("etag"), head.header("content-encoding")), (tag.as_str(), coding));
        for known in [&tag, &plain] {
            let unchanged = asked(client, Method::GET, &[accept, ("if-none-match", known)]).await.expect(304);
            assert_eq!((unchanged.header("etag"), unchanged.header("vary")), (known.as_str(), "accept-encoding"));
        }
        asked(client, Method::GET, &[("x-steward-at-least", &tag)]).await.expect(200);
    }
    let based = [("if-match", format!("{}+gzip\"", plain.trim_end_matches('"')))];
    let based = based.each_ref().map(|(name, tag)| (*name, tag.as_str()));
    client.with_headers(Method::PATCH, LINK, &based, &json!({ "counter": 1 })).await.expect(200);
    client.with_headers(Method::PATCH, LINK, &based, &json!({ "counter": 2 })).await.expect(412);
}
