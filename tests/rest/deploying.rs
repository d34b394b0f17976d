//! Deploying: the first version, another version while clients call, and back to the first.

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::host::{Host, OWN_CODE};
use steward_tests::wait;

use crate::{PATIENT, component, host_with, host_with_flags};

/// Steps that take a call of `upgrade-before` about a second.
const LONG_WORK: u64 = 1_500_000_000;

pub(crate) async fn digest_of(client: &Client, guest: &str) -> String {
    let module = client.upload(&component(guest).await).await.expect(201).json();
    module["digest"].as_str().expect("a digest").to_owned()
}

pub(crate) async fn move_to(client: &Client, digest: &str) -> Value {
    client.patch("/core/factories/core/ledgers", &json!({ "moduleDigest": digest })).await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_stored_planned_and_mounted() {
    let host = host_with(&[]).await;
    let client = host.client();
    let bytes = component("counter").await;
    let stored = client.upload(&bytes).await.expect(201);
    let module = stored.json();
    assert_eq!(stored.header("location"), format!("/core/modules/{}", module["digest"].as_str().unwrap_or_default()));
    assert_eq!(module["sizeBytes"], bytes.len());
    assert_eq!(module["descriptor"]["name"], "counter");
    let plan = &module["plan"];
    assert_eq!((plan["factory"].as_str(), plan["change"].as_str()), (Some("/core/counters"), Some("create")));
    assert_eq!((&plan["documents"], &plan["refusal"]), (&json!(0), &Value::Null));

    client.post("/core/counters", &json!({})).await.expect(404);
    let mount = json!({ "moduleDigest": module["digest"] });
    let mounted = client.post("/core/factories", &mount).await.expect(201);
    assert_eq!(mounted.header("location"), "/core/factories/core/counters");
    let factory = mounted.json();
    assert_eq!(factory["moduleDigest"], module["digest"]);
    client.post("/core/counters", &json!({})).await.expect(201);

    let elsewhere = json!({ "documentSelfLink": "/shop/clicks", "moduleDigest": module["digest"] });
    client.post("/core/factories", &elsewhere).await.expect(201);
    client.post("/shop/clicks", &json!({ "documentSelfLink": "a" })).await.expect(201);
    let listed = client.get("/core/factories").await.expect(200).json();
    assert_eq!(listed["documentLinks"], json!(["/core/counters", "/shop/clicks"]));
    client.get("/core/counters/a").await.expect(404);
    client.get("/shop/clicks/a").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_the_plan_and_stores_nothing() {
    let host = host_with(&["upgrade-before"]).await;
    let client = host.client();
    client.post("/core/ledgers", &json!({ "documentSelfLink": "l" })).await.expect(201);
    let headers = [("content-type", "application/wasm")];
    let bytes = component("upgrade-after").await;
    let answer = client.send(Method::POST, "/core/modules?dryRun", &headers, bytes).await.expect("an answer");
    let module = answer.expect(200).json();
    let plan = &module["plan"];
    assert_eq!((plan["change"].as_str(), &plan["documents"]), (Some("update"), &json!(1)));
    assert_eq!(plan["stateVersions"], json!([1, 2]));
    assert_eq!(plan["refusal"], Value::Null);
    let digest = module["digest"].as_str().unwrap_or_default();
    client.get(&format!("/core/modules/{digest}")).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_a_factory_moves_to_another_version() {
    let host = host_with(&["upgrade-before"]).await;
    let client = host.client();
    let digest = digest_of(client, "upgrade-after").await;
    for n in 0..4 {
        client.post("/core/ledgers", &json!({ "documentSelfLink": format!("l{n}") })).await.expect(201);
    }
    let enough = Arc::new(AtomicBool::new(false));
    let mut load = tokio::task::JoinSet::new();
    for n in 0..4 {
        let (client, enough) = (client.clone(), Arc::clone(&enough));
        load.spawn(async move {
            let link = format!("/core/ledgers/l{n}");
            let (mut acknowledged, mut after) = (0_u64, 0_u64);
            while !enough.load(Ordering::Relaxed) || after < 10 {
                let answer = client.patch(&link, &json!({})).await.expect(200);
                acknowledged += 1;
                let by_the_new = answer.header("x-ledger") == "after";
                assert!(by_the_new || after == 0, "once the new module has answered, the old one does no more");
                after += u64::from(by_the_new);
                client.get(&link).await.expect(200);
            }
            (link, acknowledged)
        });
    }
    move_to(client, &digest).await;
    enough.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        let (link, acknowledged) = ended.expect("no request fails");
        let state = client.get(&link).await.expect(200).json();
        assert_eq!((&state["total"], &state["documentVersion"]), (&json!(acknowledged), &json!(acknowledged)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_finish_on_the_version_on_which_they_began() {
    let host = host_with_flags(&["upgrade-before"], &PATIENT).await;
    let client = host.client();
    let digest = digest_of(client, "upgrade-after").await;
    client.post("/core/ledgers", &json!({ "documentSelfLink": "slow" })).await.expect(201);
    client.post("/core/ledgers", &json!({ "documentSelfLink": "quick" })).await.expect(201);
    let slow = client.clone();
    let slow = tokio::spawn(async move { slow.patch("/core/ledgers/slow", &json!({ "work": LONG_WORK })).await });
    wait::until("the slow call is under way", || async { host.log().contains("work begins").then_some(()) }).await;
    move_to(client, &digest).await;
    assert_eq!(client.patch("/core/ledgers/quick", &json!({})).await.expect(200).header("x-ledger"), "after");
    assert!(!slow.is_finished(), "the slow call must take longer than the move for this test to say anything");
    let answer = slow.await.expect("the client does not panic").expect(200);
    assert_eq!((answer.header("x-ledger"), &answer.json()["count"]), ("before", &json!(1)));
    let next = client.patch("/core/ledgers/slow", &json!({})).await.expect(200);
    assert_eq!((next.header("x-ledger"), &next.json()["total"]), ("after", &json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn states_are_migrated_when_they_are_read_and_when_they_are_written() {
    let mut host = host_with(&["upgrade-before"]).await;
    let client = host.client().clone();
    for link in ["read", "written"] {
        client.post("/core/ledgers", &json!({ "documentSelfLink": link, "count": 7 })).await.expect(201);
    }
    let digest = digest_of(&client, "upgrade-after").await;
    move_to(&client, &digest).await;
    let read = client.get("/core/ledgers/read").await.expect(200).json();
    assert_eq!((&read["total"], &read["carried"], read.get("count")), (&json!(7), &json!(7), None));
    assert_eq!(read["documentVersion"], 0, "reading makes no version");
    let written = client.patch("/core/ledgers/written", &json!({ "by": 3 })).await.expect(200).json();
    assert_eq!(
        (&written["total"], &written["carried"], &written["documentVersion"]),
        (&json!(10), &json!(7), &json!(1))
    );
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    assert_eq!(client.get("/core/ledgers/read").await.expect(200).json()["total"], 7);
    assert_eq!(client.get("/core/ledgers/written").await.expect(200).json()["total"], 10);
    let listed = client.get("/core/ledgers?expand").await.expect(200).json();
    assert_eq!(listed["documents"]["/core/ledgers/read"]["total"], 7, "a listing shows what a read shows: {listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_returns_to_the_earlier_module_as_long_as_it_reads_everything() {
    let host = host_with(&["upgrade-before"]).await;
    let client = host.client();
    let path = "/core/factories/core/ledgers";
    let before = client.get(path).await.expect(200).json()["moduleDigest"].clone();
    for n in 0..3 {
        client.post("/core/ledgers", &json!({ "documentSelfLink": format!("l{n}") })).await.expect(201);
    }
    let after = digest_of(client, "upgrade-after").await;
    move_to(client, &after).await;
    client.get("/core/ledgers/l0").await.expect(200);
    let back = client.patch(path, &json!({ "rollback": true })).await.expect(200).json();
    assert_eq!(back["moduleDigest"], before, "nothing was written in the new shape");
    assert_eq!(client.patch("/core/ledgers/l0", &json!({})).await.expect(200).header("x-ledger"), "before");

    move_to(client, &after).await;
    for n in 0..2 {
        client.patch(&format!("/core/ledgers/l{n}"), &json!({})).await.expect(200);
    }
    let refused = client.patch(path, &json!({ "rollback": true })).await.expect(409).json();
    assert_eq!((refused["code"].as_str(), &refused["unreadableDocuments"]), (Some("deploy-breaking-state"), &json!(2)));
    assert_eq!(refused["unreadableStateVersions"], json!({ "2": 2 }));
    assert_eq!(refused["readsStateVersions"], json!([1]));
    let factory = client.get(path).await.expect(200).json();
    assert_eq!(factory["moduleDigest"].as_str(), Some(after.as_str()), "a refused change changes nothing");
    assert_eq!(client.patch("/core/ledgers/l0", &json!({})).await.expect(200).header("x-ledger"), "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_while_a_rollback_is_decided_writes_nothing_that_the_earlier_module_cannot_read() {
    let host = host_with_flags(&["upgrade-before"], &PATIENT).await;
    let client = host.client();
    let after = digest_of(client, "upgrade-after").await;
    for name in ["slow", "quick"] {
        client.post("/core/ledgers", &json!({ "documentSelfLink": name })).await.expect(201);
    }
    move_to(client, &after).await;
    let slow = client.clone();
    let slow = tokio::spawn(async move { slow.patch("/core/ledgers/slow", &json!({ "work": LONG_WORK })).await });
    wait::until("the slow call is under way", || async { host.log().contains("new work begins").then_some(()) }).await;
    let mut queued = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let client = client.clone();
        queued.spawn(async move { client.patch("/core/ledgers/slow", &json!({})).await });
    }
    let back = client.patch("/core/factories/core/ledgers", &json!({ "rollback": true })).await;
    assert!(!slow.is_finished(), "the slow call must outlast the rollback for this test to say anything");
    back.expect(200);
    let answer = slow.await.expect("the client does not panic").expect(200);
    assert_eq!(answer.header("x-ledger"), "before", "it was done by the module that answers now");
    while let Some(ended) = queued.join_next().await {
        assert_eq!(ended.expect("no client panics").expect(200).header("x-ledger"), "before");
    }
    for name in ["slow", "quick"] {
        client.get(&format!("/core/ledgers/{name}")).await.expect(200);
    }
    assert_eq!(client.get("/core/ledgers/slow").await.expect(200).json()["count"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_document_is_readable_whichever_way_moves_and_rollbacks_under_load_end() {
    let host = host_with_flags(&["upgrade-before"], &PATIENT).await;
    let client = host.client().clone();
    let before = client.get("/core/factories/core/ledgers").await.expect(200).json()["moduleDigest"].clone();
    let after = digest_of(&client, "upgrade-after").await;
    for round in 0..6 {
        let factory = format!("/rounds/r{round}");
        let mount = json!({ "documentSelfLink": factory, "moduleDigest": before });
        client.post("/core/factories", &mount).await.expect(201);
        for n in 0..4 {
            client.post(&factory, &json!({ "documentSelfLink": n.to_string() })).await.expect(201);
        }
        let managed = format!("/core/factories{factory}");
        client.patch(&managed, &json!({ "moduleDigest": after })).await.expect(200);
        let mut load = tokio::task::JoinSet::new();
        for n in 0..16 {
            let (client, factory) = (client.clone(), factory.clone());
            load.spawn(async move {
                let answer = match n < 12 {
                    true => client.patch(&format!("{factory}/{}", n % 4), &json!({ "work": 2_000_000 })).await,
                    false => client.post(&format!("{factory}?work=2000000"), &json!({})).await,
                };
                assert!(answer.status.is_success(), "{}", String::from_utf8_lossy(&answer.body));
            });
        }
        let back = client.patch(&managed, &json!({ "rollback": true })).await;
        assert!([200, 409].contains(&back.status.as_u16()), "{}", String::from_utf8_lossy(&back.body));
        while let Some(ended) = load.join_next().await {
            ended.expect("no request fails");
        }
        let listed = client.get(&factory).await.expect(200).json();
        let links = listed["documentLinks"].as_array().expect("links").clone();
        assert_eq!(links.len(), 8);
        for link in links {
            client.get(link.as_str().expect("a link")).await.expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_under_way_makes_no_document_of_a_factory_that_is_gone() {
    let host = host_with_flags(&["upgrade-after"], &PATIENT).await;
    let client = host.client();
    let factory = "/core/factories/core/ledgers";
    let module = client.get(factory).await.expect(200).json()["moduleDigest"].clone();
    let late = client.clone();
    let slowly = format!("/core/ledgers?work={LONG_WORK}");
    let late = tokio::spawn(async move { late.post(&slowly, &json!({ "documentSelfLink": "late" })).await });
    wait::until("the creation is under way", || async { host.log().contains("new work begins").then_some(()) }).await;
    client.delete(factory).await.expect(200);
    assert!(!late.is_finished(), "the creation must outlast the change for this test to say anything");
    late.await.expect("the client does not panic").expect(404);
    client.post("/core/factories", &json!({ "moduleDigest": module })).await.expect(201);
    client.get("/core/ledgers/late").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_created_while_a_factory_moves_get_the_maintenance_of_the_module_that_takes_over() {
    let host = host_with(&["upgrade-before"]).await;
    let client = host.client();
    let digest = digest_of(client, "upgrade-after").await;
    let moved = Arc::new(AtomicBool::new(false));
    let mut makers = tokio::task::JoinSet::new();
    for maker in 0..4 {
        let (client, moved) = (client.clone(), Arc::clone(&moved));
        makers.spawn(async move {
            let mut links = Vec::new();
            while !moved.load(Ordering::Relaxed) || links.len() < 10 {
                let name = format!("l{maker}-{}", links.len());
                let made = client.post("/core/ledgers", &json!({ "documentSelfLink": name, "watched": true })).await;
                links.push(made.expect(201).json()["documentSelfLink"].as_str().expect("a link").to_owned());
            }
            links
        });
    }
    move_to(client, &digest).await;
    moved.store(true, Ordering::Relaxed);
    while let Some(ended) = makers.join_next().await {
        for link in ended.expect("no creation fails") {
            wait::until("maintenance has run", || async {
                let ledger = client.get(&link).await.expect(200).json();
                (ledger["ticks"].as_u64() >= Some(1)).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_get_the_maintenance_of_the_module_that_took_over() {
    let host = host_with(&["upgrade-before"]).await;
    let client = host.client();
    client.post("/core/ledgers", &json!({ "documentSelfLink": "l", "watched": true })).await.expect(201);
    let digest = digest_of(client, "upgrade-after").await;
    move_to(client, &digest).await;
    wait::until("maintenance runs", || async {
        let ledger = client.get("/core/ledgers/l").await.expect(200).json();
        (ledger["ticks"].as_u64() >= Some(2)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_decides_on_an_old_revision_is_told_so() {
    let host = host_with(&["upgrade-before"]).await;
    let client = host.client();
    let path = "/core/factories/core/ledgers";
    let seen = client.get(path).await.expect(200).json()["revision"].as_u64().expect("a revision");
    let after = digest_of(client, "upgrade-after").await;
    let change = json!({ "moduleDigest": after, "expectedRevision": seen });
    let moved = client.patch(path, &change).await.expect(200).json();
    assert_eq!(moved["revision"], seen + 1);
    let again = client.patch(path, &change).await.expect(200).json();
    assert_eq!(again["revision"], seen + 1, "who has not heard of it asks again, and it is made once");
    let change = json!({ "rollback": true, "expectedRevision": seen });
    let refused = client.patch(path, &change).await;
    assert!([409, 412].contains(&refused.status.as_u16()), "{}", String::from_utf8_lossy(&refused.body));
    assert_eq!(client.get(path).await.expect(200).json()["revision"], seen + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmounted_factory_is_gone_and_keeps_its_documents() {
    let host = host_with(&["counter"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c", "count": 5 })).await.expect(201);
    let path = "/core/factories/core/counters";
    let digest = client.get(path).await.expect(200).json()["moduleDigest"].as_str().unwrap_or_default().to_owned();
    client.delete(&format!("/core/modules/{digest}")).await.expect(409);
    client.delete(path).await.expect(200);
    client.get("/core/counters/c").await.expect(404);
    client.post("/core/factories", &json!({ "moduleDigest": digest })).await.expect(201);
    assert_eq!(client.get("/core/counters/c").await.expect(200).json()["count"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_start_finds_compiled_code() {
    let mut host = host_with_flags(&["counter"], &OWN_CODE).await;
    let written = |host: &Host| {
        let folder = std::fs::read_dir(host.data().join("code")).expect("a folder of compiled code");
        let files = folder.map(|file| file.expect("a file").path());
        files.map(|path| (path.clone(), path.metadata().expect("a file").ino())).collect::<Vec<_>>()
    };
    let first = written(&host);
    assert_eq!(first.len(), 1);
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    host.client().post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    assert_eq!(written(&host), first, "compiling again would have replaced the file");
}
