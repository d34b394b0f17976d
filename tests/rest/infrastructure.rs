//! The host's own services, and what every request and response has in common.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use steward_tests::client::Answer;
use steward_tests::host::Host;
use steward_tests::wait;

use crate::{PATIENT, host_with, host_with_flags};

const QUORUM: &str = "com:vmware:xenon:services:common:NodeGroupService:UpdateQuorumRequest";

#[tokio::test(flavor = "multi_thread")]
async fn the_root_lists_what_is_served() {
    let host = host_with(&["counter"]).await;
    let root = host.client().get("/").await.expect(200).json();
    let links = root["documentLinks"].as_array().expect("links");
    for link in ["/core/counters", "/core/factories", "/core/modules", "/core/node-groups", "/core/query-tasks"] {
        assert!(links.contains(&json!(link)), "{link}: {root}");
    }
    host.client().delete("/").await.expect(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_tells_its_state() {
    let host = host_with_flags(&[], &["--id", "hostAtPort8000", "--location", "rack-1"]).await;
    let state = host.client().get("/core/management").await.expect(200).json();
    assert_eq!((&state["id"], &state["location"]), (&json!("hostAtPort8000"), &json!("rack-1")));
    assert_eq!(state["processId"], host.pid());
    let port = host.client().base().rsplit(':').next().unwrap_or_default();
    assert_eq!(state["httpPort"].to_string(), port);
    assert_eq!(state["documentKind"], "com:vmware:xenon:common:ServiceHost:ServiceHostState");
    let refused = host.client().patch("/core/management", &json!({ "kind": "x:Unknown" })).await.expect(405);
    assert_eq!(refused.header("allow"), "GET, HEAD, DELETE, OPTIONS");
    assert!(refused.json()["hints"].to_string().contains("--clock virtual"), "{}", refused.json());
    let synch = host.client().get("/core/management/synch").await.expect(200).json();
    assert_eq!(synch["factoryStatus"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_under_way_and_refuses_what_is_new() {
    let mut host = host_with_flags(&["upgrade-before"], &PATIENT).await;
    let client = host.client().clone();
    client.post("/core/ledgers", &json!({ "documentSelfLink": "slow" })).await.expect(201);
    let slow = client.clone();
    let slow = tokio::spawn(async move { slow.patch("/core/ledgers/slow", &json!({ "work": 400_000_000 })).await });
    wait::until("the slow call is under way", || async { host.log().contains("work begins").then_some(()) }).await;
    client.delete("/core/management").await.expect(202);
    let json_type = [("content-type", "application/json")];
    if let Ok(refused) = client.send(Method::PATCH, "/core/ledgers/slow", &json_type, "{}").await {
        assert_eq!(refused.status, 503, "neither taken nor waited for");
        assert_eq!(refused.json()["outcome"], "none");
    }
    assert_eq!(slow.await.expect("the client does not panic").expect(200).json()["count"], 1);
    assert!(tokio::task::block_in_place(|| host.ended()).expect("the host ends"), "the exit code says so");
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    assert_eq!(host.client().get("/core/ledgers/slow").await.expect(200).json()["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_whether_to_send_requests_here() {
    let host = host_with(&[]).await;
    let client = host.client();
    for path in ["/health/live", "/health/ready", "/health/startup", "/livez", "/readyz"] {
        client.get(path).await.expect(200);
    }
    let ready = client.get("/health/ready?verbose").await.expect(200).json();
    let checks = ready["checks"].as_array().expect("checks");
    assert!(checks.len() >= 4 && checks.iter().all(|check| check["ok"] == true), "{ready}");
    client.post("/health/live", &json!({})).await.expect(405);
    client.get("/health/other").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_what_happened() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let metrics = client.get("/metrics").await.expect(200);
    assert!(metrics.header("content-type").starts_with("text/plain"));
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    for name in ["steward_build_info", "steward_operations_total", "steward_operation_duration_seconds_bucket"] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} is missing in\n{text}");
    }
    let created = text.lines().find(|line| line.contains(r#"service="/core/counters""#) && line.contains("POST"));
    assert!(created.is_some_and(|line| line.starts_with("steward_operations_total")), "{text}");
    for name in ["steward_disk_free_bytes", "steward_disk_used_bytes", "steward_log_size_bytes"] {
        assert!(metrics.measured(name) > 0.0, "{name}");
    }
    for queue in ["document", "quorum", "guest", "query", "compilation"] {
        assert_eq!(metrics.measured(&format!("steward_waiting{{queue=\"{queue}\"}}")) as u64, 0, "{queue}");
    }
    let groups = metrics.counted("steward_log_groups_total");
    client.patch("/core/counters/c", &json!({})).await.expect(200);
    let later = client.get("/metrics").await.expect(200);
    assert!(later.counted("steward_log_groups_total") > groups, "an update takes a group");
    assert!(later.measured("steward_log_fsync_seconds_total") > 0.0);
    assert!(later.measured("process_resident_memory_bytes") > 1e6);
    assert!(later.measured("process_cpu_seconds_total") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_documents_and_failures_by_service() {
    let host = host_with(&["misbehave", "presence"]).await;
    let client = host.client();
    for name in ["a", "b"] {
        client.post("/core/misbehave", &json!({ "documentSelfLink": name })).await.expect(201);
    }
    client.post("/presences", &json!({ "name": "Ada" })).await.expect(201);
    let link = "/core/misbehave/a";
    for (body, status) in [
        (json!({ "do": "panic" }), 500),
        (json!({ "do": "panic" }), 500),
        (json!({ "do": "infinite" }), 500),
        (json!({ "do": "refuse", "status": 409, "code": "full" }), 409),
    ] {
        client.patch(link, &body).await.expect(status);
    }
    client.delete("/core/misbehave/b").await.expect(200);
    // A state store gets what is committed a moment later.
    let documents = |metrics: &Answer, service: &str| {
        metrics.measured(&format!("steward_documents{{service=\"{service}\"}}")) as u64
    };
    let metrics = wait::until("the documents are counted", || async {
        let metrics = client.get("/metrics").await.expect(200);
        (documents(&metrics, "/core/misbehave") == 1 && documents(&metrics, "/presences") == 1).then_some(metrics)
    })
    .await;
    let failures = |code: &str| format!("steward_guest_failures_total{{service=\"/core/misbehave\",code=\"{code}\"}}");
    assert_eq!(metrics.counted(&failures("guest-trap")), 2);
    assert_eq!(metrics.counted(&failures("guest-outcome")), 1);
    let text = String::from_utf8_lossy(&metrics.body);
    assert!(!text.contains("code=\"full\""), "a refusal is no failure: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_group_has_the_shape_that_clients_know() {
    let host = host_with_flags(&[], &["--id", "hostAtPort8000"]).await;
    let client = host.client();
    let group = client.get("/core/node-groups/default").await.expect(200).json();
    let node = &group["nodes"]["hostAtPort8000"];
    assert_eq!((&node["id"], &node["status"]), (&json!("hostAtPort8000"), &json!("AVAILABLE")));
    assert_eq!((&node["membershipQuorum"], &node["options"]), (&json!(1), &json!(["PEER"])));
    let reference = format!("{}/core/node-groups/default", client.base());
    assert_eq!(node["groupReference"], reference);
    assert_eq!(group["documentOwner"], "hostAtPort8000");
    for field in ["documentVersion", "documentUpdateTimeMicros"] {
        assert!(node[field].is_u64(), "{field}: {node}");
    }
    let listed = client.get("/core/nodes").await.expect(200).json();
    let link = listed["documentLinks"][0].as_str().expect("a link").to_owned();
    assert_eq!(client.get(&link).await.expect(200).json()["id"], "hostAtPort8000");
    let key = json!({ "key": "/core/examples/one" });
    let owner = client.post("/core/node-selectors/default", &key).await.expect(200).json();
    assert_eq!((&owner["ownerNodeId"], &owner["isLocalHostOwner"]), (&json!("hostAtPort8000"), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_beyond_the_group_is_set_only_by_force() {
    let host = host_with(&[]).await;
    let client = host.client();
    let group = "/core/node-groups/default";
    let set = |quorum: Value, force: bool| async move {
        let request = json!({ "isGroupUpdate": true, "membershipQuorum": quorum, "kind": QUORUM, "force": force });
        client.patch(group, &request).await
    };
    let problem = set(json!(2), false).await.expect(409).json();
    assert_eq!((&problem["code"], &problem["peers"]), (&json!("quorum-beyond-group"), &json!(1)), "{problem}");
    assert!(problem["hints"].to_string().contains("force"), "{problem}");
    for wrong in [json!(-1), json!(1.5), json!(0), json!("many"), json!(5_000_000_000_u64), json!([1])] {
        let problem = set(wrong.clone(), true).await.expect(400).json();
        let words = problem["detail"].as_str().is_some_and(|detail| detail.contains("a whole number from 1"));
        assert!(words && problem["errors"][0]["pointer"] == "/membershipQuorum", "{wrong}: {problem}");
    }
    assert_eq!(client.get(group).await.expect(200).json()["quorum"]["value"], 1, "nothing was set");
    set(json!(2), true).await.expect(200);
    assert_eq!(client.get(group).await.expect(200).json()["quorum"]["value"], 2);
    set(json!("auto"), false).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_warns_that_its_quorum_is_beyond_the_nodes_that_are_listed() {
    let place = tempfile::tempdir().expect("a folder");
    let said = "fewer are listed";
    let mut host = Host::prepared(place.path(), &["--membershipQuorum", "1"]).expect("a host");
    tokio::task::block_in_place(|| host.restart()).expect("the host starts");
    assert!(!host.log().contains(said), "{}", host.log());
    host.kill();
    host.set_flags(&["--membershipQuorum", "2"]);
    host.spawn().expect("a process");
    wait::until("it warns", || async {
        let log = host.log();
        log.lines().any(|line| line.contains(said) && line.contains("quorum=2 listed=1")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_wait_for_the_quorum_and_go_on_by_themselves() {
    let host = host_with(&["counter"]).await;
    let client = host.client().clone();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let group = "/core/node-groups/default";
    let quorum =
        |value: u32| json!({ "isGroupUpdate": true, "membershipQuorum": value, "kind": QUORUM, "force": value > 1 });
    client.patch(group, &json!({ "kind": "x:Unknown", "membershipQuorum": 2 })).await.expect(400);
    client.patch(group, &json!({ "kind": QUORUM })).await.expect(400);
    client.patch(group, &quorum(0)).await.expect(400);
    client.patch(group, &quorum(2)).await.expect(200);
    let shown = client.get(group).await.expect(200).json();
    let (_, node) = shown["nodes"].as_object().expect("nodes").iter().next().expect("one node");
    assert_eq!(node["membershipQuorum"], 2);

    let impatient = client.with_headers(Method::PATCH, "/core/counters/c", &[("prefer", "wait=1")], &json!({})).await;
    assert!(!impatient.header("retry-after").is_empty());
    let problem = impatient.expect(503).json();
    assert_eq!((&problem["code"], &problem["outcome"]), (&json!("no-quorum"), &json!("none")));
    assert_eq!((&problem["available"], &problem["quorum"]), (&json!(1), &json!(2)));

    let patient = client.clone();
    let patient = tokio::spawn(async move { patient.patch("/core/counters/c", &json!({})).await });
    let impatient = client.with_headers(Method::POST, "/core/counters", &[("prefer", "wait=1")], &json!({})).await;
    impatient.expect(503);
    assert!(!patient.is_finished(), "it waits");
    client.patch(group, &quorum(1)).await.expect(200);
    let done = patient.await.expect("the client does not panic").expect(200).json();
    assert_eq!(
        (&done["count"], &done["documentVersion"]),
        (&json!(1), &json!(1)),
        "the impatient one has not happened"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_tell_how_they_stand() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let all = client.get("/core/partitions").await.expect(200).json();
    let count = all["partitionCount"].as_u64().expect("a count");
    assert!(count > 0 && all["servingCount"] == count, "{all}");
    let persisted = client.get("/core/partitions?lane=persisted").await.expect(200).json();
    assert_eq!(persisted["partitionCount"], count / 2);
    let listed = persisted["partitions"].as_array().expect("partitions");
    assert!(
        listed.iter().all(|partition| partition["role"] == "PRIMARY" && partition["serves"] == true),
        "{persisted}"
    );
    client.get("/core/partitions?lane=slow").await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_response_names_its_request_and_its_owner() {
    let host = host_with_flags(&["counter"], &["--id", "me"]).await;
    let client = host.client();
    for (method, path, status) in
        [(Method::GET, "/", 200), (Method::GET, "/core/nothing/x", 404), (Method::POST, "/core/counters", 201)]
    {
        let own = [("x-request-id", "mine-7")];
        let answer = client.send(method.clone(), path, &own, "").await.expect("an answer").expect(status);
        assert_eq!(answer.header("x-request-id"), "mine-7");
        assert_eq!(answer.header("x-steward-owner"), "me");
        assert!(answer.header("x-steward-epoch").parse::<u64>().is_ok(), "{path}");
    }
    let one = client.get("/").await.header("x-request-id").to_owned();
    let two = client.get("/").await.header("x-request-id").to_owned();
    assert!(!one.is_empty() && one != two);
    let problem = client.get("/core/nothing/x").await.expect(404);
    assert_eq!(problem.json()["requestId"], problem.header("x-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_a_body_and_options_name_the_methods() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    for path in ["/", "/core/management", "/core/counters/c", "/core/counters/c/config", "/core/partitions"] {
        let get = client.get(path).await.expect(200);
        let head = client.send(Method::HEAD, path, &[], "").await.expect("an answer").expect(200);
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert!(head.header("content-length").parse::<u64>().is_ok_and(|length| length > 0), "{path}");
    }
    for (path, method) in [("/core/management", "DELETE"), ("/core/modules", "POST"), ("/core/counters", "POST")] {
        let options = client.send(Method::OPTIONS, path, &[], "").await.expect("an answer");
        assert!(options.status.is_success(), "{path}: {}", options.status);
        assert!(options.header("allow").contains(method), "{path}: {}", options.header("allow"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_with_prior_knowledge_is_spoken_on_the_same_port() {
    let host = host_with(&["counter"]).await;
    let base = host.client().base().to_owned();
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let body = Full::new(Bytes::from_static(b"{}"));
        let request = Request::post(format!("{base}/core/counters")).header("content-type", "application/json");
        requests.spawn(client.request(request.body(body).expect("a request")));
    }
    while let Some(ended) = requests.join_next().await {
        let response = ended.expect("no panic").expect("a response");
        assert_eq!((response.status().as_u16(), response.version()), (201, http::Version::HTTP_2));
    }
    let listed = host.client().get("/core/counters").await.expect(200).json();
    assert_eq!(listed["documentCount"], 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_and_bodies_may_be_compressed() {
    let host = host_with(&["examples"]).await;
    let client = host.client();
    let body = json!({ "documentSelfLink": "large", "name": "x".repeat(20_000) });
    client.post("/core/examples", &body).await.expect(201);
    let link = "/core/examples/large";
    let plain = client.get(link).await.expect(200);
    assert_eq!(plain.header("content-encoding"), "");
    let magics: [(&str, &[u8]); 2] = [("gzip", &[0x1f, 0x8b]), ("zstd", &[0x28, 0xb5, 0x2f, 0xfd])];
    for (version, (coding, magic)) in (1..).zip(magics) {
        let accept = [("accept-encoding", coding)];
        let packed = client.send(Method::GET, link, &accept, "").await.expect("an answer").expect(200);
        assert_eq!(packed.header("content-encoding"), coding);
        assert!(packed.body.starts_with(magic) && packed.body.len() < 1_000, "{} bytes", packed.body.len());
        let headers = [("content-encoding", coding), ("content-type", "application/json")];
        let put = client.send(Method::PUT, link, &headers, packed.body).await.expect("an answer").expect(200);
        let state = put.json();
        assert_eq!((state["documentVersion"].as_u64(), &state["name"]), (Some(version), &plain.json()["name"]));
        let small = client.send(Method::GET, "/health/live", &accept, "").await.expect("an answer").expect(200);
        assert_eq!(small.header("content-encoding"), "", "small answers are not worth it");
    }
    let unknown = [("content-encoding", "br"), ("content-type", "application/json")];
    client.send(Method::PUT, link, &unknown, "{}").await.expect("an answer").expect(415);
    let damaged = [("content-encoding", "gzip"), ("content-type", "application/json")];
    client.send(Method::PUT, link, &damaged, "{}").await.expect("an answer").expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_body_counts_by_what_is_in_it() {
    let host = host_with_flags(&["examples"], &["--max-request-bytes", "64KiB"]).await;
    let client = host.client();
    for n in 0..4 {
        let body = json!({ "documentSelfLink": format!("e{n}"), "name": "x".repeat(30_000) });
        client.post("/core/examples", &body).await.expect(201);
    }
    let accept = [("accept-encoding", "gzip")];
    let packed = client.send(Method::GET, "/core/examples?expand", &accept, "").await.expect("an answer").expect(200);
    assert!(packed.body.len() < 5_000, "{} bytes", packed.body.len());
    let headers = [("content-encoding", "gzip"), ("content-type", "application/json")];
    let refused = client.send(Method::POST, "/core/examples", &headers, packed.body).await.expect("an answer");
    assert_eq!(refused.expect(413).json()["code"], "payload-too-large");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_foreign_origins_may_call_only_if_they_are_named() {
    let closed = host_with(&[]).await;
    let origin = [("origin", "http://app.example"), ("access-control-request-method", "PATCH")];
    for method in [Method::GET, Method::OPTIONS] {
        let answer = closed.client().send(method, "/core/management", &origin, "").await.expect("an answer");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let open = host_with_flags(&[], &["--cors-origin", "http://app.example"]).await;
    let get = open.client().send(Method::GET, "/", &origin[..1], "").await.expect("an answer").expect(200);
    assert_eq!(get.header("access-control-allow-origin"), "http://app.example");
    let preflight = open.client().send(Method::OPTIONS, "/core/examples/x", &origin, "").await.expect("an answer");
    assert_eq!(preflight.header("access-control-allow-origin"), "http://app.example");
    assert!(preflight.header("access-control-allow-methods").contains("PATCH"));
    let other = open.client().send(Method::GET, "/", &[("origin", "http://evil.example")], "").await;
    assert_eq!(other.expect("an answer").header("access-control-allow-origin"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_can_be_listed_and_removed_once_nothing_runs_them() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    let listed = client.get("/core/modules?expand").await.expect(200).json();
    let (link, module) = listed["documents"].as_object().expect("modules").iter().next().expect("one module");
    assert_eq!((&module["name"], &module["factories"]), (&json!("counter"), &json!(["/core/counters"])));
    assert_eq!(&client.get(link).await.expect(200).json(), module);
    client.delete(link).await.expect(409);
    let factories = client.get("/core/factories?expand").await.expect(200).json();
    let factory = &factories["documents"]["/core/counters"];
    assert_eq!((&factory["available"], &factory["documentCount"]), (&json!(true), &json!(0)));
    assert_eq!(factory["revisions"][0]["digest"], module["digest"]);
    let unmounted = client.delete("/core/factories/core/counters").await.expect(200).json();
    client.delete(link).await.expect(200);
    client.get(link).await.expect(404);
    // Whoever has not heard what came of it asks again, and nothing is made twice.
    assert_eq!(client.delete(link).await.expect(200).json(), json!({}));
    for seen in ["", "?expectedRevision=1", "?expectedRevision=2"] {
        let again = client.delete(&format!("/core/factories/core/counters{seen}")).await.expect(200).json();
        assert_eq!((&again["revision"], &again["moduleDigest"]), (&unmounted["revision"], &json!("")), "{again}");
    }
    client.delete("/core/factories/core/counters?expectedRevision=0").await.expect(404);
    client.delete("/core/factories/core/nobody").await.expect(404);
    assert_eq!(client.get("/core/modules").await.expect(200).json()["documentLinks"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_factory_go_with_it_and_come_back_with_it() {
    let host = host_with(&["counter", "todo"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({})).await.expect(201);
    client.post("/core/todos", &json!({ "title": "t" })).await.expect(201);
    let shown = async |factory: &str| {
        let metrics = client.get("/metrics").await.expect(200);
        String::from_utf8_lossy(&metrics.body).matches(&format!("service=\"{factory}\"")).count()
    };
    assert!(shown("/core/counters").await > 0 && shown("/core/todos").await > 0);
    let module = client.get("/core/factories/core/counters").await.expect(200).json()["moduleDigest"].clone();
    client.delete("/core/factories/core/counters").await.expect(200);
    assert_eq!(shown("/core/counters").await, 0);
    assert!(shown("/core/todos").await > 0);
    client.post("/core/factories", &json!({ "moduleDigest": module })).await.expect(201);
    assert!(shown("/core/counters").await > 0);
}
