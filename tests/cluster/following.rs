//! One request can be followed over nodes: each writes a log of its own, and one search for the id of the request finds its life in
//! all of them.

use http::Method;
use serde_json::json;
use steward_tests::nodes::Nodes;
use steward_tests::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_found_by_its_id_in_the_logs_of_all_nodes_that_it_reaches() {
    let mut nodes = Nodes::started(3, &["--log-level", "info,steward_node=debug"]).await;
    nodes.deploy(&["duties"]).await;
    nodes.until_balanced(3).await;
    let (from, owner) = owned_by_another_than(&nodes, &[]).await;
    let (to, receiver) = owned_by_another_than(&nodes, &[owner]).await;
    let entry = nodes.other_than(&[owner, receiver]);

    let id = [("x-request-id", "find-me-19")];
    let letters = json!({ "letters": [{ "to": to, "note": "hello", "tag": "told" }] });
    nodes.client(entry).with_headers(Method::PATCH, &from, &id, &letters).await.expect(200);
    let lives = [
        (entry, "client", &from, String::new()),
        (owner, "client", &from, format!("arrival{{from=host-{entry}}}")),
        (receiver, "effect", &to, format!("arrival{{from=host-{owner}}}")),
        (owner, "reply", &from, String::new()),
    ];
    for (at, cause, link, hop) in lives {
        let (cause, link) = (format!("cause=\"{cause}\""), format!("link={link} "));
        let words = ["operation done", r#"request="find-me-19""#, &cause, &link, &hop, " partition="];
        let host = nodes.host(at);
        let line = until(&format!("host-{at} has logged {words:?}"), || async {
            let log = host.log();
            log.lines().find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
        })
        .await;
        assert_eq!(line.contains(" epoch="), at != entry, "who has carried it out says in which epoch: {line}");
    }
}

/// Creates documents until one is owned by none of these nodes; returns its link, and the number of its owner.
async fn owned_by_another_than(nodes: &Nodes, these: &[usize]) -> (String, usize) {
    until("a document of another owner is created", || async {
        let created = nodes.client(0).post("/core/diaries", &json!({})).await.expect(201);
        let owner = created.header("x-steward-owner").trim_start_matches("host-").parse().expect("a number");
        let link = created.json()["documentSelfLink"].as_str().expect("a link").to_owned();
        (!these.contains(&owner)).then_some((link, owner))
    })
    .await
}
