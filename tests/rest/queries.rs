//! Query tasks over all documents.

use serde_json::{Value, json};
use steward_tests::client::Client;

use crate::host_with;

const EXAMPLE: &str = "com:vmware:xenon:services:common:ExampleService:ExampleServiceState";

async fn fill(client: &Client, count: u64) {
    for n in 0..count {
        let body = json!({ "documentSelfLink": format!("e{n:02}"), "name": format!("name {}", n % 3), "counter": n });
        client.post("/core/examples", &body).await.expect(201);
    }
}

async fn results(client: &Client, specification: Value) -> Value {
    let task = json!({ "taskInfo": { "isDirect": true }, "querySpec": specification });
    let task = client.post("/core/query-tasks", &task).await.expect(200).json();
    assert_eq!(task["taskInfo"]["stage"], "FINISHED", "{task}");
    task["results"].clone()
}

/// Returns the names of the documents that a query finds.
async fn found(client: &Client, query: Value) -> Vec<String> {
    let results = results(client, json!({ "query": query })).await;
    let links = results["documentLinks"].as_array().expect("links").iter().filter_map(Value::as_str);
    let mut names: Vec<String> = links.map(|link| link.rsplit('/').next().unwrap_or_default().to_owned()).collect();
    names.sort_unstable();
    names
}

fn term(name: &str, value: &str) -> Value {
    json!({ "propertyName": name, "matchValue": value })
}

fn kind() -> Value {
    json!({ "term": term("documentKind", EXAMPLE) })
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_and_ranges_find_what_they_say() {
    let host = host_with(&["examples", "counter"]).await;
    let client = host.client();
    fill(client, 9).await;
    client.post("/core/counters", &json!({ "documentSelfLink": "c", "count": 3 })).await.expect(201);
    assert_eq!(found(client, kind()).await.len(), 9);
    assert_eq!(found(client, json!({ "term": term("name", "name 1") })).await, ["e01", "e04", "e07"]);
    assert_eq!(found(client, json!({ "term": term("counter", "3") })).await, ["e03"]);
    assert_eq!(found(client, json!({ "term": term("documentSelfLink", "/core/counters/c") })).await, ["c"]);
    let range = json!({ "type": "LONG", "min": 2, "max": 5, "isMinInclusive": true, "isMaxInclusive": false });
    let query = json!({ "term": { "propertyName": "counter", "range": range } });
    assert_eq!(found(client, query).await, ["e02", "e03", "e04"]);
    let wildcard = json!({ "propertyName": "name", "matchValue": "*2", "matchType": "WILDCARD" });
    assert_eq!(found(client, json!({ "term": wildcard })).await, ["e02", "e05", "e08"]);
    assert_eq!(found(client, json!({ "term": term("name", "nobody") })).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn clauses_combine_as_their_occurrence_says() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    fill(client, 9).await;
    let clause =
        |occurance: &str, name: &str, value: &str| json!({ "occurance": occurance, "term": term(name, value) });
    let all = |clauses: &[Value]| json!({ "booleanClauses": clauses });
    let (must, not, should) = ("MUST_OCCUR", "MUST_NOT_OCCUR", "SHOULD_OCCUR");
    let query =
        all(&[clause(must, "documentKind", EXAMPLE), clause(must, "name", "name 0"), clause(not, "counter", "3")]);
    assert_eq!(found(client, query).await, ["e00", "e06"]);
    let either = all(&[clause(should, "counter", "1"), clause(should, "counter", "8")]);
    assert_eq!(found(client, either.clone()).await, ["e01", "e08"]);
    let mut nested = either;
    nested["occurance"] = must.into();
    assert_eq!(found(client, all(&[nested, clause(not, "name", "name 1")])).await, ["e08"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_and_content_come_as_the_options_ask() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    fill(client, 5).await;
    let counted = results(client, json!({ "query": kind(), "options": ["COUNT"] })).await;
    assert_eq!((&counted["documentCount"], &counted["documentLinks"]), (&json!(5), &json!([])));
    let specification = json!({
        "query": kind(), "options": ["EXPAND_CONTENT", "SORT", "TOP_RESULTS"], "resultLimit": 2,
        "sortTerm": { "propertyName": "counter", "propertyType": "LONG" }, "sortOrder": "DESC",
    });
    let top = results(client, specification).await;
    assert_eq!(top["documentLinks"], json!(["/core/examples/e04", "/core/examples/e03"]));
    let read = client.get("/core/examples/e04").await.expect(200).json();
    assert_eq!(top["documents"]["/core/examples/e04"], read);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_versions_are_found_and_tombstones_only_when_asked_for() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    fill(client, 2).await;
    client.patch("/core/examples/e00", &json!({ "name": "changed" })).await.expect(200);
    client.delete("/core/examples/e01").await.expect(200);
    let query = kind();
    assert_eq!(found(client, query.clone()).await, ["e00"]);
    assert_eq!(found(client, json!({ "term": term("name", "name 0") })).await, Vec::<String>::new(), "an old version");
    let all = results(client, json!({ "query": query, "options": ["INCLUDE_ALL_VERSIONS"] })).await;
    let links = ["e00?documentVersion=1", "e00?documentVersion=0", "e01?documentVersion=0"];
    assert_eq!(all["documentLinks"], json!(links.map(|link| format!("/core/examples/{link}"))));
    let deleted = json!({ "query": query, "options": ["INCLUDE_ALL_VERSIONS", "INCLUDE_DELETED"] });
    let mut deleted = results(client, deleted).await["documentLinks"].as_array().expect("links").clone();
    deleted.sort_unstable_by_key(ToString::to_string);
    let links = ["e00?documentVersion=0", "e00?documentVersion=1", "e01?documentVersion=0", "e01?documentVersion=1"];
    assert_eq!(deleted, links.map(|link| json!(format!("/core/examples/{link}"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_limit_gives_pages_that_are_the_whole_together() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    fill(client, 7).await;
    let specification = json!({
        "query": kind(), "resultLimit": 3, "options": ["SORT"], "sortTerm": { "propertyName": "name" },
    });
    let mut page = results(client, specification).await;
    assert_eq!(page["documentLinks"], json!([]));
    let (mut links, mut pages) = (Vec::new(), 0);
    while let Some(next) = page["nextPageLink"].as_str().map(str::to_owned) {
        page = client.get(&next).await.expect(200).json()["results"].clone();
        links.extend(page["documentLinks"].as_array().expect("links").clone());
        pages += 1;
    }
    assert_eq!((links.len(), pages), (7, 3));
    links.sort_unstable_by_key(ToString::to_string);
    links.dedup();
    assert_eq!(links.len(), 7);
    client.get("/core/query-page?$skiptoken=nonsense").await.expect(400);
    client.get("/core/query-page").await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_sees_every_acknowledged_update() {
    let mut host = host_with(&["counter"]).await;
    let query = |count: u64| json!({ "term": term("count", &count.to_string()) });
    let client = host.client().clone();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    for count in 1..=20 {
        client.patch("/core/counters/c", &json!({})).await.expect(200);
        assert_eq!(found(&client, query(count)).await, ["c"], "count {count}");
        assert_eq!(found(&client, query(count - 1)).await, Vec::<String>::new());
    }
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    assert_eq!(found(host.client(), query(20)).await, ["c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_query_is_pointed_at() {
    let host = host_with(&[]).await;
    let client = host.client();
    for (task, words) in [
        (json!({}), "querySpec is required"),
        (json!({ "querySpec": { "query": {} } }), "booleanClauses"),
        (json!({ "querySpec": { "query": kind(), "options": ["GROUP_BY"] } }), "GROUP_BY is not supported"),
        (json!({ "querySpec": { "query": kind(), "options": ["SORT"] } }), "sortTerm"),
        (json!({ "querySpec": { "query": kind(), "resultLimit": 0 } }), "resultLimit must be from 1"),
        (json!({ "querySpec": { "query": { "terms": {} } } }), "terms"),
        (json!({ "querySpec": { "query": { "term": { "propertyName": "a", "range": { "min": "x" } } } } }), ""),
    ] {
        let problem = client.post("/core/query-tasks", &task).await.expect(400).json();
        assert_eq!(problem["code"], "query", "{problem}");
        let message = problem["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{words:?} is not in: {message}");
    }
    let pointed = json!({ "querySpec": { "query": { "term": { "propertyName": "a" } } } });
    let problem = client.post("/core/query-tasks", &pointed).await.expect(400).json();
    assert_eq!(problem["errors"][0]["pointer"], "/querySpec/query/term");
}
