//! The utility endpoints of every service and document.

use http::Method;
use serde_json::{Value, json};

use crate::host_with;

#[tokio::test(flavor = "multi_thread")]
async fn statistics_count_requests_and_tell_availability() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    for _ in 0..3 {
        client.patch("/core/counters/c", &json!({})).await.expect(200);
    }
    client.patch("/core/counters/c", &json!({ "by": 0 })).await.expect(400);
    let stats = client.get("/core/counters/stats").await.expect(200).json();
    assert_eq!(stats["kind"], "com:vmware:xenon:common:ServiceStats");
    let latest =
        |name: &str| stats["entries"][name]["latestValue"].as_f64().unwrap_or_else(|| panic!("{name}: {stats}"));
    assert_eq!((latest("isAvailable"), latest("PATCHrequestCount"), latest("failureCount")), (1.0, 4.0, 1.0));
    assert_eq!(client.get("/core/counters/c/stats").await.expect(200).json()["entries"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn instrumented_services_measure_durations_and_keep_the_statistics_of_guests() {
    let host = host_with(&["duties"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    let letters = json!([{ "to": "/core/diaries/d", "note": "n" }]);
    for _ in 0..2 {
        client.patch("/core/diaries/d", &json!({ "letters": letters })).await.expect(200);
    }
    let factory = client.get("/core/diaries/stats").await.expect(200).json();
    let duration = &factory["entries"]["operationDuration"];
    assert!(duration["accumulatedValue"].as_f64().is_some_and(|micros| micros > 0.0), "{factory}");
    let bins = duration["logHistogram"]["bins"].as_array().expect("bins").iter();
    assert_eq!(bins.filter_map(Value::as_u64).sum::<u64>(), duration["version"].as_u64().expect("a count"));
    let document = client.get("/core/diaries/d/stats").await.expect(200).json();
    assert_eq!(document["entries"]["letters"]["accumulatedValue"], 2.0, "{document}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_that_of_the_descriptor() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let child = client.get("/core/counters/c/config").await.expect(200).json();
    assert_eq!(child["maintenanceIntervalMicros"], 3_600_000_000_u64);
    assert_eq!(child["versionRetentionLimit"], 1000);
    let options = child["options"].as_array().expect("a list of options");
    for option in ["PERSISTENCE", "REPLICATION", "OWNER_SELECTION", "PERIODIC_MAINTENANCE"] {
        assert!(options.contains(&json!(option)), "{child}");
    }
    let factory = client.get("/core/counters/config").await.expect(200).json();
    assert_eq!(factory["options"], json!(["FACTORY"]));
    assert_eq!(factory["childOptions"], child["options"]);
    client.patch("/core/counters/c/config", &json!({})).await.expect(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_used_is_available() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.get("/core/counters/available").await.expect(200);
    client.get("/core/counters/c/available").await.expect(404);
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    client.get("/core/counters/c/available").await.expect(200);
    client.delete("/core/counters/c").await.expect(200);
    client.get("/core/counters/c/available").await.expect(404);
    client.get("/core/nothing/available").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_is_an_example_that_the_factory_accepts() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let template = client.get("/core/counters/template").await.expect(200).json();
    let (_, example) = template["documents"].as_object().expect("documents").iter().next().expect("one example");
    assert_eq!(
        (&example["count"], &example["step"], &example["documentKind"]),
        (&json!(0), &json!(1), &json!("counter"))
    );
    let step = &example["documentDescription"]["propertyDescriptions"]["step"];
    assert_eq!(step["typeName"], "LONG");
    let mut body = example.clone();
    body.as_object_mut().expect("an object").remove("documentDescription");
    client.post("/core/counters", &body).await.expect(201);
    let options = client.send(Method::OPTIONS, "/core/counters", &[], "").await.expect("an answer").expect(200);
    assert_eq!(options.json(), template);
    assert!(options.header("allow").contains("POST"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_shows_versions_newest_first_within_bounds() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    for _ in 0..6 {
        client.patch("/core/counters/c", &json!({})).await.expect(200);
    }
    let shown = |query: &'static str| async move {
        let history = client.get(&format!("/core/counters/c/history{query}")).await.expect(200).json();
        let versions = history["versions"].as_array().expect("a list of versions").iter();
        let versions: Vec<u64> = versions.filter_map(|version| version["documentVersion"].as_u64()).collect();
        assert_eq!(history["documentCount"], versions.len());
        assert_eq!(history["keptCount"], 7);
        versions
    };
    assert_eq!(shown("").await, [6, 5, 4, 3, 2, 1, 0]);
    assert_eq!(shown("?limit=2").await, [6, 5]);
    assert_eq!(shown("?to=3&limit=2").await, [3, 2]);
    assert_eq!(shown("?from=5").await, [6, 5]);
    client.get("/core/counters/c/history?limit=0").await.expect(400);
    client.get("/core/counters/c/history?limit=many").await.expect(400);
    client.get("/core/counters/none/history").await.expect(404);
    client.delete("/core/counters/c").await.expect(200);
    let history = client.get("/core/counters/c/history?limit=1").await.expect(200).json();
    assert_eq!(history["versions"][0]["documentUpdateAction"], "DELETE");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_are_not_offered_say_so() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let problem = client.get("/core/counters/subscriptions").await.expect(404).json();
    assert_eq!(problem["code"], "not-offered");
    assert_ne!(problem["message"], Value::Null);
}
