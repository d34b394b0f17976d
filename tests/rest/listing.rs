//! Listing a factory: complete, in pages, expanded, filtered, sorted.

use serde_json::{Value, json};
use steward_tests::client::Client;

use crate::host_with;

async fn fill(client: &Client, count: u64) {
    for n in 0..count {
        let body = json!({ "documentSelfLink": format!("e{n:04}"), "name": format!("name-{}", n % 3), "counter": n });
        client.post("/core/examples", &body).await.expect(201);
    }
}

fn links(list: &Value) -> Vec<String> {
    let links = list["documentLinks"].as_array().expect("links");
    links.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_together_are_the_whole_list_in_order() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    fill(client, 60).await;
    let whole = links(&client.get("/core/examples").await.expect(200).json());
    assert_eq!(whole.len(), 60);
    assert!(whole.is_sorted());
    let mut next = Some("/core/examples?$limit=25".to_owned());
    let mut paged = Vec::new();
    let mut pages = 0;
    while let Some(path) = next {
        let page = client.get(&path).await.expect(200).json();
        paged.extend(links(&page));
        next = page["nextPageLink"].as_str().map(str::to_owned);
        pages += 1;
    }
    assert_eq!((paged, pages), (whole, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_sorting_and_selection_follow_odata() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    fill(client, 12).await;
    let filtered = client.get("/core/examples?$filter=counter%20ge%206%20and%20name%20eq%20'name-0'").await.expect(200);
    assert_eq!(links(&filtered.json()), ["/core/examples/e0006", "/core/examples/e0009"]);
    let top = client.get("/core/examples?expand&$orderby=counter%20desc&$top=2").await.expect(200).json();
    assert_eq!(links(&top), ["/core/examples/e0011", "/core/examples/e0010"]);
    assert_eq!(top["documents"]["/core/examples/e0011"]["counter"], 11);
    let count = client.get("/core/examples?$count=true").await.expect(200).json();
    assert_eq!(count["documentCount"].as_u64().or(count["totalCount"].as_u64()), Some(12), "{count}");
    let selected = client.get("/core/examples?$select=counter&$top=1").await.expect(200).json();
    let (_, first) = selected["documents"].as_object().expect("documents").iter().next().expect("one");
    assert!(first.get("name").is_none() && first.get("counter").is_some(), "{first}");
    let bad = client.get("/core/examples?$filter=counter%20gee%206").await.expect(400).json();
    assert!(
        bad["message"].as_str().is_some_and(|text| text.chars().any(|c| c.is_ascii_digit())),
        "the position: {bad}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_and_deleted_documents_are_not_listed() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    fill(client, 3).await;
    client.delete("/core/examples/e0000").await.expect(200);
    let soon =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_micros() + 300_000;
    let soon = u64::try_from(soon).expect("a time of this age");
    let body = json!({ "documentSelfLink": "brief", "name": "n", "documentExpirationTimeMicros": soon });
    client.post("/core/examples", &body).await.expect(201);
    steward_tests::wait::until("the document has expired", || async {
        (client.get("/core/examples/brief").await.status == 404).then_some(())
    })
    .await;
    let listed = links(&client.get("/core/examples").await.expect(200).json());
    assert_eq!(listed, ["/core/examples/e0001", "/core/examples/e0002"]);
    steward_tests::wait::until("its link is free again", || async {
        let body = json!({ "documentSelfLink": "brief", "name": "again" });
        (client.post("/core/examples", &body).await.status == 201).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_children_than_fit_one_page_are_all_listed() {
    const CHILDREN: u64 = 1_100;
    const CLIENTS: usize = 20;
    let host = host_with(&["counter"]).await;
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..CLIENTS as u64 {
        let client = host.client().clone();
        clients.spawn(async move {
            for child in (n..CHILDREN).step_by(CLIENTS) {
                client.post("/core/counters", &json!({ "documentSelfLink": format!("c{child:04}") })).await.expect(201);
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client does not panic");
    }
    let client = host.client();
    let first = client.get("/core/counters").await.expect(200).json();
    let next = first["nextPageLink"].as_str().expect("a second page").to_owned();
    let second = client.get(&next).await.expect(200).json();
    assert_eq!((links(&first).len(), links(&second).len()), (1_000, 100));
    assert_eq!(second.get("nextPageLink"), None);
    let all: Vec<String> = links(&first).into_iter().chain(links(&second)).collect();
    assert_eq!(all, (0..CHILDREN).map(|n| format!("/core/counters/c{n:04}")).collect::<Vec<_>>());
}
