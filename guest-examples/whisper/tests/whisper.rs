//! What a whisper promises.

use guest_whisper::Whisper;
use steward_sdk::mock::{Host, Response};
use steward_sdk::prelude::*;

#[test]
fn each_patch_is_passed_on_once() {
    let mut host = Host::serving::<Whisper>().answering("/core/counters/", |_| Response::new(200, json!({})));
    let whisper = host.post("/core/whispers", json!({})).link();
    assert_eq!(host.patch(&whisper, json!({ "to": "/core/counters/a", "by": 3 })).body["sent"], 1);
    host.settle();
    let sent: Vec<_> = host.sent().iter().map(|sent| (sent.effect.to.as_str(), sent.effect.body.as_deref())).collect();
    assert_eq!(sent, [("/core/counters/a", Some(r#"{"by":3}"#))]);
}
