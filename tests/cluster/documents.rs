//! Documents of a group: whichever node is asked, and whichever node dies.

use std::time::Duration;

use serde_json::{Value, json};
use steward_tests::wait::until;

use crate::load::{self, Load};
use steward_tests::nodes::Nodes;

/// Longest gap of a client, those of the frozen node included, on a machine that is busy with other tests.
const GAP_MAX: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread")]
async fn any_node_takes_any_request_and_shows_everything_that_was_acknowledged() {
    let nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["examples"]).await;
    nodes.until_balanced(3).await;
    let clients = nodes.clients();
    let mut owners = std::collections::BTreeSet::new();
    for n in 0..30 {
        let body = json!({ "documentSelfLink": format!("e{n:02}"), "name": format!("name {n}"), "counter": n });
        let created = clients[n % 3].post("/core/examples", &body).await.expect(201);
        let owner = created.header("x-steward-owner").to_owned();
        assert_eq!(created.json()["documentOwner"], owner.as_str());
        owners.insert(owner);
        // Whoever is asked next knows of it, by its link and in the listing.
        let other = &clients[(n + 1) % 3];
        assert_eq!(other.get(&format!("/core/examples/e{n:02}")).await.expect(200).json()["counter"], n);
        assert_eq!(clients[(n + 2) % 3].get("/core/examples").await.expect(200).json()["documentCount"], n + 1);
    }
    assert_eq!(owners.len(), 3, "the documents are shared out: {owners:?}");
    for client in &clients {
        let page =
            client.get("/core/examples?$filter=counter%20lt%2010&$orderby=counter%20desc&$limit=3").await.expect(200);
        let links = page.json()["documentLinks"].clone();
        assert_eq!(links, json!(["/core/examples/e09", "/core/examples/e08", "/core/examples/e07"]));
        let next = page.json()["nextPageLink"].as_str().expect("there is more").to_owned();
        let next = client.get(&next).await.expect(200).json();
        assert_eq!(next["documentLinks"][0], "/core/examples/e06");
    }
    let conflict = clients[1].post("/core/examples", &json!({ "documentSelfLink": "e00", "name": "again" })).await;
    assert_eq!(conflict.expect(409).json()["code"], "already-exists");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_owners_are_killed_and_frozen_under_load() {
    let mut nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["counter"]).await;
    nodes.until_balanced(3).await;
    let leader = nodes.leader(0, 3).await;
    let others: Vec<usize> = (0..3).filter(|at| *at != leader).collect();
    let load = Load::begin(&nodes.clients(), 6).await;
    for at in [others[0], leader] {
        nodes.host(at).kill();
        nodes.until_status(others[1], at, "UNAVAILABLE").await;
        nodes.until_answered(others[1]).await;
        nodes.host(at).restart().expect("the node starts again");
        nodes.until_available(3).await;
    }
    nodes.host(others[1]).pause().expect("the process is held up");
    nodes.until_status(leader, others[1], "UNAVAILABLE").await;
    nodes.until_answered(leader).await;
    nodes.host(others[1]).resume().expect("the process goes on");
    nodes.until_available(3).await;
    let (histories, longest) = load.end().await;
    let acknowledged = load::judge(&histories, &nodes.client(0)).await;
    println!("{acknowledged} additions acknowledged, longest gap {longest:?}");
    assert!(acknowledged > 100, "{acknowledged}");
    assert!(longest < GAP_MAX, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_in_order_and_returns_costs_no_request() {
    let mut nodes = Nodes::started(3, &[]).await;
    nodes.deploy(&["counter"]).await;
    nodes.until_balanced(3).await;
    let staying: Vec<_> = nodes.clients().into_iter().skip(1).collect();
    let load = Load::begin(&staying, 6).await;
    nodes.host(0).stop().expect("it stops in order");
    nodes.until_answered(1).await;
    nodes.host(0).restart().expect("the node starts again");
    nodes.until_available(3).await;
    nodes.until_balanced(3).await;
    let (histories, longest) = load.end().await;
    let acknowledged = load::judge(&histories, &nodes.client(0)).await;
    println!("{acknowledged} additions acknowledged, longest gap {longest:?}");
    load::all_answered(&histories);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_grows_to_three_and_all_restart_at_once_with_everything() {
    let mut nodes = Nodes::started(1, &[]).await;
    nodes.deploy(&["examples"]).await;
    for n in 0..20 {
        let body = json!({ "documentSelfLink": format!("e{n:02}"), "name": "before", "counter": n });
        nodes.client(0).post("/core/examples", &body).await.expect(201);
    }
    for _ in 0..2 {
        let at = nodes.join(&[]);
        nodes.host(at).restart().expect("the node joins");
        nodes.until_available(at + 1).await;
    }
    nodes.until_balanced(3).await;
    for n in 0..20 {
        let path = format!("/core/examples/e{n:02}");
        let changed = nodes.client(n % 3).patch(&path, &json!({ "name": "after" })).await.expect(200).json();
        assert_eq!((&changed["counter"], &changed["documentVersion"]), (&json!(n), &json!(1)));
    }
    for at in 0..3 {
        nodes.host(at).kill();
    }
    for at in 0..3 {
        nodes.host(at).spawn().expect("a process");
    }
    for at in 0..3 {
        nodes.host(at).ready().expect("the node becomes ready");
    }
    nodes.until_available(3).await;
    for at in 0..3 {
        let client = nodes.client(at);
        let listed = until("the listing is whole", || async {
            let answer = client.get("/core/examples?expand").await;
            (answer.status == 200).then(|| answer.json())
        })
        .await;
        let documents = listed["documents"].as_object().expect("documents");
        assert_eq!(documents.len(), 20);
        assert!(documents.values().all(|document: &Value| document["name"] == "after"), "{listed}");
    }
}
