//! What the service promises, proven in memory: no host, no ports, a clock of its own.

use my_service::Counter;
use steward_sdk::prelude::*;

#[test]
fn a_patch_adds_a_step_or_what_it_says() {
    let mut host = mock::Host::serving::<Counter>();
    let counter = host.post("/core/my-service", json!({ "step": 5 })).link();
    assert_eq!(host.patch(&counter, json!({})).body["count"], 5);
    assert_eq!(host.patch(&counter, json!({ "by": 37 })).body["count"], 42);
}

#[test]
fn a_step_of_nothing_is_refused_with_its_field() {
    let mut host = mock::Host::serving::<Counter>();
    let refused = host.post("/core/my-service", json!({ "step": 0 }));
    assert_eq!((refused.status, refused.pointer()), (400, "/step"));
    assert!(host.links().is_empty());
}

#[test]
fn a_counter_comes_to_rest() {
    let mut host = mock::Host::serving::<Counter>();
    let counter = host.post("/core/my-service", json!({ "count": 2 })).link();
    host.advance(Duration::from_secs(10 * 3600));
    assert_eq!(host.versions(&counter).last().map(|version| version["count"].clone()), Some(json!(0)));
}
