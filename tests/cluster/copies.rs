//! What a client may ask of the copies of a document: to answer as they are, and to hold an update before it is answered.

use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::{Answer, Client};
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

const PATH: &str = "/core/examples/e";

async fn example(nodes: &Nodes) -> Answer {
    let body = json!({ "documentSelfLink": "e", "name": "first", "counter": 1 });
    nodes.client(0).post("/core/examples", &body).await.expect(201)
}

/// Returns the entity tag of an answer as `atLeast` names it.
fn seen(answer: &Answer) -> String {
    answer.header("etag").trim_matches('"').to_owned()
}

/// Returns the offset of a position such as `3-118`.
fn offset(position: &str) -> u64 {
    position.split_once('-').and_then(|(_, offset)| offset.parse().ok()).expect("a position")
}

async fn get(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    client.with_headers(Method::GET, path, headers, &Value::Null).await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_copy_answers_with_what_its_reader_has_seen_and_says_whose_it_is() {
    let nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["examples"]).await;
    nodes.until_balanced(3).await;
    let created = example(&nodes).await;
    let owner = created.header("x-steward-owner").to_owned();
    for (at, client) in nodes.clients().iter().enumerate() {
        for n in 2..12 {
            let counter = 20 * at + n;
            let changed = nodes.client(n % 3).patch(PATH, &json!({ "counter": counter })).await.expect(200);
            let read = client.get(&format!("{PATH}?consistency=local&atLeast={}", seen(&changed))).await.expect(200);
            assert_eq!(read.json()["counter"], counter, "asked of node {at}");
            assert_eq!(read.header("x-steward-copy"), format!("host-{at}"), "its own copy counts");
            assert_eq!(
                (read.header("x-steward-owner"), read.json()["documentOwner"].as_str()),
                (&*owner, Some(&*owner))
            );
            assert!(offset(read.header("x-steward-position")) >= offset(&seen(&changed)));
        }
        // As it is, and by the header, with the condition of any read.
        let read = client.get(&format!("{PATH}?consistency=local")).await.expect(200);
        let tag = seen(&read);
        let read = get(client, PATH, &[("x-steward-at-least", &tag), ("if-none-match", &tag)]).await.expect(304);
        assert_eq!(read.header("x-steward-copy"), format!("host-{at}"));
        let missing = client.get("/core/examples/none?consistency=local").await.expect(404).json();
        assert_eq!((&missing["copy"], &missing["code"]), (&json!(format!("host-{at}")), &json!("not-found")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_has_not_seen_as_much_waits_and_then_says_how_far_it_is() {
    let nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["examples"]).await;
    nodes.until_balanced(3).await;
    let created = example(&nodes).await;
    let (epoch, last) = (created.header("x-steward-epoch").to_owned(), offset(&seen(&created)));
    let mut owners = 0;
    for client in nodes.clients() {
        // A third copy may not have heard of the commit when two hold it.
        client.get(&format!("{PATH}?atLeast={epoch}-{last}")).await.expect(200);
        let far = format!("{PATH}?atLeast={epoch}-{}", last + 1_000_000);
        let answer = get(&client, &far, &[("prefer", "wait=1")]).await;
        let problem = answer.json();
        // The owner knows that nobody was told of it.
        if answer.status == 412 {
            assert_eq!(problem["code"], "position-not-in-log", "{problem}");
            owners += 1;
            continue;
        }
        assert_eq!((&problem["code"], &problem["retry"]), (&json!("copy-behind"), &json!("later")), "{problem}");
        assert!(offset(problem["position"].as_str().expect("where it is")) >= last, "{problem}");
        let never = client.get(&format!("{PATH}?atLeast=99999-{last}")).await.expect(412).json();
        assert_eq!(never["code"], "position-not-in-log", "{never}");
    }
    assert_eq!(owners, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_answers_while_everybody_else_is_frozen() {
    let mut nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["examples"]).await;
    nodes.until_balanced(3).await;
    let created = example(&nodes).await;
    let tag = seen(&created);
    // Every copy has it before the others fall silent.
    for client in nodes.clients() {
        client.get(&format!("{PATH}?atLeast={tag}")).await.expect(200);
    }
    for at in [1, 2] {
        nodes.host(at).pause().expect("the process is held up");
    }
    let client = nodes.client(0);
    let read = client.get(&format!("{PATH}?atLeast={tag}")).await.expect(200);
    assert_eq!((read.header("x-steward-copy"), &read.json()["counter"]), ("host-0", &json!(1)));
    get(&client, PATH, &[("prefer", "wait=1")]).await.expect(503);
    let began = Instant::now();
    let listing = get(&client, "/core/examples", &[("prefer", "wait=1")]).await;
    assert_eq!((listing.status.as_u16(), listing.header("preference-applied")), (503, "wait=1"));
    assert!(began.elapsed() < Duration::from_secs(15), "a listing waits no longer either: {:?}", began.elapsed());
    for at in [1, 2] {
        nodes.host(at).resume().expect("the process goes on");
    }
    nodes.until_available(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_answered_when_as_many_nodes_hold_it_as_its_client_wants() {
    let mut nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["examples"]).await;
    nodes.until_balanced(3).await;
    let created = example(&nodes).await;
    let owner = (0..3).find(|at| created.header("x-steward-owner") == format!("host-{at}")).expect("an owner");
    let frozen = nodes.other_than(&[owner]);
    let entry = nodes.other_than(&[owner, frozen]);
    let client = nodes.client(entry);
    let patch = |n: u64, wanted: &'static str, wait: &'static str| {
        let client = client.clone();
        async move {
            let headers = [("x-xenon-rpl-quorum", wanted), ("prefer", wait)];
            client.with_headers(Method::PATCH, PATH, &headers, &json!({ "counter": n })).await
        }
    };
    for wanted in ["1", "2", "3", "x-xenon-all"] {
        patch(2, wanted, "wait=20").await.expect(200);
    }
    let beyond = patch(3, "4", "wait=20").await.expect(400).json();
    assert_eq!((&beyond["code"], &beyond["nodes"]), (&json!("quorum-beyond-nodes"), &json!(3)), "{beyond}");

    // Two nodes are a quorum and carry the update out; the third is not known to be gone yet, and holds up only who wants it.
    nodes.host(frozen).pause().expect("the process is held up");
    let short = patch(4, "3", "wait=1").await.expect(503).json();
    let (code, told) = (short["code"].as_str().unwrap_or_default(), (&short["available"], &short["quorum"]));
    assert_eq!((code, told), ("too-few-copies", (&json!(2), &json!(3))), "{short}");
    assert_eq!(
        (&short["outcome"], &client.get(PATH).await.expect(200).json()["counter"]),
        (&json!("unknown"), &json!(4))
    );

    // Once the group knows that it is gone, such an update is not begun: it is parked like one for which the quorum is missing.
    nodes.until_status(entry, frozen, "UNAVAILABLE").await;
    let parked = patch(5, "3", "wait=1").await.expect(503).json();
    assert_eq!((&parked["code"], &parked["outcome"]), (&json!("no-quorum"), &json!("none")), "{parked}");
    assert_eq!((&parked["available"], &parked["quorum"]), (&json!(2), &json!(3)), "{parked}");
    patch(6, "2", "wait=20").await.expect(200);
    let waits = tokio::spawn(patch(20, "3", "wait=60"));
    // All that count: the silent one leaves the in-sync set when it does not acknowledge what is older than two seconds.
    patch(8, "x-xenon-all", "wait=20").await.expect(200);
    nodes.host(frozen).resume().expect("the process goes on");
    waits.await.expect("no panic").expect(200);
    until("the update that waited is there", || async {
        (client.get(PATH).await.json()["counter"] == 20).then_some(())
    })
    .await;
}
