//! Paths with percent signs: what is written `%2F` divides nothing, whatever stands around it.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Empty;
use hyper_util::rt::TokioExecutor;
use serde_json::json;

use crate::host_with;

/// Paths that would be those of something else if they were decoded before they are divided.
const DIVIDED: [&str; 11] = [
    "/core/counters%2Fvictim",
    "/core/counters%2fvictim",
    "/core%2Fcounters/victim",
    "/core%2Fcounters",
    "/core/counters/victim%2Fhistory",
    "/core/counters/victim%2F",
    "/core/counters/a%2Fb",
    "/greeting/a%2Fb",
    "/core/counters/x%2F..%2Fvictim",
    "/core/counters/%2e%2e/counters/victim",
    "/core/counters/victim%00",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_encoded_slash_divides_nothing() {
    let host = host_with(&["counter", "greeting"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "victim" })).await.expect(201);
    for path in DIVIDED {
        for method in [Method::GET, Method::DELETE] {
            let refused = client.send(method.clone(), path, &[], "").await.expect("an answer");
            assert_eq!(refused.status, 400, "{method} {path}: {}", String::from_utf8_lossy(&refused.body));
        }
    }
    let mounted = client.delete("/core/factories/core%2Fcounters").await;
    assert!(mounted.status.is_client_error(), "{}", mounted.status);
    client.get("/core/counters/%76ictim").await.expect(200);
    client.get("/core/counters/victim/%68istory").await.expect(200);
    assert_eq!(client.get("/greeting/a%40b").await.expect(200).json()["at"], "/greeting/a@b");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoded_slash_divides_nothing_in_any_form_of_a_request() {
    let host = host_with(&["counter"]).await;
    let base = host.client().base().to_owned();
    host.client().post("/core/counters", &json!({ "documentSelfLink": "victim" })).await.expect(201);
    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let request = Request::delete(format!("{base}/core/counters%2Fvictim")).body(Empty::<Bytes>::new());
    let response = hyper.request(request.expect("a request")).await.expect("a response");
    assert_eq!(response.status().as_u16(), 400);
    let absolute =
        format!("DELETE {base}/core/counters%2Fvictim HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(base.trim_start_matches("http://")).expect("a connection");
        stream.write_all(absolute.as_bytes()).expect("it is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    });
    let answer = exchange.await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    host.client().get("/core/counters/victim").await.expect(200);
}
