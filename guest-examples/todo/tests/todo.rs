//! What a to-do list promises.

use guest_todo::Todo;
use steward_sdk::mock::Host;
use steward_sdk::prelude::*;

fn list() -> (Host, String) {
    let mut host = Host::serving::<Todo>();
    let link = host.post("/core/todos", json!({ "title": "house" })).link();
    (host, link)
}

#[test]
fn items_are_added_completed_and_removed() {
    let (mut host, link) = list();
    host.patch(&link, json!({ "kind": "add", "text": "sweep" }));
    host.patch(&link, json!({ "kind": "add", "text": "mop" }));
    host.patch(&link, json!({ "kind": "complete", "id": 1 }));
    let removed = host.patch(&link, json!({ "kind": "remove", "id": 2 }));
    assert_eq!(removed.body["items"], json!([{ "id": 1, "text": "sweep", "done": true }]));
    assert_eq!(host.patch(&link, json!({ "kind": "add", "text": "dust" })).body["items"][1]["id"], 3);
}

#[test]
fn removing_twice_makes_no_second_version() {
    let (mut host, link) = list();
    host.patch(&link, json!({ "kind": "add", "text": "sweep" }));
    assert_eq!(host.patch(&link, json!({ "kind": "remove", "id": 1 })).version(), 2);
    assert_eq!(host.patch(&link, json!({ "kind": "remove", "id": 1 })).version(), 2);
}

#[test]
fn mistakes_are_refused_with_their_field() {
    let (mut host, link) = list();
    let item = |id: u64, text: &str| json!({ "title": "t", "items": [{ "id": id, "text": text }] });
    for (body, pointer) in [
        (json!({}), "/title"),
        (json!({ "title": "" }), "/title"),
        (item(1, ""), "/items/0/text"),
        (item(0, "sweep"), "/items/0/id"),
        (json!({ "title": "t", "items": [{ "id": "one", "text": "sweep" }] }), "/items/0/id"),
    ] {
        let refused = host.post("/core/todos", body.clone());
        assert_eq!((refused.status, refused.pointer()), (400, pointer), "{body}");
    }
    for (body, pointer) in [
        (json!({ "kind": "complete", "id": 7 }), "/id"),
        (json!({ "kind": "add" }), "/text"),
        (json!({ "kind": "rename", "title": "" }), "/title"),
        (json!({ "kind": "burn" }), "/kind"),
        (json!({}), "/kind"),
    ] {
        let refused = host.patch(&link, body.clone());
        assert_eq!((refused.status, refused.pointer()), (400, pointer), "{body}");
    }
    assert_eq!(host.versions(&link).len(), 1);
}

#[test]
fn posting_a_list_again_replaces_it() {
    let mut host = Host::serving::<Todo>();
    host.post("/core/todos", json!({ "documentSelfLink": "a", "title": "one" }));
    let again = host.post("/core/todos", json!({ "documentSelfLink": "a", "title": "two" }));
    assert_eq!((again.status, again.version(), &again.body["title"]), (200, 1, &json!("two")));
}

/// The first version of the service, as its documents remember it.
mod first {
    use steward_sdk::prelude::*;

    #[derive(Document)]
    pub(crate) struct Todo {
        title: String,
        #[document(default)]
        items: Vec<String>,
    }

    #[service(factory = "/core/todos")]
    impl Todo {}
}

#[test]
fn lists_of_the_first_version_are_read() {
    let mut host = Host::serving::<first::Todo>();
    let link = host.post("/core/todos", json!({ "title": "house", "items": ["sweep", "mop"] })).link();
    let mut host = host.with::<Todo>();
    let patched = host.patch(&link, json!({ "kind": "complete", "id": 2 }));
    let items = json!([{ "id": 1, "text": "sweep", "done": false }, { "id": 2, "text": "mop", "done": true }]);
    assert_eq!((patched.version(), &patched.body["items"]), (1, &items));
}
