//! Tests of `deploy`, `rollback`, `services` and `modules`.

use super::*;

/// The smallest file that is not refused before it is sent.
fn component() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), b"\0asm\x0d\0\x01\0").expect("a written file");
    file
}

fn installed(change: &str, from: Value, refusal: Value) -> Reply {
    let plan = json!({"factory": "/core/counters", "change": change, "from": from, "to": {"version": "0.3.0"},
        "stateVersions": [2, 3], "documents": 1204, "refusal": refusal});
    let digest = "9f2c81aa00000000000000000000000000000000000000000000000000000000";
    (
        201,
        &[],
        json!({"digest": digest, "name": "counter", "version": "0.3.0", "size": 188_416,
        "imports": ["steward:service/host@0.1.0"], "plan": plan}),
    )
}

fn update(line: &str, _: &str) -> Reply {
    match line {
        "PATCH /core/factories/core/counters" => (200, &[], json!({"revision": 8})),
        _ => installed("update", json!({"revision": 7, "version": "0.2.4"}), Value::Null),
    }
}

fn breaking(_: &str, _: &str) -> Reply {
    let refusal = json!({"code": "deploy-breaking-state", "detail": "cannot read state v2 of 1,204 documents"});
    installed("update", json!({"revision": 7, "version": "0.2.4"}), refusal)
}

fn create(line: &str, _: &str) -> Reply {
    match line {
        "POST /core/factories" => (201, &[], json!({"revision": 1})),
        _ => installed("create", Value::Null, Value::Null),
    }
}

const PLAN: &str = "FACTORY         CHANGE  DETAIL\n\
    /core/counters  update  0.2.4 → 0.3.0   state v2 → v3   1,204 documents\n";

#[tokio::test]
async fn deploy_uploads_plans_asks_and_activates() {
    let file = component();
    let path = file.path().to_str().expect("UTF-8");
    let seen = run_with(&["deploy", path, "-m", "add reset"], Some("y\n"), update).await;
    assert_eq!(seen.exit, 0, "{}", seen.talk);
    assert!(seen.requests[0].starts_with("POST /core/modules content-type=application/wasm"), "{:?}", seen.requests);
    assert_eq!(
        seen.requests[1],
        "PATCH /core/factories/core/counters content-type=application/json \
         {\"moduleDigest\":\"9f2c81aa00000000000000000000000000000000000000000000000000000000\",\
         \"message\":\"add reset\",\"expectedRevision\":7}"
    );
    assert_eq!(seen.data, format!("{PLAN}Deployed revision 8 of counter at /core/counters\n"));
    assert_eq!(
        seen.talk,
        "module   counter 0.3.0   184 KiB   sha256:9f2c81aa0000…\n\
         imports  steward:service/host@0.1.0\n\n\
         Activate on HOST? [y/N] try:  steward post /core/counters\nundo: steward rollback /core/counters\n"
    );
}

#[tokio::test]
async fn deploy_without_a_yes_activates_nothing() {
    let file = component();
    let path = file.path().to_str().expect("UTF-8");
    let seen = run_with(&["deploy", path], Some("n\n"), update).await;
    assert_eq!((seen.exit, seen.requests.len()), (2, 1));
    let seen = run(&["deploy", path], update).await;
    assert_eq!((seen.exit, seen.requests.len()), (2, 1));
    assert!(seen.talk.contains("hint: add --yes"), "{}", seen.talk);
}

#[tokio::test]
async fn new_factory_is_created() {
    let file = component();
    let path = file.path().to_str().expect("UTF-8");
    let seen = run(&["deploy", path, "-y", "-o", "json", "--factory", "/core/c2"], create).await;
    assert!(seen.requests[0].starts_with("POST /core/modules?factory=/core/c2 "), "{:?}", seen.requests);
    assert!(seen.requests[1].contains("\"documentSelfLink\":\"/core/counters\""), "{:?}", seen.requests);
    let documents: Vec<Value> =
        serde_json::Deserializer::from_str(&seen.data).into_iter().collect::<Result<_, _>>().expect("JSON documents");
    assert_eq!(documents[0]["type"], "deploy.plan");
    assert_eq!((&documents[1]["type"], &documents[1]["revision"]), (&json!("deploy.result"), &json!(1)));
}

#[tokio::test]
async fn check_tells_by_its_exit_code_what_is_pending() {
    let file = component();
    let path = file.path().to_str().expect("UTF-8");
    let seen = run(&["deploy", path, "--check"], update).await;
    assert_eq!((seen.exit, seen.data.as_str()), (20, PLAN));
    assert!(seen.requests[0].starts_with("POST /core/modules?dryRun=true "), "{:?}", seen.requests);
    assert_eq!(run(&["deploy", path, "--check"], breaking).await.exit, 21);
    let same: fn(&str, &str) -> Reply = |_, _| installed("none", json!(7), Value::Null);
    assert_eq!(run(&["deploy", path, "--check"], same).await.exit, 0);
    let seen = run(&["deploy", path], same).await;
    assert!(
        seen.data.ends_with("Nothing to do: /core/counters runs this module already as revision 7\n"),
        "{}",
        seen.data
    );
}

#[tokio::test]
async fn breaking_deployment_is_refused_with_both_ways_out() {
    let file = component();
    let seen = run(&["deploy", file.path().to_str().expect("UTF-8"), "-y"], breaking).await;
    assert_eq!((seen.exit, seen.requests.len()), (6, 1));
    assert!(
        seen.talk.contains("error[deploy-breaking-state]: cannot read state v2 of 1,204 documents"),
        "{}",
        seen.talk
    );
    assert_eq!(seen.talk.matches("hint:").count(), 2, "{}", seen.talk);
}

fn factories(line: &str, _: &str) -> Reply {
    let revision = |number: u64, digest: &str, version: &str| {
        json!({"revision": number, "digest": digest, "version": version, "atMicros": NOW - 259_200_000_000_i64,
               "by": "ana", "message": "add reset"})
    };
    let factory = json!({"documentSelfLink": "/core/counters", "moduleDigest": "bb", "moduleName": "counter",
        "moduleVersion": "0.3.0", "revision": 8, "revisions": [revision(7, "aa", "0.2.4"), revision(8, "bb", "0.3.0")],
        "options": ["PERSISTENCE", "REPLICATION"], "documentCount": 1204, "available": true});
    match line {
        "PATCH /core/factories/core/counters" => (200, &[], json!({"revision": 9})),
        _ => (200, &[], json!({"documentLinks": ["/core/counters"], "documents": {"/core/counters": factory}})),
    }
}

fn unreadable(line: &str, body: &str) -> Reply {
    match line.starts_with("PATCH ") {
        true => (409, &[], json!({"code": "deploy-breaking-state", "detail": "cannot read state v2 of 1 document"})),
        false => factories(line, body),
    }
}

#[tokio::test]
async fn rollback_says_that_state_stays_and_makes_a_new_revision() {
    let seen = run(&["rollback", "counter", "-y", "-m", "slow"], factories).await;
    assert_eq!(seen.exit, 0, "{}", seen.talk);
    assert!(seen.requests[1].starts_with("PATCH /core/factories/core/counters?dryRun=true "), "{:?}", seen.requests);
    assert_eq!(
        seen.requests[2],
        "PATCH /core/factories/core/counters content-type=application/json \
         {\"rollback\":true,\"revision\":7,\"expectedRevision\":8,\"message\":\"slow\"}"
    );
    assert_eq!(
        seen.talk,
        "/core/counters: revision 8 → the module of revision 7 (version 0.2.4, aa, activated 3d ago by ana)\n\
         Document state is NOT rolled back: documents stay as the newer module wrote them.\n"
    );
    assert_eq!(seen.data, "Rolled back: revision 9 has the module of revision 7\n");
    let seen = run(&["rollback", "counter", "--dry-run"], factories).await;
    assert_eq!((seen.exit, seen.requests.len()), (0, 2));
    let seen = run(&["rollback", "counter", "-y"], unreadable).await;
    assert_eq!((seen.exit, seen.requests.len()), (6, 2), "what is refused is not asked for: {}", seen.talk);
}

#[tokio::test]
async fn services_are_listed_and_shown() {
    let seen = run(&["services"], factories).await;
    assert_eq!(
        seen.data,
        "FACTORY         MODULE   VERSION  REV  STATE       DOCS  OPTIONS\n\
         /core/counters  counter    0.3.0    8  AVAILABLE  1,204  PR\n"
    );
    let seen = run(&["services", "show", "/core/counters"], factories).await;
    assert!(
        seen.data.ends_with(
            "REV  STATE   VERSION  DIGEST  ACTIVATED  BY   MESSAGE\n\
             \x20 8  ACTIVE    0.3.0  bb      3d ago     ana  add reset\n\
             \x20 7  stored    0.2.4  aa      3d ago     ana  add reset\n"
        ),
        "{}",
        seen.data
    );
    for one in ["/core/counters", "counter"] {
        assert_eq!(run(&["services", one], factories).await.data, seen.data, "without the word");
    }
    assert_eq!(run(&["services", "show", "/nowhere"], factories).await.exit, 5);
    assert_eq!(run(&["services", "counter", "list"], factories).await.exit, 2);
    let seen = run(&["services", "shwo"], factories).await;
    assert_eq!(seen.exit, 5);
    assert!(seen.talk.contains("there is no factory shwo\nhint: there are: /core/counters\n"), "{}", seen.talk);
}

fn modules(_: &str, _: &str) -> Reply {
    let module = json!({"digest": "9f2c81aa0000000", "name": "counter", "version": "0.3.0", "sizeBytes": 188_416,
        "installedTimeMicros": NOW - 60_000_000, "installedBy": "", "factories": ["/core/counters"]});
    (200, &[], json!({"documents": {"/core/modules/9f2c": module}}))
}

#[tokio::test]
async fn modules_are_found_by_name_or_digits() {
    let expected = "MODULE   VERSION  DIGEST        SIZE     INSTALLED  BY  FACTORIES\n\
        counter    0.3.0  9f2c81aa0000  184 KiB  1m ago      –  /core/counters\n";
    for words in [vec!["modules"], vec!["modules", "show", "counter"], vec!["modules", "show", "9f2c81"]] {
        assert_eq!(run(&words, modules).await.data, expected);
    }
    assert_eq!(run(&["modules", "show", "other"], modules).await.exit, 5);
    assert_eq!(run(&["-q", "modules"], modules).await.data, "9f2c81aa0000000\n");
}
