//! What a counter promises, proven in memory: no cluster, no ports, a clock of its own.

use guest_counter::Counter;
use steward_sdk::prelude::*;

#[test]
fn a_patch_adds_a_step_or_what_it_says() {
    let mut host = mock::Host::serving::<Counter>();
    let counter = host.post("/core/counters", json!({ "step": 5 })).link();
    assert_eq!(host.patch(&counter, json!({})).body["count"], 5);
    let reply = host.patch(&counter, json!({ "by": 37 }));
    assert_eq!((reply.version(), &reply.body["count"]), (2, &json!(42)));
}

#[test]
fn a_step_of_nothing_is_refused_with_its_field() {
    let mut host = mock::Host::serving::<Counter>();
    let refused = host.post("/core/counters", json!({ "step": 0 }));
    assert_eq!((refused.status, refused.pointer()), (400, "/step"));
    assert_eq!(refused.message(), "step must be 1 or more, found 0");
    assert!(host.links().is_empty());

    let counter = host.post("/core/counters", json!({})).link();
    assert_eq!(host.put(&counter, json!({ "count": -1 })).pointer(), "/count");
    assert_eq!(host.patch(&counter, json!({ "by": "much" })).pointer(), "/by");
    assert_eq!(host.versions(&counter).len(), 1);
}

#[test]
fn a_counter_comes_to_rest() {
    let mut host = mock::Host::serving::<Counter>();
    let counter = host.post("/core/counters", json!({ "count": 2 })).link();
    host.advance(Duration::from_secs(10 * 3600));
    let versions = host.versions(&counter);
    // Hours in which nothing changed leave no versions behind.
    assert_eq!(versions.len(), 3);
    assert_eq!(versions[2]["count"], 0);
}
