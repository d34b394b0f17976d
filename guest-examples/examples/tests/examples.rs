//! What Xenon's ExampleService answered, line by line of its transcript.

use guest_examples::ExampleState;
use steward_sdk::mock::Host;
use steward_sdk::prelude::*;

const STRICT: &str = "com:vmware:xenon:services:common:ExampleService:StrictUpdateRequest";

fn one() -> (Host, String) {
    let mut host = Host::serving::<ExampleState>();
    let body = json!({
        "name": "one", "counter": 7, "keyValues": { "key1": "value1" }, "tags": ["a", "b"], "id": "id-1",
        "required": "yes", "documentSelfLink": "one",
    });
    let link = host.post("/core/examples", body).link();
    (host, link)
}

#[test]
fn a_created_example_has_the_fields_of_xenon() {
    let mut host = Host::serving::<ExampleState>();
    let created = host.post("/core/examples", json!({ "name": "example-1", "counter": 1 }));
    let own: Vec<(&String, &Value)> =
        created.body.as_object().expect("an object").iter().filter(|(name, _)| !name.starts_with("document")).collect();
    let expected = json!({ "keyValues": {}, "counter": 1, "name": "example-1", "tags": [], "isFromMigration": false });
    assert_eq!(own, expected.as_object().expect("an object").iter().collect::<Vec<_>>());
    assert_eq!(created.body["documentKind"], "com:vmware:xenon:services:common:ExampleService:ExampleServiceState");
}

#[test]
fn a_name_is_needed_and_a_link_is_given_once() {
    let (mut host, link) = one();
    for (body, message) in [(json!({ "counter": 1 }), "name is required"), (json!({}), "name is required")] {
        let refused = host.post("/core/examples", body);
        assert_eq!((refused.status, refused.pointer(), refused.message()), (400, "/name", message));
    }
    assert_eq!(host.post("/core/examples", json!({ "name": "one", "documentSelfLink": "one" })).status, 409);
    let refused = host.put(&link, json!({ "counter": 11 }));
    assert_eq!((refused.status, refused.message()), (400, "name must be set"));
}

#[test]
fn a_patch_merges() {
    let (mut host, link) = one();
    let patch = json!({ "name": "one-patched", "keyValues": { "key1": null, "key2": "value2" }, "tags": ["c"] });
    let patched = host.patch(&link, patch);
    assert_eq!(patched.body["keyValues"], json!({ "key2": "value2" }));
    assert_eq!(patched.body["tags"], json!(["a", "b", "c"]));
    assert_eq!((&patched.body["name"], &patched.body["counter"]), (&json!("one-patched"), &json!(7)));
    for (patch, name, counter) in [
        (json!({ "name": null, "counter": 8 }), "one-patched", 8),
        (json!({ "counter": 3 }), "one-patched", 8),
        (json!({ "nosuchfield": 1, "sortedCounter": 5, "documentVersion": 99 }), "one-patched", 8),
        (json!({}), "one-patched", 8),
    ] {
        let patched = host.patch(&link, patch.clone());
        assert_eq!(
            (patched.status, &patched.body["name"], &patched.body["counter"]),
            (200, &json!(name), &json!(counter)),
            "{patch}"
        );
    }
    assert_eq!(host.versions(&link).len(), 6, "an empty PATCH makes a version too");
    let refused = host.patch(&link, json!({ "counter": "abc" }));
    assert_eq!((refused.status, refused.code(), refused.pointer()), (400, "validation", "/counter"));
    assert_eq!(host.ask(Action::Patch, &link).send().status, 400);
}

#[test]
fn a_strict_update_compares_versions() {
    let (mut host, link) = one();
    let refused = host.patch(&link, json!({ "kind": STRICT, "name": "strict", "documentVersion": 77 }));
    assert_eq!((refused.status, refused.message()), (400, "Current version 0. Request version 77"));
    let update = host.patch(&link, json!({ "kind": STRICT, "name": "strict", "documentVersion": 0 }));
    assert_eq!((update.version(), &update.body["name"]), (1, &json!("strict")));
}

#[test]
fn a_put_replaces_everything() {
    let (mut host, link) = one();
    let replaced = host.put(&link, json!({ "name": "one-put", "counter": 10 }));
    assert_eq!(replaced.body["keyValues"], json!({}));
    assert!(replaced.body.get("id").is_none() && replaced.body.get("isFromMigration").is_none(), "{}", replaced.body);
}

#[test]
fn an_example_expires_when_it_was_told_to() {
    let (mut host, link) = one();
    let soon = host.now_micros() + 3_000_000;
    let body = json!({ "name": "exp", "documentSelfLink": "exp", "documentExpirationTimeMicros": soon });
    assert_eq!(host.post("/core/examples", body).body["documentExpirationTimeMicros"], soon);
    host.patch(&link, json!({ "documentExpirationTimeMicros": soon + 1 }));
    host.advance(Duration::from_secs(3));
    assert_eq!((host.get("/core/examples/exp").status, host.get(&link).status), (404, 200));
    host.advance(Duration::from_secs(1));
    assert_eq!(host.get(&link).status, 404);
}

#[test]
fn a_deletion_may_name_the_expiry_of_its_tombstone() {
    let (mut host, link) = one();
    let later = host.now_micros() + 1_000_000;
    let deletion = host.ask(Action::Delete, &link).body(json!({ "documentExpirationTimeMicros": later })).send();
    assert_eq!((deletion.status, deletion.version()), (200, 1));
    assert_eq!(deletion.body["documentExpirationTimeMicros"], later);
}

#[test]
fn a_migration_is_remembered() {
    let mut host = Host::serving::<ExampleState>();
    let ask =
        host.ask(Action::Post, "/core/examples").body(json!({ "name": "m" })).header("Pragma", "xn-from-migration");
    assert_eq!(ask.send().body["isFromMigration"], true);
}
