//! Recorded requests run once more: the same outcome by the same module, another one by a mended one, and nothing else happens.

use serde_json::{Value, json};
use steward_tests::client::Client;
use steward_tests::host::Host;
use steward_tests::wait;

use crate::commands::{at, printed, said};
use crate::deploying::{digest_of, move_to};
use crate::host_with_flags;

/// Flags of a host that records requests.
const RECORDS: [&str; 3] = ["--record-requests", "--guest-deadline", "30s"];

/// Adds what it is told, notes the time and what the dice say, and tells another document.
const DICE: &str = r#"import { service } from "steward";
export default service("/core/dice", { retention: 3 }).patch((dice, body, ctx) => {
  console.log("adds", body.by);
  dice.sum = (dice.sum ?? 0) + body.by;
  dice.seen = [ctx.now.getTime(), ctx.random(), ctx.header("x-who") ?? null];
  if (body.to) ctx.patch(body.to, { by: 1 });
});
"#;

fn write(host: &Host, name: &str, text: &str) -> String {
    let file = host.folder().join(name);
    std::fs::write(&file, text).expect("a file");
    file.to_str().expect("UTF-8").to_owned()
}

async fn dice(flags: &[&str]) -> Host {
    let host = host_with_flags(&[], flags).await;
    let file = write(&host, "dice.js", DICE);
    let deployed = at(host.client().base(), &["deploy", &file, "--yes"]).await;
    assert!(deployed.status.success(), "{}", said(&deployed));
    for name in ["a", "b"] {
        host.client().post("/core/dice", &json!({ "documentSelfLink": name })).await.expect(201);
    }
    host
}

async fn replayed(client: &Client, link: &str, version: u64, module: &str) -> Value {
    let asked = json!({ "documentSelfLink": link, "version": version, "module": module });
    client.post("/core/replays", &asked).await.expect(200).json()
}

async fn version_of(client: &Client, link: &str) -> u64 {
    client.get(link).await.expect(200).json()["documentVersion"].as_u64().expect("a version")
}

/// Time and dice are part of the state, so an equal state says that both were given once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_runs_again_over_the_same_input_without_consequences_and_after_a_restart() {
    let mut host = dice(&RECORDS).await;
    let client = host.client().clone();
    let patch = json!({ "by": 4, "to": "/core/dice/b" });
    let made = client.with_headers(http::Method::PATCH, "/core/dice/a", &[("x-who", "me")], &patch).await.expect(200);
    assert_eq!(made.json()["seen"][2], "me");
    wait::until("the effect has arrived", || async { (version_of(&client, "/core/dice/b").await == 1).then_some(()) })
        .await;
    let shown = replayed(&client, "/core/dice/a", 1, "mounted").await;
    assert_eq!(shown["differences"], json!([]), "{shown}");
    let (recorded, again) = (&shown["recorded"], &shown["replayed"]);
    assert_eq!((&recorded["state"]["seen"], &recorded["state"]["sum"]), (&made.json()["seen"], &json!(4)));
    assert_eq!((&again["state"], &again["effects"]), (&recorded["state"], &recorded["effects"]));
    assert_eq!(again["effects"][0]["to"], "/core/dice/b");
    assert_eq!((&again["log"][0]["message"], &again["readNow"]), (&json!("adds 4"), &json!([])));
    assert_eq!((&shown["request"]["asked"], &shown["request"]["cause"]), (&json!("PATCH"), &json!("client")));
    assert_eq!((&shown["request"]["body"], &shown["before"]["state"]), (&patch, &json!({})));
    let created = replayed(&client, "/core/dice/a", 0, "recorded").await;
    assert_eq!((&created["before"], &created["differences"]), (&Value::Null, &json!([])), "{created}");
    let effect = replayed(&client, "/core/dice/b", 1, "mounted").await;
    assert_eq!((&effect["request"]["cause"], &effect["differences"]), (&json!("effect"), &json!([])), "{effect}");

    client.delete("/core/dice/b").await.expect(200);
    let deleted = replayed(&client, "/core/dice/b", 2, "mounted").await;
    assert_eq!((&deleted["recorded"]["action"], &deleted["differences"]), (&json!("DELETE"), &json!([])), "{deleted}");

    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    assert_eq!(replayed(client, "/core/dice/a", 1, "mounted").await, shown);
    assert_eq!(version_of(client, "/core/dice/a").await, 1, "no replay has made a version");
    client.get("/core/dice/b").await.expect(404);
    let sent = client.get("/core/dice/b/history").await.expect(200).json();
    assert_eq!(sent["documentCount"], 3, "no replay has sent anything: {sent}");
    let history = client.get("/core/dice/a/history").await.expect(200).json();
    assert!(!history.to_string().contains("recording"), "{history}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_of_a_file_shows_what_it_makes_of_the_request_and_is_not_left_behind() {
    let host = dice(&RECORDS).await;
    let (client, base) = (host.client(), host.client().base());
    client.patch("/core/dice/a", &json!({ "by": 4 })).await.expect(200);
    let modules = || async { client.get("/core/modules").await.expect(200).json()["documentLinks"].clone() };
    let before = modules().await;
    let mended = write(&host, "mended.js", &DICE.replace("+ body.by;", "+ body.by * 10;"));
    let shown = at(base, &["replay", "/core/dice/a@1", "--module", &mended]).await;
    let table = printed(&shown);
    assert!(shown.status.success() && said(&shown).contains("1 difference"), "{table}{}", said(&shown));
    let sum = table.lines().find(|line| line.contains("state/sum")).unwrap_or_default();
    assert_eq!(sum.split_whitespace().collect::<Vec<_>>(), ["≠", "state/sum", "4", "40"], "{table}");
    assert!(table.contains("  state/seen/0") && table.contains("adds 4"), "{table}");

    let broken = write(&host, "broken.js", &DICE.replace("  dice.sum", "  nothing();\n  dice.sum"));
    let shown = at(base, &["replay", "/core/dice/a@1", "--module", &broken, "-o", "json"]).await;
    let shown: Value = serde_json::from_str(&printed(&shown)).unwrap_or_else(|_| panic!("{}", said(&shown)));
    let problem = &shown["replayed"]["problem"];
    assert_eq!((&shown["type"], &problem["code"]), (&json!("replay"), &json!("guest-trap")));
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.contains("broken.js:4: ReferenceError")),
        "{problem}"
    );
    assert_eq!(shown["differences"], json!(["/problem"]));
    assert_eq!(shown["recorded"]["state"]["sum"], 4);

    let quiet = at(base, &["replay", "/core/dice/a@1", "--module", &mended, "--quiet"]).await;
    assert_eq!(printed(&quiet), "/state/sum\n");
    let same = at(base, &["replay", "/core/dice/a@1"]).await;
    assert!(said(&same).contains("the same outcome"), "{}", said(&same));
    assert_eq!(modules().await, before, "what was tried is gone again");
    assert_eq!(version_of(client, "/core/dice/a").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_again_says_why() {
    let host = dice(&RECORDS).await;
    let client = host.client();
    let large = "x".repeat(70_000);
    for by in [json!({ "by": 1 }), json!({ "by": 1, "large": large }), json!({ "by": 1 }), json!({ "by": 1 })] {
        client.patch("/core/dice/a", &by).await.expect(200);
    }
    let greeting = digest_of(client, "examples").await;
    let unknown = "0".repeat(64);
    let a = "/core/dice/a";
    for (link, version, module, status, code) in [
        (a, 0, "mounted", 404, "not-found"),
        (a, 9, "mounted", 404, "not-found"),
        ("/core/dice/none", 0, "mounted", 404, "not-found"),
        ("/core/dice", 0, "mounted", 404, "not-found"),
        ("/core/nothing/a", 0, "mounted", 404, "not-found"),
        (a, 1, "mounted", 404, "before-not-kept"),
        (a, 2, "mounted", 404, "recording-too-large"),
        (a, 3, &unknown, 404, "module-unknown"),
        (a, 3, &greeting, 409, "module-of-other-kind"),
        (a, 3, "tomorrow", 400, "validation"),
    ] {
        let asked = json!({ "documentSelfLink": link, "version": version, "module": module });
        let refused = client.post("/core/replays", &asked).await.expect(status).json();
        assert_eq!(refused["code"], code, "{link}@{version} {module}: {refused}");
    }
    client.post("/core/replays", &json!({ "documentSelfLink": a })).await.expect(400);
    client.get("/core/replays").await.expect(405);
    let typed = at(client.base(), &["replay", a]).await;
    assert!(said(&typed).contains("steward history"), "{}", said(&typed));

    let silent = dice(&[]).await;
    let refused = silent.client().post("/core/replays", &json!({ "documentSelfLink": a, "version": 0 })).await;
    let refused = refused.expect(404).json();
    assert_eq!(refused["code"], "request-not-recorded");
    assert!(refused["hints"][0].as_str().is_some_and(|hint| hint.contains("--record-requests")), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_module_and_the_former_one_run_the_same_request() {
    let host = host_with_flags(&["upgrade-before"], &RECORDS).await;
    let client = host.client();
    client.post("/core/ledgers", &json!({ "documentSelfLink": "a", "count": 3 })).await.expect(201);
    client.patch("/core/ledgers/a", &json!({ "by": 2 })).await.expect(200);
    let digest = digest_of(client, "upgrade-after").await;
    move_to(client, &digest).await;
    let former = replayed(client, "/core/ledgers/a", 1, "recorded").await;
    assert_eq!(former["differences"], json!([]), "{former}");
    let next = replayed(client, "/core/ledgers/a", 1, "mounted").await;
    assert_eq!((&next["recorded"]["state"]["count"], &next["replayed"]["state"]["total"]), (&json!(5), &json!(5)));
    assert_eq!((&next["replayed"]["stateVersion"], &next["before"]["stateVersion"]), (&json!(2), &json!(1)), "{next}");
    assert!(next["differences"].as_array().is_some_and(|all| all.contains(&json!("/state/total"))), "{next}");
}

/// Creation with two handlers, the start of a reign, maintenance, and the answer to an effect.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_owner_does_by_itself_runs_again_too() {
    let mut host = host_with_flags(&["duties"], &RECORDS).await;
    for name in ["a", "b"] {
        host.client().post("/core/diaries", &json!({ "documentSelfLink": name })).await.expect(201);
    }
    tokio::task::block_in_place(|| host.restart()).expect("the host starts again");
    let client = host.client();
    let letter = json!({ "letters": [{ "to": "/core/diaries/b", "note": "n", "tag": "t" }] });
    client.patch("/core/diaries/a", &letter).await.expect(200);
    let versions = wait::until("all handlers have run", || async {
        let history = client.get("/core/diaries/a/history?limit=1000").await.expect(200).json();
        let versions = history["versions"].as_array().cloned().unwrap_or_default();
        let caused = |cause: &str| versions.iter().any(|version| version["documentUpdateCause"] == cause);
        ["client", "start", "maintenance", "reply"].into_iter().all(caused).then_some(versions)
    })
    .await;
    for version in &versions {
        let number = version["documentVersion"].as_u64().expect("a version");
        let shown = replayed(client, "/core/diaries/a", number, "mounted").await;
        assert_eq!(shown["differences"], json!([]), "{shown}");
        assert_eq!(shown["request"]["cause"], version["documentUpdateCause"]);
        if version["documentUpdateCause"] == "reply" {
            assert_eq!(
                (&shown["request"]["answer"]["tag"], &shown["request"]["answer"]["status"]),
                (&json!("t"), &json!(200))
            );
        }
    }
}
