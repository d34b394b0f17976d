//! What a relay promises.

use guest_relay::Relay;
use steward_sdk::mock::{Host, Response};
use steward_sdk::prelude::*;

#[test]
fn what_is_counted_is_what_is_passed_on() {
    let mut host = Host::serving::<Relay>().answering("/core/counters/", |_| Response::new(200, json!({})));
    let relay = host.post("/core/relays", json!({})).link();
    assert_eq!(host.patch(&relay, json!({ "to": "/core/counters/a", "by": 3 })).body["sent"], 3);
    assert_eq!(host.patch(&relay, json!({ "to": "/core/counters/b" })).body["sent"], 4);
    assert_eq!(host.patch(&relay, json!({ "by": 1 })).pointer(), "/to");
    host.settle();
    let sent: Vec<_> = host.sent().iter().map(|sent| (sent.effect.to.as_str(), sent.effect.body.as_deref())).collect();
    assert_eq!(sent, [("/core/counters/a", Some(r#"{"by":3}"#)), ("/core/counters/b", Some(r#"{"by":1}"#))]);
}
