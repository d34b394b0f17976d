//! Content codings: which one an answer has, under which tag, and that none of it decides whether something happens.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use steward_tests::client::{Answer, Client};

use crate::{host_with, host_with_flags};

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

#[tokio::test(flavor = "multi_thread")]
async fn tags_on_two_lines_are_one_list() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    large(client).await;
    let tag = asked(client, Method::GET, &[]).await.expect(200).header("etag").to_owned();
    for accepted in ["identity", "gzip"] {
        for lines in [[tag.as_str(), "\"9-9\""], ["\"9-9\"", &tag]] {
            let headers = [("accept-encoding", accepted), ("if-none-match", lines[0]), ("if-none-match", lines[1])];
            asked(client, Method::GET, &headers).await.expect(304);
        }
        let neither = [("accept-encoding", accepted), ("if-none-match", "\"9-8\""), ("if-none-match", "\"9-9\"")];
        asked(client, Method::GET, &neither).await.expect(200);
    }
    // The tag of a coded answer is found on the second line, too, and given back as the client has it.
    let coded = format!("{}+gzip\"", tag.trim_end_matches('"'));
    let headers = [("accept-encoding", "gzip"), ("if-none-match", "\"9-9\""), ("if-none-match", coded.as_str())];
    assert_eq!(asked(client, Method::GET, &headers).await.expect(304).header("etag"), coded);
    let headers = [("if-match", "\"9-9\""), ("if-match", tag.as_str())];
    client.with_headers(Method::PATCH, LINK, &headers, &json!({ "counter": 1 })).await.expect(200);
    client.with_headers(Method::PATCH, LINK, &headers, &json!({ "counter": 2 })).await.expect(412);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_nothing_has_changed_says_nothing_of_a_length() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    large(client).await;
    let tag = asked(client, Method::GET, &[]).await.expect(200).header("etag").to_owned();
    let whole = asked(client, Method::HEAD, &[]).await.expect(200);
    assert_ne!(whole.header("content-length"), "", "{:?}", whole.headers);
    for method in [Method::GET, Method::HEAD] {
        for accepted in ["identity", "gzip"] {
            let headers = [("if-none-match", tag.as_str()), ("accept-encoding", accepted)];
            let unchanged = asked(client, method.clone(), &headers).await.expect(304);
            assert_eq!(unchanged.header("content-length"), "", "{method} {accepted}");
        }
    }
}

/// Returns a member of gzip with a stored block.
fn member(text: &[u8]) -> Vec<u8> {
    let mut sum = u32::MAX;
    for byte in text {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    let length = u16::try_from(text.len()).expect("short");
    let mut member = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
    member.extend(length.to_le_bytes().into_iter().chain((!length).to_le_bytes()));
    member.extend_from_slice(text);
    member.extend((!sum).to_le_bytes().into_iter().chain(u32::from(length).to_le_bytes()));
    member
}

/// Returns a frame of zstd with a raw block.
fn frame(text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, length];
    frame.extend_from_slice(&(u32::from(length) << 3 | 1).to_le_bytes()[..3]);
    frame.extend_from_slice(text);
    frame
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coded_body_is_all_of_its_parts_and_nothing_else() {
    let host = host_with_flags(&["examples"], &["--max-request-bytes", "64KiB"]).await;
    let client = host.client();
    type Packing = fn(&[u8]) -> Vec<u8>;
    let packings: [(&str, Packing); 5] =
        [("gzip", member), ("GZIP", member), ("x-gzip", member), ("zstd", frame), ("ZSTD", frame)];
    for (coding, pack) in packings {
        let headers = [("content-encoding", coding), ("content-type", "application/json")];
        let post = |body: Vec<u8>| async {
            client.send(Method::POST, "/core/examples", &headers, body).await.expect("an answer")
        };
        let whole = pack(br#"{"name":"n"}"#);
        let parts = [pack(br#"{"name":"#), pack(b""), pack(br#""two parts"}"#)].concat();
        assert_eq!(post(whole.clone()).await.expect(201).json()["name"], "n", "{coding}");
        assert_eq!(post(parts.clone()).await.expect(201).json()["name"], "two parts", "{coding}");
        for behind in [&b"\0\0\0\0\0\0\0\0"[..], b"junk", &whole[..whole.len() - 1]] {
            let refused = post([&whole, behind].concat()).await;
            assert_eq!(refused.status, 400, "{coding} {behind:?}: {}", String::from_utf8_lossy(&refused.body));
        }
        for damaged in [br#"{"name":"n"}"#.to_vec(), whole[..whole.len() - 1].to_vec()] {
            let problem = post(damaged).await.expect(400).json();
            // The same bytes would be refused again.
            assert_eq!([&problem["code"], &problem["retry"]], ["content-coding", "never"], "{coding}: {problem}");
        }
        post(pack(b" ").repeat(70_000)).await.expect(413);
    }
    let twice = [("content-encoding", "gzip"), ("content-encoding", "gzip"), ("content-type", "application/json")];
    let body = member(br#"{"name":"n"}"#);
    client.send(Method::POST, "/core/examples", &twice, body.clone()).await.expect("an answer").expect(415);
    // Empty members of a list are none (RFC 9110, section 5.6.1).
    for (listed, status) in [
        ("gzip, ", 201),
        (",gzip", 201),
        ("identity, gzip,,", 201),
        ("gzip, br", 415),
        ("gzip, gzip", 415),
        ("br,", 415),
    ] {
        let headers = [("content-encoding", listed), ("content-type", "application/json")];
        let answer = client.send(Method::POST, "/core/examples", &headers, body.clone()).await.expect("an answer");
        assert_eq!(answer.status, status, "{listed:?}");
        let offered = if status == 415 { "gzip, zstd" } else { "" };
        assert_eq!(answer.header("accept-encoding"), offered, "{listed:?}");
    }
    assert_eq!(client.get("/core/examples").await.expect(200).json()["documentCount"], 13);
}
