//! HTTP components: any component of `wasi:http` answers below the path at which it is mounted, while bodies stream both ways.

use std::time::Duration;

use http::Method;
use serde_json::json;
use steward_tests::client::{Answer, Client};
use steward_tests::host::Host;
use steward_tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::outside::{NOT_OF_GUESTS, headers_of, listening};
use crate::{commands, component, host_with_flags};

/// Where the component answers.
const PATH: &str = "/apps/x";

/// Longest wait for a piece of an answer.
const PIECE_WITHIN: Duration = Duration::from_secs(60);

/// Returns a host with the component mounted.
async fn mounted(flags: &[&str]) -> Host {
    let host = host_with_flags(&[], flags).await;
    host.client().deploy(&component("proxy").await, Some(PATH)).await;
    host
}

async fn ask(client: &Client, method: &str, below: &str, headers: &[(&str, &str)]) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    client.send(method, &format!("{PATH}{below}"), headers, "").await.expect("an answer")
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// A connection on which a request has begun.
struct Exchange {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Exchange {
    async fn begin(host: &Host, method: &str, below: &str, headers: &str) -> Exchange {
        let address = host.client().base().trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        let head = format!("{method} {PATH}{below} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.expect("the head is sent");
        Exchange { stream, received: Vec::new() }
    }

    async fn send(&mut self, chunk: &[u8]) {
        let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        self.stream.write_all(&framed).await.expect("a chunk is sent");
    }

    /// Reads until the answer holds `words`, or ends; returns all of it.
    async fn until(&mut self, words: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.received).into_owned();
            if text.contains(words) {
                return text;
            }
            let mut piece = vec![0; 16 * 1024];
            let read = tokio::time::timeout(PIECE_WITHIN, self.stream.read(&mut piece)).await.expect("a piece in time");
            match read.unwrap_or(0) {
                0 => return text,
                read => self.received.extend_from_slice(&piece[..read]),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_answers_every_request_at_and_below_its_path() {
    let host = mounted(&[]).await;
    let client = host.client();
    for (method, below, seen) in [
        ("GET", "", "GET /\n"),
        ("POST", "/a/b?q=1", "POST /a/b?q=1\n"),
        ("OPTIONS", "/a//%2Fb", "OPTIONS /a//%2Fb\n"),
        ("FROB", "/a/stats", "FROB /a/stats\n"),
    ] {
        let answer = ask(client, method, below, &[]).await.expect(418);
        assert!(text(&answer).starts_with(seen), "{}", text(&answer));
    }
    // What is asked of documents there is for the component to understand.
    let headers = [("x-own", "z"), ("if-match", "\"odd"), ("cookie", "session=1"), ("x-forwarded-prefix", "/forged")];
    let answer = ask(client, "GET", "/", &headers).await.expect(418);
    let seen = text(&answer);
    assert!(seen.contains("x-own: z\n") && seen.contains("if-match: \"odd\n"), "{seen}");
    assert!(seen.contains("x-forwarded-prefix: /apps/x\n") && !seen.contains("cookie"), "{seen}");
    assert_eq!((answer.header("content-type"), answer.header("x-mood")), ("text/plain", "good"));
    assert_eq!(answer.header("set-cookie"), "", "all services share one origin");
    assert!(!answer.header("x-request-id").is_empty());
    client.deploy(&component("greeting").await, Some("/apps/x/greeting")).await;
    let nearer = client.get("/apps/x/greeting/ada").await.expect(200).json();
    assert_eq!(nearer["hello"], "ada", "what is mounted below it answers itself");
    ask(client, "GET", "/greetings", &[]).await.expect(418);
    let head = ask(client, "HEAD", "/", &[]).await.expect(418);
    assert!(head.body.is_empty());
    let surroundings = ask(client, "GET", "/surroundings", &[]).await.expect(200);
    assert_eq!(text(&surroundings), "0 variables, 0 arguments, 0 folders");
    let said = format!("said-{}", std::process::id());
    ask(client, "GET", &format!("/said?{said}"), &[]).await.expect(204);
    wait::until("the log has it", || async { host.log().contains(&said).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways() {
    let host = mounted(&[]).await;
    let mut exchange =
        Exchange::begin(&host, "POST", "/echo", "transfer-encoding: chunked\r\ntrailer: x-sum\r\nte: trailers\r\n")
            .await;
    exchange.send(b"the first words").await;
    let begun = exchange.until("the first words").await;
    assert!(begun.starts_with("HTTP/1.1 200 "), "{begun}");
    assert!(begun.contains("the first words"), "before the request has ended: {begun}");
    exchange.stream.write_all(b"0\r\nx-sum: 15\r\n\r\n").await.expect("the end is sent");
    let whole = exchange.until("x-sum: 15\r\n").await;
    assert!(whole.ends_with("x-sum: 15\r\n\r\n"), "trailers pass too: {whole}");
    let body: Vec<u8> = (0..4 << 20).map(|at: u32| (at % 251) as u8).collect();
    let path = format!("{PATH}/echo");
    let answer = host.client().send(Method::PUT, &path, &[], body.clone()).await.expect("an answer").expect(200);
    assert!(answer.body == body, "{} bytes of {}", answer.body.len(), body.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_has_more_time_than_a_silent_component() {
    let host = mounted(&["--guest-deadline", "400ms"]).await;
    let mut exchange = Exchange::begin(&host, "POST", "/echo", "transfer-encoding: chunked\r\n").await;
    exchange.send(b"one").await;
    exchange.until("one").await;
    // The silence is what is tried here.
    tokio::time::sleep(Duration::from_millis(900)).await;
    exchange.send(b"two").await;
    assert!(exchange.until("two").await.contains("two"));
    let mut late = Exchange::begin(&host, "GET", "/loop-late", "").await;
    let answer = late.until("\r\n0\r\n").await;
    assert!(answer.contains("begun") && !answer.contains("\r\n0\r\n"), "it broke off: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_breaks_is_a_problem_and_harms_nobody() {
    let host = mounted(&[]).await;
    let client = host.client();
    for (below, status, code) in [
        ("/trap", 500, "guest-trap"),
        ("/no-answer", 500, "guest-no-answer"),
        ("/gives-up", 500, "guest-no-answer"),
        ("/hoard", 500, "guest-memory"),
        ("/loop", 504, "guest-deadline"),
    ] {
        let problem = ask(client, "GET", below, &[]).await.expect(status);
        assert_eq!(problem.header("content-type"), "application/problem+json");
        assert_eq!(problem.json()["code"], code, "{below}");
        ask(client, "GET", "/", &[]).await.expect(418);
    }
    let mut late = Exchange::begin(&host, "POST", "/trap-late", "transfer-encoding: chunked\r\n").await;
    late.until("begun").await;
    late.send(b"go on").await;
    let answer = late.until("\r\n0\r\n").await;
    assert!(!answer.contains("\r\n0\r\n"), "the answer must not look whole: {answer}");
}

/// A host outside that answers every request with a text; returns its authority.
async fn outside(answers: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let authority = listener.local_addr().expect("an address").to_string();
    // It ends with the runtime of its test.
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(answers.as_bytes()).await;
        }
    });
    authority
}

const OUTSIDE: &str = "HTTP/1.1 203 Other\r\ncontent-length: 7\r\nconnection: close\r\n\r\noutside";

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_only_to_hosts_that_the_operator_allows() {
    let (granted, other) = (outside(OUTSIDE).await, outside(OUTSIDE).await);
    let host = mounted(&["--outbound-allow", &granted]).await;
    let client = host.client();
    let fetched = ask(client, "GET", &format!("/fetch?{granted}/a"), &[]).await.expect(203);
    assert_eq!(text(&fetched), "outside");
    let denied = ask(client, "GET", &format!("/fetch?{other}/a"), &[]).await.expect(502);
    assert_eq!(text(&denied), "ErrorCode::HttpRequestDenied");
    let factory = client.get(&format!("/core/factories{PATH}")).await.expect(200).json();
    assert_eq!(factory["grants"]["outbound"], json!([granted]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_says_of_the_transport_and_of_the_host_does_not_leave() {
    let (authority, mut requests) = listening().await;
    let host = mounted(&["--outbound-allow", &format!("{authority},127.1")]).await;
    let more = [("accept", "text/plain"), ("own", "kept")];
    let names: Vec<(String, &str)> =
        NOT_OF_GUESTS.iter().chain(&more).map(|(name, value)| (format!("x-pass-{name}"), *value)).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let fetched = ask(host.client(), "GET", &format!("/fetch?{authority}/a"), &headers).await.expect(200);
    let request = requests.recv().await.expect("a request");
    assert!(request.starts_with("GET /a HTTP/1.1\r\n"), "{request}");
    let id = fetched.header("x-request-id");
    let expected = [("accept", "text/plain"), ("host", &authority), ("own", "kept"), ("x-request-id", id)];
    assert_eq!(headers_of(&request), expected);
    // A length that is not that of the body is refused.
    let length = [("x-pass-content-length", "1")];
    let refused = ask(host.client(), "GET", &format!("/fetch?{authority}/a"), &length).await.expect(502);
    assert_eq!(text(&refused), "ErrorCode::HttpRequestBodySize(Some(0))");
    // Nor is a name a way to what only this machine reaches.
    let port = authority.rsplit(':').next().expect("a port");
    let denied = ask(host.client(), "GET", &format!("/fetch?127.1:{port}/a"), &[]).await.expect(502);
    assert_eq!(text(&denied), "ErrorCode::HttpRequestDenied");
    assert!(requests.try_recv().is_err(), "nothing else has come");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_ends_the_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let authority = listener.local_addr().expect("an address").to_string();
    let host = mounted(&["--outbound-allow", &authority, "--guest-deadline", "60s"]).await;
    let exchange = Exchange::begin(&host, "GET", &format!("/fetch?{authority}/never"), "").await;
    let (mut asked, _) = listener.accept().await.expect("the component asks");
    let mut head = [0; 4096];
    assert!(asked.read(&mut head).await.is_ok_and(|read| read > 0));
    drop(exchange);
    // What the component waits for is hung up too, long before its deadline.
    let ended = tokio::time::timeout(Duration::from_secs(30), asked.read(&mut head)).await.expect("it ends");
    assert!(ended.is_ok_and(|read| read == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_listed_moved_restarted_and_taken_away_as_other_services_are() {
    let mut host = mounted(&[]).await;
    let listed = |host: &Host| {
        let client = host.client().clone();
        async move { client.get("/core/factories?expand").await.expect(200).json()["documents"][PATH].clone() }
    };
    let factory = listed(&host).await;
    assert_eq!((&factory["moduleName"], &factory["options"]), (&json!("x"), &json!(["STATELESS"])), "{factory}");
    let document = host.client().get("/openapi.json").await.expect(200).json();
    assert!(document["paths"][format!("{PATH}/{{below}}")]["put"].is_object(), "{document}");
    host.client().get(&format!("{PATH}/stats")).await.expect(200);
    // Another module: a section of its own changes nothing but the digest.
    let mut other = component("proxy").await;
    other.extend_from_slice(b"\0\x04\x03abc");
    let installed = host.client().upload_for(&other, Some(PATH)).await.expect(201).json();
    let wanted = json!({ "moduleDigest": installed["digest"] });
    host.client().patch(&format!("/core/factories{PATH}"), &wanted).await.expect(200);
    assert_eq!(listed(&host).await["revision"], 2);
    ask(host.client(), "GET", "/", &[]).await.expect(418);
    host.restart().expect("the host starts again");
    ask(host.client(), "GET", "/", &[]).await.expect(418);
    assert_eq!(listed(&host).await["revision"], 2);
    host.client().delete(&format!("/core/factories{PATH}")).await.expect(200);
    assert_eq!(ask(host.client(), "GET", "/", &[]).await.expect(404).json()["code"], "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_needs_a_path_and_a_version_that_is_served() {
    let host = host_with_flags(&[], &[]).await;
    let refused = host.client().upload(&component("proxy").await).await.expect(422).json();
    assert_eq!(refused["code"], "module-no-path", "{refused}");
    let newer = r#"(component (instance $empty) (export "wasi:http/handler@0.3.0" (instance $empty)))"#;
    let refused = host.client().upload(&wat::parse_str(newer).expect("a component")).await.expect(422).json();
    assert_eq!(refused["code"], "module-newer-http", "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_deploy_a_component_and_say_what_it_is() {
    let host = host_with_flags(&[], &[]).await;
    let base = host.client().base().to_owned();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("proxy.wasm");
    std::fs::write(&file, component("proxy").await).expect("it is written");
    let file = file.to_str().expect("a path in UTF-8");
    let inspected = commands::at(&base, &["inspect", file]).await;
    let told = commands::printed(&inspected);
    assert!(told.contains("wasi:http@0.2.0") && told.contains("wasi:http/outgoing-handler@0.2.0"), "{told}");
    let refused = commands::at(&base, &["deploy", file, "-y"]).await;
    assert!(commands::said(&refused).contains("--factory"), "{}", commands::said(&refused));
    let deployed = commands::at(&base, &["deploy", file, "--factory", PATH, "-y"]).await;
    assert!(deployed.status.success(), "{}", commands::said(&deployed));
    ask(host.client(), "GET", "/", &[]).await.expect(418);
    let services = commands::printed(&commands::at(&base, &["services"]).await);
    assert!(services.lines().any(|line| line.starts_with(PATH)), "{services}");
    let undeployed = commands::at(&base, &["undeploy", PATH, "-y"]).await;
    assert!(undeployed.status.success(), "{}", commands::said(&undeployed));
    ask(host.client(), "GET", "/", &[]).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_an_undeployed_factory_below_a_component_waits_for_it_all_the_same() {
    let host = host_with_flags(&["duties"], &[]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    client.deploy(&component("proxy").await, Some(PATH)).await;
    let below = format!("{PATH}/others");
    client.deploy(&component("duties").await, Some(&below)).await;
    let factory = format!("/core/factories{below}");
    let module = client.get(&factory).await.expect(200).json()["moduleDigest"].clone();
    for (at, name) in [(below.as_str(), "to"), ("/core/diaries", "from")] {
        client.post(at, &json!({ "documentSelfLink": name })).await.expect(201);
    }
    client.delete(&factory).await.expect(200);
    let letter = json!({ "letters": [{ "to": format!("{below}/to"), "note": "late", "tag": "", "delayMillis": 0 }] });
    client.patch("/core/diaries/from", &letter).await.expect(200);
    wait::until("the effect is held", || async {
        let waiting = client.get("/core/diaries/from/effects").await.expect(200).json();
        (waiting["effects"][0]["stage"] == "HELD").then_some(())
    })
    .await;
    // What an undeployed factory has to send is for the host to tell, whoever answers around it.
    for path in [below.clone(), format!("{below}/to")] {
        let told = client.get(&format!("{path}/effects")).await.expect(200).json();
        assert_eq!(told["pendingCount"], 0, "{path}: {told}");
    }
    let listed = commands::at(&base, &["effects"]).await;
    assert!(listed.status.success(), "{}", commands::said(&listed));
    assert!(text(&ask(client, "GET", "/elsewhere/effects", &[]).await).contains("/elsewhere/effects"));

    let again = json!({ "documentSelfLink": below, "moduleDigest": module });
    client.post("/core/factories", &again).await.expect(201);
    wait::until("it arrives", || async {
        let notes = client.get(&format!("{below}/to")).await.expect(200).json()["notes"].clone();
        (notes.as_array().map(Vec::len) == Some(1)).then_some(())
    })
    .await;
}
