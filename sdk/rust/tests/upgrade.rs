//! Another version of a service takes over, in the mock host: every read shows what the real host shows.

use steward_model::service::Descriptor;
use steward_sdk::Guest;
use steward_sdk::mock::Host;
use steward_sdk::prelude::*;

/// A guest as the first version kept it.
#[derive(Document)]
struct Guest1 {
    name: String,
}

#[service(factory = "/hotel/guests", name = "guest")]
impl Guest1 {
    #[patch(kind = "leave")]
    fn leave(&mut self) {}
}

/// A guest of today.
#[derive(Document)]
struct Guest2 {
    first: String,
    last: String,
}

#[service(factory = "/hotel/guests", name = "guest", state_version = 2)]
impl Guest2 {
    #[migrate(from = 1)]
    fn from_v1(old: Guest1) -> Result<Guest2> {
        let (first, last) = old.name.split_once(' ').or_invalid("name", "needs a first and a last name")?;
        Ok(Guest2 { first: first.to_owned(), last: last.to_owned() })
    }
}

fn upgraded(name: &str) -> (Host, String) {
    let mut host = Host::serving::<Guest1>();
    let link = host.post("/hotel/guests", json!({ "name": name })).link();
    (host.with::<Guest2>(), link)
}

#[test]
fn a_read_shows_the_state_in_the_shape_of_today() {
    let (mut host, link) = upgraded("Ada Kos");
    assert_eq!(host.get(&link).body["last"], "Kos");
    assert_eq!(host.get(&link).version(), 0, "a read makes no version");
    assert_eq!(host.versions(&link)[0]["first"], "Ada");
    let query = json!({ "querySpec": { "query": { "term": { "propertyName": "last", "matchValue": "Kos" } } } });
    assert_eq!(host.post("/core/query-tasks", query).body["results"]["documentLinks"], json!([link]));
}

#[test]
fn a_migration_that_fails_is_told_by_every_read() {
    let (mut host, link) = upgraded("Plato");
    assert_eq!(host.get(&link).status, 400);
    let query = json!({ "querySpec": { "query": { "term": { "propertyName": "last", "matchValue": "Kos" } } } });
    assert_eq!(host.post("/core/query-tasks", query).status, 400);
}

#[test]
fn a_kind_without_a_body_is_an_action_too() {
    let descriptor = Descriptor::parse(&<Guest1 as Guest>::describe()).expect("a valid descriptor");
    assert_eq!(descriptor.actions["handle-patch"]["leave"], json!({ "type": "object" }));
}
