//! Connections whose client sends nothing or reads nothing, and more connections than there is room for.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use steward_tests::client::Client;
use steward_tests::host::{Circumstances, Host};
use steward_tests::wait;

use crate::{component, host_with, host_with_flags};

/// With so few descriptors a host gives a quarter of them to connections.
const FEW_DESCRIPTORS: u32 = 256;

/// The beginning of every HTTP/2 connection, with settings that say nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// How long somebody waits for the other end to close.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);

fn connect(client: &Client) -> TcpStream {
    let stream = TcpStream::connect(client.base().trim_start_matches("http://")).expect("a connection");
    stream.set_read_timeout(Some(CLOSED_WITHIN)).expect("a timeout");
    stream
}

/// Reads until the other end closes, and returns what came before.
fn until_closed(mut stream: TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    match stream.read_to_end(&mut read) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("still open: {error}"),
    }
    read
}

async fn counted(client: &Client, name: &str) -> u64 {
    client.get("/metrics").await.expect(200).counted(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_are_closed_whatever_they_might_speak() {
    let host = host_with_flags(&["counter"], &["--idle-timeout", "1s"]).await;
    let sayings: [&[u8]; 6] = [
        b"",
        b"G",
        b"PRI * HT",
        PREFACE,
        b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ];
    let all: Vec<_> = sayings
        .into_iter()
        .map(|said| {
            let mut stream = connect(host.client());
            tokio::task::spawn_blocking(move || {
                stream.write_all(said).expect("it is taken");
                until_closed(stream)
            })
        })
        .collect();
    for closed in all {
        closed.await.expect("it is closed");
    }
}

/// Says something every now and then until the other end closes; returns how long that took.
fn kept_alive_by(mut stream: TcpStream, saying: &'static [u8]) -> Duration {
    let begun = Instant::now();
    let mut reading = stream.try_clone().expect("a second handle");
    let answers = std::thread::spawn(move || std::io::copy(&mut reading, &mut std::io::sink()));
    while !answers.is_finished() && begun.elapsed() < CLOSED_WITHIN {
        // It may be closed by now.
        let _ = stream.write_all(saying);
        std::thread::sleep(Duration::from_millis(200));
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_pings_nor_settings_are_requests() {
    let host = host_with_flags(&[], &["--idle-timeout", "1s"]).await;
    let sayings: [&[u8]; 3] =
        [b"\0\0\x08\x06\0\0\0\0\0pingping", b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01"];
    let all: Vec<_> = sayings
        .into_iter()
        .map(|saying| {
            let mut stream = connect(host.client());
            tokio::task::spawn_blocking(move || {
                stream.write_all(PREFACE).expect("it is taken");
                kept_alive_by(stream, saying)
            })
        })
        .collect();
    for kept in all {
        let kept = kept.await.expect("no panic");
        assert!(kept < CLOSED_WITHIN, "still open after {kept:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http_2_that_takes_its_answer_slowly_gets_all_of_it() {
    let host = host_with_flags(&["examples"], &["--idle-timeout", "1s"]).await;
    let client = host.client();
    let body = json!({ "documentSelfLink": "slow", "name": "x".repeat(60_000) });
    client.post("/core/examples", &body).await.expect(201);
    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_initial_stream_window_size(10_000)
        .build_http();
    let request = Request::get(format!("{}/core/examples/slow", client.base())).body(Empty::<Bytes>::new());
    let mut response = hyper.request(request.expect("a request")).await.expect("a response");
    let (begun, mut taken) = (Instant::now(), 0);
    while let Some(frame) = response.body_mut().frame().await {
        taken += frame.expect("not cut off").into_data().map_or(0, |data| data.len());
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    assert!(taken > 60_000 && begun.elapsed() > Duration::from_secs(2), "{taken} bytes in {:?}", begun.elapsed());
}

/// Puts several megabytes into one factory, more than the buffers of a socket take.
async fn much(client: &Client) {
    for number in 0..24 {
        let body = json!({ "documentSelfLink": format!("n{number}"), "name": "x".repeat(900_000) });
        client.post("/core/examples", &body).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_of_its_answer_is_dropped() {
    let host = host_with_flags(&["examples"], &["--idle-timeout", "2s"]).await;
    let client = host.client();
    much(client).await;
    let before = counted(client, "steward_http_connections_silent_total").await;
    let mut plain = connect(client);
    plain.write_all(b"GET /core/examples?expand HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it is taken");
    let base = client.base().to_owned();
    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let request = Request::get(format!("{base}/core/examples?expand")).body(Empty::<Bytes>::new()).expect("a request");
    let response = hyper.request(request).await.expect("a response");
    wait::until("both are dropped", || async {
        (counted(client, "steward_http_connections_silent_total").await >= before + 2).then_some(())
    })
    .await;
    drop((plain, response));
}

/// Returns a host that has hardly any descriptors, with a service.
async fn with_few_descriptors() -> Host {
    let component = component("counter").await;
    let start = || {
        let circumstances = Circumstances { descriptors: Some(FEW_DESCRIPTORS), ..Circumstances::default() };
        Host::start_under(circumstances, &std::env::temp_dir(), &[])
    };
    let host = tokio::task::spawn_blocking(start).await.expect("no panic").expect("the host starts");
    host.client().deploy(&component, None).await;
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_beyond_all_descriptors_keep_nobody_from_working() {
    let host = with_few_descriptors().await;
    assert!(host.log().contains("file descriptors shared out"), "{}", host.log());
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let silent: Vec<TcpStream> = (0..FEW_DESCRIPTORS + 64).map(|_| connect(client)).collect();
    for _ in 0..8 {
        let another = Client::new(client.base());
        another.patch("/core/counters/c", &json!({})).await.expect(200);
    }
    let metrics = client.get("/metrics").await.expect(200);
    let most = metrics.counted("steward_http_connections_max");
    assert!(most > 0 && metrics.counted("steward_http_connections") <= most);
    assert_eq!(metrics.counted("steward_file_descriptors_max"), u64::from(FEW_DESCRIPTORS));
    assert!(metrics.counted("steward_file_descriptors") < u64::from(FEW_DESCRIPTORS));
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_finds_all_places_in_use_is_told_so_and_gets_one_later() {
    let host = with_few_descriptors().await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let most = counted(client, "steward_http_connections_max").await;
    // A request whose body does not come is under way all the while.
    let withheld =
        b"PATCH /core/counters/c HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    let busy: Vec<TcpStream> = (0..most)
        .map(|_| {
            let mut stream = connect(client);
            stream.write_all(withheld).expect("it is taken");
            stream
        })
        .collect();
    let refused = wait::until("a new client is refused", || async {
        let newcomer = Client::new(client.base());
        let answer = newcomer.send(Method::GET, "/core/counters/c", &[], Bytes::new()).await.ok()?;
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!((refused.json()["code"].clone(), refused.header("retry-after")), (json!("overloaded"), "1"));
    drop(busy);
    wait::until("a new client is served", || async {
        let newcomer = Client::new(client.base());
        let answer = newcomer.send(Method::GET, "/core/counters/c", &[], Bytes::new()).await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_could_not_keep_its_data_open_does_not_start() {
    let start = || {
        let circumstances = Circumstances { descriptors: Some(100), ..Circumstances::default() };
        Host::start_under(circumstances, &std::env::temp_dir(), &[]).map(drop)
    };
    let refused = tokio::task::spawn_blocking(start).await.expect("no panic").expect_err("too few");
    assert!(format!("{refused:#}").contains("100 file descriptors"), "{refused:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_the_commit_log_could_not_hold_is_refused_at_start() {
    let start = || Host::start(&["--max-request-bytes", "13MiB"]).map(drop);
    let refused = tokio::task::spawn_blocking(start).await.expect("no panic").expect_err("too much");
    assert!(format!("{refused:#}").contains("at most 12 MiB"), "{refused:#}");
    let host = host_with(&[]).await;
    let ready = host.client().get("/health/ready?verbose").await.expect(200).json();
    let names: Vec<_> = ready["checks"].as_array().into_iter().flatten().map(|check| check["name"].clone()).collect();
    assert!(names.contains(&json!("store")), "{ready}");
}
