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
async fn a_query_has_no_more_clauses_than_can_be_compared() {
    let host = crate::host_with(&["counter"]).await;
    let clause = json!({ "term": { "propertyName": "documentSelfLink", "matchValue": "b" } });
    let nested = |count: usize, levels: usize| {
        let innermost = json!({ "booleanClauses": vec![clause.clone(); count] });
        (0..levels).fold(innermost, |inside, _| json!({ "booleanClauses": [inside] }))
    };
    let task = |query: Value| json!({ "taskInfo": { "isDirect": true }, "querySpec": { "query": query } });
    for (count, levels) in [(10_000, 44), (10_000, 0), (1, 44)] {
        let refused = host.client().post("/core/query-tasks", &task(nested(count, levels))).await.expect(400).json();
        assert!(refused["errors"][0]["detail"].as_str().is_some_and(|told| told.contains("at most")), "{refused}");
    }
    host.client().post("/core/query-tasks", &task(nested(900, 30))).await.expect(200);
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

/// Reads pages of a listing until there is none, and returns the names of all links in their order.
async fn pages(client: &Client, options: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = Some(format!("/core/examples?{options}"));
    while let Some(path) = next {
        let page = client.get(&path).await.expect(200).json();
        let links = page["documentLinks"].as_array().expect("links").clone();
        names.extend(
            links.iter().filter_map(Value::as_str).filter_map(|link| link.rsplit('/').next()).map(str::to_owned),
        );
        next = page["nextPageLink"].as_str().map(str::to_owned);
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_in_the_order_of_a_field_are_the_whole_in_both_directions() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    fill(client, 23).await;
    let upwards: Vec<String> = (0..23).map(|n| format!("e{n:02}")).collect();
    let downwards: Vec<String> = upwards.iter().rev().cloned().collect();
    assert_eq!(pages(client, "$orderby=counter&$limit=4").await, upwards);
    assert_eq!(pages(client, "$orderby=counter%20desc&$limit=4").await, downwards);
    assert_eq!(pages(client, "$orderby=counter%20desc&$limit=4&$filter=counter%20lt%209").await, downwards[14..]);
    // Names stand for three values: within one the links go upwards, whichever way the values go.
    let by_name = |rests: [usize; 3]| {
        let of = |rest: usize| upwards.iter().skip(rest).step_by(3).cloned();
        rests.into_iter().flat_map(of).collect::<Vec<_>>()
    };
    assert_eq!(pages(client, "$orderby=name&$limit=5").await, by_name([0, 1, 2]));
    assert_eq!(pages(client, "$orderby=name%20desc&$limit=5").await, by_name([2, 1, 0]));
    assert_eq!(pages(client, "$orderby=name%20desc&$limit=5&expand").await, by_name([2, 1, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_agree_with_what_is_listed_whatever_was_changed() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    fill(client, 30).await;
    for n in 0..30 {
        let link = format!("/core/examples/e{n:02}");
        match n % 3 {
            0 => drop(client.delete(&link).await.expect(200)),
            1 => drop(client.patch(&link, &json!({ "counter": n + 100 })).await.expect(200)),
            _ => {}
        }
    }
    for (filter, expected) in
        [("", 20), ("counter%20ge%20100", 10), ("counter%20lt%20100", 10), ("name%20eq%20'name 2'", 10)]
    {
        let filter = filter.replace(' ', "%20");
        let option = if filter.is_empty() { String::new() } else { format!("&$filter={filter}") };
        let counted = client.get(&format!("/core/examples?$count=true{option}")).await.expect(200).json();
        assert_eq!(counted["totalCount"], expected, "{filter}: {counted}");
        assert_eq!(pages(client, &format!("$limit=7{option}")).await.len(), expected, "{filter}");
    }
    let page = client.get("/core/examples?$count=true&$top=3").await.expect(200).json();
    assert_eq!((&page["totalCount"], page["documentLinks"].as_array().map(Vec::len)), (&json!(20), Some(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_is_looked_for_where_it_is_and_nowhere_else() {
    let host = host_with(&["examples", "counter"]).await;
    let client = host.client();
    fill(client, 3).await;
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let kind = |kind: &str| json!({ "term": term("documentKind", kind) });
    let read = client.get("/core/counters/c").await.expect(200).json();
    let counter = read["documentKind"].as_str().expect("a kind").to_owned();
    assert_eq!(found(client, kind(&counter)).await, ["c"]);
    assert_eq!(found(client, kind(EXAMPLE)).await, ["e00", "e01", "e02"]);
    assert_eq!(found(client, kind("nobody")).await, Vec::<String>::new());
    let clause = |kind: Value, occurance: &str| json!({ "occurance": occurance, "term": kind["term"] });
    let other =
        json!({ "booleanClauses": [clause(kind(&counter), "MUST_NOT_OCCUR"), clause(kind(EXAMPLE), "MUST_OCCUR")] });
    assert_eq!(found(client, other).await, ["e00", "e01", "e02"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_see_every_acknowledged_update_while_others_write() {
    const WRITERS: u64 = 6;
    let host = host_with(&["counter"]).await;
    let client = host.client().clone();
    for writer in 0..WRITERS {
        client.post("/core/counters", &json!({ "documentSelfLink": format!("c{writer}") })).await.expect(201);
    }
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let client = client.clone();
        writers.spawn(async move {
            let link = format!("/core/counters/c{writer}");
            for count in 1..=25_u64 {
                client.patch(&link, &json!({})).await.expect(200);
                let filter = format!("count%20ge%20{count}");
                let listed = client.get(&format!("/core/counters?$filter={filter}")).await.expect(200).json();
                let links = listed["documentLinks"].as_array().expect("links");
                assert!(links.contains(&json!(link)), "{link} at {count}: {listed}");
                let sorted = client.get("/core/counters?$orderby=count%20desc&$limit=100").await.expect(200).json();
                let links = sorted["documentLinks"].as_array().expect("links");
                assert_eq!(links.len() as u64, WRITERS, "each document once: {sorted}");
                let all = client.get("/core/counters?$count=true").await.expect(200).json();
                assert_eq!(all["totalCount"], WRITERS, "{all}");
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.expect("a writer finds what it wrote");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_tells_what_it_cost_when_it_is_asked() {
    let host = host_with(&["examples", "counter"]).await;
    let client = host.client();
    fill(client, 30).await;
    let clause = |term: Value| json!({ "occurance": "MUST_OCCUR", "term": term });
    let query = |more: Value| json!({ "booleanClauses": [clause(term("documentKind", EXAMPLE)), clause(more)] });
    let range =
        json!({ "propertyName": "counter", "range": { "type": "LONG", "min": 3, "max": 8, "isMinInclusive": true } });
    for (specification, way, keys, documents) in [
        (json!({ "query": query(term("name", "name 1")), "options": ["EXPLAIN"] }), "INDEX", 10, 0),
        (json!({ "query": query(term("name", "name 1")), "options": ["EXPLAIN", "EXPAND_CONTENT"] }), "INDEX", 10, 10),
        (json!({ "query": query(range), "options": ["EXPLAIN", "COUNT"] }), "COUNT", 5, 0),
        (json!({ "query": kind(), "options": ["EXPLAIN", "COUNT"] }), "COUNT", 0, 0),
        (json!({ "query": kind(), "options": ["EXPLAIN"] }), "LIST", 30, 0),
        (
            json!({
                "query": kind(), "options": ["EXPLAIN", "SORT", "TOP_RESULTS"], "resultLimit": 4,
                "sortTerm": { "propertyName": "counter" }, "sortOrder": "DESC",
            }),
            "ORDER",
            5,
            0,
        ),
        (json!({ "query": query(term("documentVersion", "0")), "options": ["EXPLAIN"] }), "DOCUMENTS", 0, 30),
    ] {
        let cost = results(client, specification.clone()).await["queryCost"].clone();
        assert_eq!(cost, json!({ "way": way, "keysRead": keys, "documentsRead": documents }), "{specification}");
    }
    assert_eq!(results(client, json!({ "query": kind() })).await.get("queryCost"), None);
}

/// Documents without the field come first: the index gives the page once it is known that there are none.
#[tokio::test(flavor = "multi_thread")]
async fn the_least_values_come_from_the_index_while_every_document_has_one() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    fill(client, 30).await;
    let sorted = json!({
        "query": kind(), "options": ["EXPLAIN", "SORT", "TOP_RESULTS"], "resultLimit": 4,
        "sortTerm": { "propertyName": "counter" }, "sortOrder": "ASC",
    });
    let first = results(client, sorted.clone()).await;
    assert_eq!(first["queryCost"], json!({ "way": "ORDER", "keysRead": 5, "documentsRead": 0 }), "{first}");
    let bare = json!({ "documentSelfLink": "bare", "name": "nothing" });
    client.post("/core/examples", &bare).await.expect(201);
    let first = results(client, sorted.clone()).await;
    let links = first["documentLinks"].as_array().expect("links");
    assert_eq!((links[0].as_str(), &first["queryCost"]["way"]), (Some("/core/examples/bare"), &json!("DOCUMENTS")));
    let paged = pages(client, "$orderby=counter&$limit=7").await;
    assert_eq!((paged.len(), paged[0].as_str()), (31, "bare"), "{paged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_patterns_are_searched_in_long_texts_in_good_time() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    for n in 0..4 {
        let body = json!({ "documentSelfLink": format!("e{n}"), "name": "a".repeat(900_000) });
        client.post("/core/examples", &body).await.expect(201);
    }
    let almost = format!("{}b", "a".repeat(1000));
    let begun = std::time::Instant::now();
    for filter in
        [format!("contains(name,'{almost}')"), format!("name eq '*{almost}*'"), format!("phrase(name,'{almost}')")]
    {
        let path = format!("/core/examples?$filter={}", filter.replace(' ', "%20").replace('\'', "%27"));
        assert_eq!(client.get(&path).await.expect(200).json()["documentCount"], 0);
    }
    // In proportion to both lengths each takes minutes.
    assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{:?}", begun.elapsed());
    let path = format!("/core/examples?$filter=contains(name,%27{}%27)", "a".repeat(1025));
    let problem = client.get(&path).await.expect(400).json();
    assert_eq!((&problem["code"], &problem["position"]), (&json!("query"), &json!(14)), "{problem}");
}
