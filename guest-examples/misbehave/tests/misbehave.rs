//! What can be shown natively: the good behaviour, and the bad one that does not end the process.

use guest_misbehave::Misbehave;
use steward_sdk::mock::Host;
use steward_sdk::prelude::*;

#[test]
fn told_nothing_it_counts() {
    let mut host = Host::serving::<Misbehave>();
    let link = host.post("/core/misbehave", json!({})).link();
    host.patch(&link, json!({}));
    assert_eq!(host.patch(&link, json!({ "note": "n" })).body["count"], 2);
}

#[test]
fn bad_answers_change_nothing() {
    let mut host = Host::serving::<Misbehave>();
    let link = host.post("/core/misbehave", json!({})).link();
    for what in ["not-json", "not-object", "many-effects"] {
        assert_eq!(host.patch(&link, json!({ "do": what })).code(), "guest-answer", "{what}");
    }
    assert_eq!(host.patch(&link, json!({ "do": "good" })).pointer(), "/do");
    assert_eq!((host.versions(&link).len(), host.waiting().len()), (1, 0));
}
