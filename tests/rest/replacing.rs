//! PUT: it asks whoever decides on creation, and a service may do without it.

use http::Method;
use serde_json::{Value, json};

use crate::host_with;

const LISTS: &str = "/core/todos";

#[tokio::test(flavor = "multi_thread")]
async fn a_put_that_breaks_a_rule_of_creation_is_refused_with_the_fault_of_the_guest() {
    let host = host_with(&["todo"]).await;
    let client = host.client();
    client.post(LISTS, &json!({ "documentSelfLink": "a", "title": "one" })).await.expect(201);
    let link = format!("{LISTS}/a");
    let item = |id: u64| json!({ "id": id, "text": "sweep" });
    let unruly = json!({ "title": "two", "items": [item(2), item(1)] });
    let created = client.post(LISTS, &unruly).await.expect(400).json();
    let replaced = client.put(&link, &unruly).await.expect(400).json();
    for part in ["code", "detail", "errors"] {
        assert_eq!(replaced[part], created[part], "{replaced}");
    }
    assert_eq!(replaced["errors"][0]["pointer"], "/items/1/id", "{replaced}");
    let bare = client.send(Method::PUT, &link, &[], "").await.expect("an answer").expect(400).json();
    assert_eq!(bare["code"], "validation", "{bare}");
    assert_eq!(client.get(&link).await.expect(200).json()["documentVersion"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_takes_defaults_and_expiry_as_a_creation_does() {
    let host = host_with(&["todo"]).await;
    let client = host.client();
    let far = 4_000_000_000_000_000_i64;
    let body = json!({ "documentSelfLink": "a", "title": "one", "documentExpirationTimeMicros": far });
    client.post(LISTS, &body).await.expect(201);
    let link = format!("{LISTS}/a");
    let put = async |body: Value| client.put(&link, &body).await.expect(200).json();
    let replaced = put(json!({ "title": "two", "items": [{ "id": 4, "text": "mop" }], "colour": "red" })).await;
    assert_eq!((&replaced["nextId"], replaced.get("colour")), (&json!(5), None), "{replaced}");
    assert_eq!(replaced["documentUpdateAction"], "PUT", "{replaced}");
    assert_eq!(replaced["documentExpirationTimeMicros"], far, "{replaced}");
    let replaced = put(json!({ "title": "three", "documentExpirationTimeMicros": far + 1 })).await;
    assert_eq!(replaced["documentExpirationTimeMicros"], far + 1, "{replaced}");
    assert_eq!((&replaced["nextId"], &replaced["documentVersion"]), (&json!(1), &json!(2)), "{replaced}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_put_says_so_wherever_methods_are_named() {
    let host = host_with(&["duties"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "a" })).await.expect(201);
    let link = "/core/diaries/a";
    let refused = client.put(link, &json!({ "starts": 7 })).await.expect(405);
    assert_eq!(refused.header("allow"), "GET, HEAD, PATCH, DELETE, OPTIONS");
    let problem = refused.json();
    assert_eq!(problem["code"], "method-not-allowed", "{problem}");
    let options = client.send(Method::OPTIONS, link, &[], "").await.expect("an answer").expect(200);
    assert!(!options.header("allow").contains("PUT"), "{}", options.header("allow"));
    let template = client.get("/core/diaries/a/template").await.expect(200).json();
    assert_eq!(template["documentDescription"]["serviceRequestRoutes"].get("PUT"), None, "{template}");
    let described = client.get("/openapi.json?factory=/core/diaries").await.expect(200).json();
    let document = &described["paths"]["/core/diaries/{id}"];
    assert!(document.get("patch").is_some() && document.get("put").is_none(), "{document}");
}
