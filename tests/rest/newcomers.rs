//! What people who met the product for the first time stumbled over.

use http::Method;
use serde_json::{Value, json};
use steward_tests::build;
use steward_tests::wait;

use crate::commands::{at, printed, said};
use crate::deploying::{digest_of, move_to};
use crate::{component, host_with, misbehave_with};

/// Numbers that no double holds.
const LARGE: &str = "18446744073709551616";
const LONG: &str = "0.1234567890123456789012345";

#[tokio::test(flavor = "multi_thread")]
async fn numbers_stay_as_they_were_written() {
    let host = host_with(&["misbehave"]).await;
    let base = host.client().base().to_owned();
    let link = "/core/misbehave/n";
    let (field, nested) = (format!("big:={LARGE}"), format!("in.long:={LONG}"));
    let created = at(&base, &["post", "/core/misbehave", "--id", "n", &field, &nested]).await;
    assert!(created.status.success(), "{}", said(&created));
    let replaced = at(&base, &["put", link, &format!("{{\"big\":{LARGE},\"in\":{{\"long\":{LONG}}}}}")]).await;
    let mut outputs = vec![printed(&created), printed(&replaced)];
    for words in [
        &["get", link][..],
        &["query", "/core/misbehave", "-o", "json"],
        &["query", "/core/misbehave", "--select", "big,in.long"],
        &["history", link, "-o", "json"],
    ] {
        outputs.push(printed(&at(&base, words).await));
    }
    for output in outputs {
        assert!(output.contains(LARGE) && output.contains(LONG), "{output}");
    }
    assert_eq!(printed(&at(&base, &["get", link, "--select", "big"]).await).trim(), LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_rounds_no_number_that_it_does_not_touch() {
    let host = host_with(&[]).await;
    let (client, link) = (host.client(), "/core/misbehave/n");
    let merging = json!({ "docs": null, "handlers": ["handle-stop"], "patch": "merge" });
    client.deploy(&misbehave_with(&merging).await, None).await;
    let state = format!("{{\"documentSelfLink\":\"n\",\"big\":{LARGE},\"long\":{LONG}}}");
    let typed = [("content-type", "application/json")];
    client.send(http::Method::POST, "/core/misbehave", &typed, state).await.expect("an answer").expect(201);
    client.patch(link, &json!({ "mood": 2 })).await.expect(200);
    let kept = String::from_utf8_lossy(&client.get(link).await.expect(200).body).into_owned();
    assert!(kept.contains(LARGE) && kept.contains(LONG) && kept.contains("\"mood\":2"), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_update_that_is_accepted_takes_its_expiry() {
    let host = host_with(&["counter"]).await;
    let (client, link) = (host.client(), "/core/counters/c");
    let far = 4_102_444_800_000_000_i64;
    let expires = |answer: Value| answer["documentExpirationTimeMicros"].as_i64().expect("a time");
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    let patched = client.patch(link, &json!({ "by": 1, "documentExpirationTimeMicros": far })).await.expect(200);
    assert_eq!(expires(patched.json()), far);
    let kept = client.patch(link, &json!({ "by": 1 })).await.expect(200);
    assert_eq!(expires(kept.json()), far, "who does not speak of it leaves it as it is");
    client.patch(link, &json!({ "by": -1, "documentExpirationTimeMicros": 1 })).await.expect(400);
    assert_eq!(expires(client.get(link).await.expect(200).json()), far, "a refusal changes nothing");
    let put = client.put(link, &json!({ "count": 1, "documentExpirationTimeMicros": far + 1 })).await.expect(200);
    assert_eq!(expires(put.json()), far + 1);
    let never = client.patch(link, &json!({ "documentExpirationTimeMicros": 0 })).await.expect(200);
    assert_eq!(expires(never.json()), 0);
    client.patch(link, &json!({ "documentExpirationTimeMicros": 1 })).await.expect(200);
    client.get(link).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_in_a_body_is_asked_for_by_strict_services_alone() {
    let host = host_with(&["counter", "presence"]).await;
    let client = host.client();
    client.post("/core/counters", &json!({ "documentSelfLink": "c" })).await.expect(201);
    client.post("/presences", &json!({ "documentSelfLink": "ada", "name": "Ada" })).await.expect(201);
    let stale = |field: &str| json!({ field: 1, "documentVersion": 77 });
    client.patch("/core/counters/c", &stale("by")).await.expect(200);
    client.put("/core/counters/c", &stale("count")).await.expect(200);
    client.patch("/presences/ada", &stale("mood")).await.expect(409);
    // A DELETE need not name one, and is held to the one that it names.
    let named = |version: u64| json!({ "documentVersion": version });
    client.with_headers(Method::DELETE, "/presences/ada", &[], &named(77)).await.expect(409);
    client.with_headers(Method::DELETE, "/presences/ada", &[], &named(0)).await.expect(200);
    client.post("/presences", &json!({ "documentSelfLink": "bob", "name": "Bob" })).await.expect(201);
    client.delete("/presences/bob").await.expect(200);
    for (method, link) in [(Method::PATCH, "/core/counters/c"), (Method::PUT, "/core/counters/c")] {
        let before_all = client.with_headers(method, link, &[], &json!({ "documentVersion": -1 })).await.expect(400);
        assert_eq!(before_all.json()["errors"][0]["pointer"], "/documentVersion");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_is_refused_by_its_dry_run_as_well() {
    let host = host_with(&["upgrade-before"]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    client.post("/core/ledgers", &json!({ "documentSelfLink": "l" })).await.expect(201);
    move_to(client, &digest_of(client, "upgrade-after").await).await;
    let dry = ["rollback", "/core/ledgers", "--dry-run"];
    let fine = at(&base, &dry).await;
    assert!(fine.status.success() && said(&fine).contains("would take this"), "{}", said(&fine));
    let factory = client.get("/core/factories/core/ledgers").await.expect(200).json();
    assert_eq!(factory["revision"], 2, "{factory}");
    client.patch("/core/ledgers/l", &json!({})).await.expect(200);
    let refused = at(&base, &dry).await;
    assert_eq!(refused.status.code(), Some(6), "{}", said(&refused));
    assert!(said(&refused).contains("deploy-breaking-state"), "{}", said(&refused));
    let wrong = json!({ "rollback": true, "expectedRevision": 1 });
    let path = "/core/factories/core/ledgers";
    let (dry, real) = (client.patch(&format!("{path}?dryRun"), &wrong).await, client.patch(path, &wrong).await.json());
    assert_eq!(dry.json()["code"], real["code"], "{real}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_several_factories_lists_those_and_no_others() {
    let host = host_with(&["counter", "todo"]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    client.deploy(&component("counter").await, Some("/others/counters")).await;
    let refused = said(&at(&base, &["rollback", "counter"]).await);
    assert!(refused.contains("/core/counters, /others/counters"), "{refused}");
    assert!(!refused.contains("/core/todos"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn history_tells_what_the_oldest_row_has_changed_and_what_has_none() {
    let host = host_with(&["counter", "greeting"]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    client.post("/core/counters", &json!({ "documentSelfLink": "c", "step": 5 })).await.expect(201);
    for _ in 0..3 {
        client.patch("/core/counters/c", &json!({})).await.expect(200);
    }
    let shown = printed(&at(&base, &["history", "/core/counters/c", "-n", "2"]).await);
    let rows: Vec<&str> = shown.lines().skip(1).collect();
    assert!(rows.len() == 2 && rows[1].trim_end().ends_with("count=10"), "{shown}");
    let whole = printed(&at(&base, &["history", "/core/counters/c"]).await);
    assert!(whole.lines().last().is_some_and(|row| row.contains("count=0 step=5")), "{whole}");
    let refused = at(&base, &["history", "/core/counters"]).await;
    assert_eq!(refused.status.code(), Some(5));
    assert!(said(&refused).contains("/core/counters is a factory, which has no history"), "{}", said(&refused));
    for below in ["history", "effects"] {
        let refused = client.get(&format!("/greeting/{below}")).await.expect(404).json();
        assert!(refused["detail"].as_str().is_some_and(|told| told.contains("without documents")), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selected_field_that_no_document_can_have_is_refused() {
    let host = host_with(&["counter", "misbehave"]).await;
    let (client, base) = (host.client(), host.client().base().to_owned());
    for factory in ["/core/counters", "/core/misbehave"] {
        client.post(factory, &json!({ "documentSelfLink": "c" })).await.expect(201);
    }
    let refused = at(&base, &["query", "/core/counters", "--select", "cuont"]).await;
    assert_eq!(refused.status.code(), Some(7), "{}", said(&refused));
    assert!(said(&refused).contains("did you mean count?"), "{}", said(&refused));
    let shown = at(&base, &["query", "/core/counters", "--select", "step"]).await;
    assert!(printed(&shown).contains("STEP") && !printed(&shown).contains("COUNT"), "{}", printed(&shown));
    let open = at(&base, &["query", "/core/misbehave", "--select", "nix.more"]).await;
    assert!(open.status.success(), "anything may be in these: {}", said(&open));
    assert!(said(&open).contains("no document has the field nix.more"), "{}", said(&open));
}

#[test]
fn a_usage_is_the_same_whatever_the_environment_says() {
    let said_with = |url: Option<&str>, words: &[&str]| {
        let mut command = std::process::Command::new(build::steward().expect("steward builds"));
        command.args(words).env_remove("STEWARD_URL").envs(build::code_cache());
        command.envs(url.map(|url| ("STEWARD_URL", url)));
        said(&command.output().expect("steward runs"))
    };
    let url = "http://127.0.0.1:9";
    for words in [&["get"][..], &["patch", "/x"], &["services", "show"], &["nix"]] {
        let plain = said_with(None, words);
        assert_eq!(said_with(Some(url), words), plain);
        assert!(!plain.contains("--host <URL>"), "{plain}");
    }
    let nobody = said_with(Some(url), &["get", "/x"]);
    assert!(nobody.contains("steward start --port 9"), "{nobody}");
    let wrong = said_with(Some("bad://x"), &["get", "/x"]);
    assert!(wrong.contains("STEWARD_URL"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_apart_another_module_of_the_same_descriptor() {
    let host = host_with(&["counter"]).await;
    let base = host.client().base().to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("counter.wasm");
    let mut module = component("counter").await;
    // An empty custom section called "x".
    module.extend([0, 2, 1, b'x']);
    std::fs::write(&file, module).expect("a file");
    let planned = at(&base, &["deploy", file.to_str().expect("UTF-8"), "--check"]).await;
    assert_eq!(planned.status.code(), Some(20), "{}", said(&planned));
    assert!(printed(&planned).contains("same descriptor, other code: "), "{}", printed(&planned));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_to_a_factory_that_is_not_there_leaves_a_trace() {
    let host = host_with(&["duties"]).await;
    let client = host.client();
    client.post("/core/diaries", &json!({ "documentSelfLink": "d" })).await.expect(201);
    let letters = json!([{ "to": "/core/nowhere/x", "note": "lost", "tag": "lost" }]);
    client.patch("/core/diaries/d", &json!({ "letters": letters })).await.expect(200);
    wait::until("the effect is given up, and its document knows", || async {
        let replies = client.get("/core/diaries/d").await.expect(200).json()["replies"].clone();
        (replies == json!(["lost 404"])).then_some(())
    })
    .await;
    let log = host.log();
    let line = log.lines().find(|line| line.contains("effect given up")).expect("a line");
    assert!(line.contains("WARN") && line.contains("/core/diaries/d@") && line.contains("/core/nowhere/x"), "{line}");
    let metrics = client.get("/metrics").await.expect(200).body;
    let given_up = |line: &&str| line.starts_with("steward_effects_total{") && line.contains("given-up");
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    assert!(metrics.lines().find(given_up).is_some_and(|line| line.ends_with(" 1")), "{metrics}");
}
