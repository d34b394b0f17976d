//! The mock host refuses what the host would refuse: states that break their own schema, whoever makes them.

use serde_json::{Value, json};
use steward_sdk::mock::{Host, Response};
use steward_sdk::prelude::*;
use steward_sdk::{Action, Guest, Handler, Outcome, Request};

/// Leaves whatever state its body asks for, whatever its schema says.
struct Spoiler;

impl Guest for Spoiler {
    fn describe() -> String {
        let handlers = ["handle-create", "handle-patch", "migrate"];
        json!({ "name": "spoiler", "factory": "/spoilers", "handlers": handlers, "stateVersion": 2, "stateSchema": {
            "type": "object", "required": ["count"], "additionalProperties": false,
            "properties": {
                "count": { "type": "integer", "minimum": 1, "maximum": 9 },
                "names": { "type": "array", "items": { "$ref": "#/$defs/name" } },
                "marks": { "type": "object", "additionalProperties": { "type": ["number", "null"] } },
                "stage": { "enum": ["ONE", "TWO"] },
            },
            "$defs": { "name": { "type": "string", "maxLength": 5 } },
        }})
        .to_string()
    }

    fn handle(handler: Handler, _: String, request: Request) -> Result<Outcome> {
        let body: Value = serde_json::from_str(&request.body.unwrap_or_default()).expect("a body");
        let left = if handler == Handler::Create { &json!({ "count": 1 }) } else { &body["leave"] };
        Ok(Outcome { document: Some(left.to_string()), ..Outcome::default() })
    }
}

/// The same factory, one version before.
struct Before;

impl Guest for Before {
    fn describe() -> String {
        json!({ "name": "spoiler", "factory": "/spoilers", "handlers": ["handle-create"], "stateVersion": 1 })
            .to_string()
    }

    fn handle(_: Handler, _: String, _: Request) -> Result<Outcome> {
        Ok(Outcome { document: Some("{}".to_owned()), ..Outcome::default() })
    }
}

/// The same factory, one version later, with a migration that loses the count.
struct After;

impl Guest for After {
    fn describe() -> String {
        Spoiler::describe()
    }

    fn handle(_: Handler, document: String, _: Request) -> Result<Outcome> {
        Ok(Outcome { document: Some(document), ..Outcome::default() })
    }

    fn migrate(_: String, _: u32) -> Result<String> {
        Ok(json!({ "count": null }).to_string())
    }
}

fn told(answer: &Response) -> (u16, &str, &str) {
    (answer.status, answer.code(), answer.pointer())
}

#[test]
fn states_that_break_their_schema_are_refused() {
    let mut host = Host::serving::<Spoiler>();
    let link = host.post("/spoilers", json!({})).link();
    for wrong in [
        json!({}),
        json!({ "count": null }),
        json!({ "count": "1" }),
        json!({ "count": 1.5 }),
        json!({ "count": 0 }),
        json!({ "count": 1, "cuont": 1 }),
        json!({ "count": 1, "names": null }),
        json!({ "count": 1, "names": [1] }),
        json!({ "count": 1, "names": ["abcdef"] }),
        json!({ "count": 1, "marks": { "a": "b" } }),
        json!({ "count": 1, "stage": "THREE" }),
    ] {
        let refused = host.patch(&link, json!({ "leave": wrong }));
        assert_eq!(told(&refused), (500, "guest-outcome", ""), "{wrong}");
    }
    let sent = host.patch(&link, json!({ "leave": { "count": 0 }, "count": 0 }));
    assert_eq!(told(&sent), (400, "validation", "/count"), "the client has sent it");
    let right = json!({ "count": 9, "names": ["a"], "marks": { "a": 1.5, "b": null }, "stage": "TWO" });
    assert_eq!(host.patch(&link, json!({ "leave": right })).body["count"], 9);
    assert_eq!(host.versions(&link).len(), 2, "a refusal changes nothing");
}

#[test]
fn what_a_migration_returns_is_held_to_the_schema() {
    let mut host = Host::serving::<Before>();
    let link = host.post("/spoilers", json!({})).link();
    host = host.with::<After>();
    for answer in [host.get(&link), host.ask(Action::Patch, &link).body(json!({})).send()] {
        assert_eq!(told(&answer), (500, "guest-outcome", ""), "{answer:?}");
    }
}
