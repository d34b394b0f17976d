//! The mock host creates documents anew as the host does: after a deletion by a number or a header, after an expiry at once.

use steward_sdk::Action;
use steward_sdk::mock::{Host, Response};
use steward_sdk::prelude::*;

/// A leaflet that remembers at which version it was told to begin, and has another one printed.
#[derive(Document)]
struct Leaflet {
    #[document(default)]
    told: u64,
}

#[service(factory = "/leaflets", options(idempotent_post))]
impl Leaflet {
    fn handle_create(&mut self, ctx: &Context) {
        self.told = ctx.version();
    }

    fn handle_patch(&mut self, ctx: &mut Context) {
        ctx.create("/leaflets", &json!({ "documentSelfLink": "a", "documentVersion": 99 }));
    }
}

const LINK: &str = "/leaflets/a";

fn create(host: &mut Host) -> Response {
    host.post("/leaflets", json!({ "documentSelfLink": "a" }))
}

fn create_at(host: &mut Host, version: Value) -> Response {
    host.post("/leaflets", json!({ "documentSelfLink": "a", "documentVersion": version }))
}

/// Returns the numbers of the versions that are kept.
fn kept(host: &Host) -> Vec<u64> {
    host.versions(LINK).iter().filter_map(|version| version["documentVersion"].as_u64()).collect()
}

/// Makes a host with a leaflet that was deleted at version 2.
fn deleted() -> Host {
    let mut host = Host::serving::<Leaflet>();
    create(&mut host);
    assert_eq!(host.put(LINK, json!({})).version(), 1);
    let gone = host.delete(LINK);
    assert_eq!((gone.version(), &gone.body["documentUpdateAction"]), (2, &json!("DELETE")));
    host
}

#[test]
fn what_was_deleted_is_created_anew_by_a_higher_version() {
    let mut host = deleted();
    let said = [host.get(LINK), host.patch(LINK, json!({})), host.put(LINK, json!({}))];
    assert_eq!(said.map(|answer| answer.status), [404; 3]);
    for refused in [create(&mut host), create_at(&mut host, json!(2)), create_at(&mut host, json!(-1))] {
        assert_eq!((refused.status, refused.code()), (409, "marked-deleted"));
        let told = "/leaflets/a was deleted, at version 2: create it anew with documentVersion 3 or higher, \
            or with the header Pragma: xn-force-index-update";
        assert_eq!(refused.message(), told);
    }
    let unread = create_at(&mut host, json!("3"));
    assert_eq!((unread.status, unread.pointer()), (400, "/documentVersion"));
    let anew = create_at(&mut host, json!(9));
    assert_eq!((anew.status, anew.version(), &anew.body["told"]), (201, 3, &json!(0)));
    assert_eq!(kept(&host), [0, 1, 2, 3]);
    assert_eq!(create(&mut host).version(), 4, "it lives, and a POST replaces it");
}

#[test]
fn the_pragma_creates_anew_and_forgets_the_history() {
    let mut host = deleted();
    let mut with = |pragma| {
        let asked = host.ask(Action::Post, "/leaflets").header("Pragma", pragma);
        asked.body(json!({ "documentSelfLink": "a" })).send()
    };
    assert_eq!(with("no-cache").status, 409);
    let anew = with("no-cache; xn-force-index-update");
    assert_eq!((anew.status, anew.version(), &anew.body["told"]), (201, 3, &json!(0)));
    assert_eq!(kept(&host), [3]);
    host.delete(LINK);
    assert_eq!(create_at(&mut host, json!(5)).version(), 5);
    assert_eq!(kept(&host), [3, 4, 5]);
}

#[test]
fn an_effect_needs_a_number_as_well_and_forgets_the_history() {
    let mut host = deleted();
    let other = host.post("/leaflets", json!({})).link();
    host.patch(&other, json!({}));
    host.settle();
    assert_eq!(host.sent()[0].response.version(), 3);
    assert_eq!(kept(&host), [3]);
}

#[test]
fn what_has_expired_leaves_its_link_free() {
    let mut host = Host::serving::<Leaflet>();
    create(&mut host);
    let soon = host.now_micros() + 1_000_000;
    assert_eq!(host.put(LINK, json!({ "documentExpirationTimeMicros": soon })).version(), 1);
    host.advance(Duration::from_secs(1));
    let said = [host.get(LINK), host.patch(LINK, json!({})), host.put(LINK, json!({}))];
    assert_eq!(said.map(|answer| answer.status), [404; 3]);
    assert!(kept(&host).is_empty());
    // The expiry was version 2.
    let anew = create(&mut host);
    assert_eq!((anew.status, anew.version(), &anew.body["told"]), (201, 3, &json!(0)));
    assert_eq!(anew.body["documentExpirationTimeMicros"], 0);
    assert_eq!(kept(&host), [3]);
}
