//! Effects that go to hosts outside of the cluster.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;

use crate::{host_with_flags, misbehave_with};

/// A server outside: answers the first request of each key with 503, and later ones with 200.
#[derive(Clone)]
struct Server {
    url: String,
    /// Idempotency key and body of each request.
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Server {
    async fn start() -> Server {
        Server::start_on(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    fn start_on(listener: TcpListener) -> Server {
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let server = Server { url, requests: Arc::default() };
        let accepting = server.clone();
        // It ends with the runtime of its test.
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = accepting.clone();
                tokio::spawn(async move { server.answer(stream).await });
            }
        });
        server
    }

    async fn answer(&self, mut stream: TcpStream) {
        let mut received = Vec::new();
        let (head, body) = loop {
            let mut part = [0; 4096];
            let read = stream.read(&mut part).await.unwrap_or(0);
            if read == 0 {
                return;
            }
            received.extend_from_slice(&part[..read]);
            let text = String::from_utf8_lossy(&received).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            if let Ok(body) = serde_json::from_str::<Value>(body) {
                break (head.to_owned(), body);
            }
        };
        let key = head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap_or_default().to_owned();
        let known = {
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            let known = requests.iter().any(|(other, _)| *other == key);
            requests.push((key, body));
            known
        };
        let status = if known { "200 OK" } else { "503 Service Unavailable" };
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
        // A host that was killed takes no answer.
        let _ = stream.write_all(answer.as_bytes()).await;
    }

    fn requests(&self) -> Vec<(String, Value)> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns the answers that the diary `d` has noted, once there are `number` of them.
async fn replies(client: &Client, number: usize) -> Value {
    wait::until("all are answered", || async {
        let replies = client.get("/core/diaries/d").await.expect(200).json()["replies"].clone();
        replies.as_array().is_some_and(|replies| replies.len() == number).then_some(replies)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_reach_allowed_hosts_under_one_key_until_they_are_answered() {
    let server = Server::start().await;
    let host = host_with_flags(&["duties"], &["--outbound-allow", "127.0.0.1"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    let letters = json!([
        { "to": server.url, "note": "one", "tag": "first" },
        { "to": server.url, "note": "two", "tag": "second" },
    ]);
    client.patch("/core/diaries/d", &json!({ "letters": letters })).await.expect(200);
    assert_eq!(replies(client, 2).await, json!(["first 200", "second 200"]));
    let requests = server.requests();
    let keys: Vec<&str> = requests.iter().map(|(key, _)| key.as_str()).collect();
    assert!(keys[0].starts_with("/core/diaries/d@0.1."), "{keys:?}");
    assert_eq!((keys[0], keys[2]), (keys[1], keys[3]), "a repeat has the same key");
    assert_ne!(keys[0], keys[2]);
    let notes: Vec<&Value> = requests.iter().map(|(_, body)| &body["note"]).collect();
    assert_eq!(notes, ["one", "one", "two", "two"]);
}

/// A server outside that answers every request. Returns its authority, and the requests as they came, body and all.
pub(crate) async fn listening() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let authority = listener.local_addr().expect("an address").to_string();
    let (came, requests) = mpsc::channel(16);
    // It ends with the runtime of its test.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut received, mut part) = (Vec::new(), [0; 4096]);
            while !is_whole(&received) {
                match stream.read(&mut part).await {
                    Ok(read) if read > 0 => received.extend_from_slice(&part[..read]),
                    _ => break,
                }
            }
            // Whoever has hung up takes no answer.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            // A connection on which nothing was said asked for nothing.
            if !received.is_empty() {
                let _ = came.send(String::from_utf8_lossy(&received).into_owned()).await;
            }
        }
    });
    (authority, requests)
}

/// Returns true if all of a request is there: its body is JSON, or there is none.
fn is_whole(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
    body.is_some_and(|body| body.is_empty() && text.starts_with("GET ") || serde_json::from_str::<Value>(body).is_ok())
}

/// Returns the headers of a request, sorted.
pub(crate) fn headers_of(request: &str) -> Vec<(&str, &str)> {
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    let mut headers: Vec<_> = head.lines().skip(1).filter_map(|line| line.split_once(": ")).collect();
    headers.sort_unstable();
    headers
}

/// What a guest may try to say in the place of its host, or of the transport.
pub(crate) const NOT_OF_GUESTS: [(&str, &str); 20] = [
    ("connection", "keep-alive, x-own"),
    ("cookie", "session=1"),
    ("expect", "100-continue"),
    ("forwarded", "for=10.0.0.1"),
    ("host", "internal.example"),
    ("http2-settings", "AAMAAABk"),
    ("keep-alive", "timeout=5"),
    ("origin", "http://internal.example"),
    ("proxy-authorization", "Basic eDp5"),
    ("proxy-authentication-info", "x"),
    ("proxy-connection", "keep-alive"),
    ("te", "trailers"),
    ("trailer", "x-sum"),
    ("transfer-encoding", "chunked"),
    ("upgrade", "h2c"),
    ("via", "1.1 elsewhere"),
    ("x-forwarded-for", "10.0.0.1"),
    ("x-request-id", "mine"),
    ("x-steward-epoch", "9"),
    ("x-steward-owner", "mine"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_an_effect_says_of_the_transport_and_of_the_host_does_not_leave() {
    let (authority, mut requests) = listening().await;
    let host = host_with_flags(&[], &["--outbound-allow", "127.0.0.1"]).await;
    let client = host.client();
    client.deploy(&misbehave_with(&json!({ "docs": null, "capabilities": { "outbound": ["*"] } })).await, None).await;
    client.post("/core/misbehave", &json!({ "documentSelfLink": "m" })).await.expect(201);
    let mut headers: serde_json::Map<String, Value> =
        NOT_OF_GUESTS.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let more = [
        ("Host", "other.example"),
        ("accept-encoding", "br"),
        ("content-encoding", "gzip"),
        ("content-length", "1"),
        ("Content-Length", "100"),
        ("content-type", "text/plain"),
        ("Idempotency-Key", "mine"),
        ("x-own", "kept"),
    ];
    headers.extend(more.map(|(name, value)| (name.to_owned(), json!(value))));
    let to = format!("http://{authority}/hook");
    let send = json!({ "do": "send", "to": to, "headers": headers, "body": { "whole": "yes" } });
    let sent = client.patch("/core/misbehave/m", &send).await.expect(200);
    let request = requests.recv().await.expect("a request");
    assert!(
        request.starts_with("PATCH /hook HTTP/1.1\r\n") && request.ends_with("\r\n{\"whole\":\"yes\"}"),
        "{request}"
    );
    let said = headers_of(&request);
    let key = said.iter().find(|(name, _)| *name == "idempotency-key").expect("a key").1;
    assert!(key.starts_with("/core/misbehave/m@") && key.ends_with("#0"), "{key}");
    let expected = [
        ("content-length", "15"),
        ("content-type", "application/json"),
        ("host", &authority),
        ("idempotency-key", key),
        ("x-own", "kept"),
        ("x-request-id", sent.header("x-request-id")),
    ];
    assert_eq!(said, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_no_way_to_what_only_this_machine_reaches() {
    let (authority, mut requests) = listening().await;
    let port = authority.rsplit(':').next().expect("a port");
    // Every resolver takes these names for 127.0.0.1, without asking anybody.
    let names = ["127.1", "2130706433"];
    let host = host_with_flags(&["duties"], &["--outbound-allow", "127.1,2130706433,127.0.0.1"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    let letter = |to: &str| json!({ "to": format!("http://{to}:{port}/hook"), "note": "n", "tag": to });
    let letters = [letter(names[0]), letter(names[1]), letter("127.0.0.1")];
    client.patch("/core/diaries/d", &json!({ "letters": letters })).await.expect(200);
    assert_eq!(replies(client, 3).await, json!(["127.1 403", "2130706433 403", "127.0.0.1 200"]));
    let asked = requests.recv().await.expect("a request");
    assert!(asked.contains("\r\nhost: 127.0.0.1:"), "{asked}");
    assert!(requests.try_recv().is_err(), "nothing else has come");
}

/// A server outside whose answers can never be taken: the request says what is wrong with them. Counts the requests.
async fn unfit(asked: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            asked.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut part = [0; 4096];
                let read = stream.read(&mut part).await.unwrap_or(0);
                let answer = match String::from_utf8_lossy(&part[..read]).split(' ').nth(1) {
                    Some("/long") => {
                        let head = "HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n";
                        [head.as_bytes(), &vec![b' '; 9_000_000]].concat()
                    }
                    Some("/headers") => {
                        let headers: String = (0..100_000).map(|number| format!("x-{number}: y\r\n")).collect();
                        format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n").into_bytes()
                    }
                    _ => b"this is no HTTP\r\n\r\n".to_vec(),
                };
                // The host hangs up in the middle.
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_can_never_be_taken_are_not_asked_for_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let url = unfit(Arc::clone(&asked)).await;
    let host = host_with_flags(&["duties"], &["--outbound-allow", "127.0.0.1"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    let letter = |to: String, tag: &str| json!({ "to": to, "note": "n", "tag": tag });
    let mut letters: Vec<Value> =
        ["long", "headers", "words"].map(|what| letter(format!("{url}/{what}"), what)).to_vec();
    letters.push(letter("/core/diaries/d".to_owned(), "after"));
    client.patch("/core/diaries/d", &json!({ "letters": letters })).await.expect(200);
    let replies = replies(client, 4).await;
    assert_eq!(replies, json!(["long 502", "headers 502", "words 502", "after 200"]), "{replies}");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_outside_never_comes_back_to_the_api_of_the_node() {
    let host = host_with_flags(&["duties"], &["--outbound-allow", "127.0.0.1"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    let to = format!("{}/core/diaries/d", client.base());
    let letter = json!({ "to": to, "note": "to itself", "tag": "own" });
    client.patch("/core/diaries/d", &json!({ "letters": [letter] })).await.expect(200);
    assert_eq!(replies(client, 1).await, json!(["own 403"]), "answered at once, and not tried again");
    assert_eq!(client.get("/core/diaries/d").await.expect(200).json()["notes"], json!([]));
}

/// A server outside that takes requests and never answers. Returns its address, how many requests it has taken, and how
/// many of their connections were closed again.
async fn silent_server() -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (taken, closed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counters = (Arc::clone(&taken), Arc::clone(&closed));
    // It ends with the runtime of its test.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (taken, closed) = counters.clone();
            tokio::spawn(async move {
                taken.fetch_add(1, Ordering::Relaxed);
                let mut part = [0; 4096];
                while stream.read(&mut part).await.is_ok_and(|read| read > 0) {}
                closed.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    (url, taken, closed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_never_answers_holds_up_only_who_writes_to_it() {
    let (silent, taken, closed) = silent_server().await;
    let server = Server::start().await;
    let host = host_with_flags(&["duties"], &["--outbound-allow", "127.0.0.1"]).await;
    let client = host.client();
    // More than the host sends at the same time.
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..300 {
        let (client, silent) = (client.clone(), silent.clone());
        writers.spawn(async move {
            let name = format!("waiting-{number}");
            client.post("/core/diaries", &json!({ "documentSelfLink": name })).await.expect(201);
            let letters = json!([{ "to": silent, "note": "hello" }]);
            client.patch(&format!("/core/diaries/{name}"), &json!({ "letters": letters })).await.expect(200);
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.expect("a client does not panic");
    }
    wait::until("some are sent", || async { (taken.load(Ordering::Relaxed) > 0).then_some(()) }).await;
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    let letters = json!([
        { "to": "/core/diaries/d", "note": "inside", "tag": "inside" },
        { "to": server.url, "note": "outside", "tag": "outside" },
    ]);
    client.patch("/core/diaries/d", &json!({ "letters": letters })).await.expect(200);
    assert_eq!(replies(client, 2).await, json!(["inside 200", "outside 200"]));
    assert_eq!(closed.load(Ordering::Relaxed), 0, "not even the first of the others has given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_away_gets_its_effects_when_it_is_back() {
    // Bound and not listening: connections are refused, and nobody else gets the port.
    let away = TcpSocket::new_v4().expect("a socket");
    away.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let address = away.local_addr().expect("an address");
    let host = host_with_flags(&["duties"], &["--outbound-allow", "127.0.0.1"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    let letters = json!([{ "to": format!("http://{address}/hook"), "note": "hello", "tag": "t" }]);
    client.patch("/core/diaries/d", &json!({ "letters": letters })).await.expect(200);
    let retried = || async {
        let metrics = client.get("/metrics").await.expect(200);
        (metrics.counted("steward_effects_retried_total") > 0).then_some(())
    };
    wait::until("it was tried in vain", retried).await;
    let server = Server::start_on(away.listen(16).expect("it is back"));
    assert_eq!(replies(client, 1).await, json!(["t 200"]));
    assert_eq!(server.requests().len(), 2, "one that was refused, one that was answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_to_hosts_that_the_operator_has_not_allowed_are_refused_with_everything_else() {
    let server = Server::start().await;
    let host = host_with_flags(&["duties"], &[]).await;
    let client = host.client();
    let factory = client.get("/core/factories/core/diaries").await.expect(200).json();
    assert_eq!(factory["grants"]["outbound"], json!([]));
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    let letters = json!([{ "to": "/core/diaries/d", "note": "inside" }, { "to": server.url, "note": "outside" }]);
    let refused = client.patch("/core/diaries/d", &json!({ "note": "n", "letters": letters })).await.expect(500).json();
    assert!(refused["message"].as_str().is_some_and(|text| text.contains(&server.url)), "{refused}");
    client.patch("/core/diaries/d", &json!({ "note": "after" })).await.expect(200);
    let diary = client.get("/core/diaries/d").await.expect(200).json();
    assert_eq!((&diary["notes"], server.requests().len()), (&json!(["after"]), 0));
}
