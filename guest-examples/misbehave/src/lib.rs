//! A guest that breaks every promise a guest can break, one at a time and on demand: for tests of the sandbox.
//!
//! It speaks to the host below the typed layer, since types would keep it from returning what is no JSON. A PATCH with
//! `{"do": "<what>"}` chooses; one that chooses nothing counts up, as a guest that behaves would.

use std::hint::black_box;
use std::time::SystemTime;

use steward_sdk::prelude::*;
use steward_sdk::{Guest, Handler, Header, Outcome, Request};

/// Bytes of the document that is too large.
const HUGE_BYTES: usize = 8 << 20;

/// Bytes of one step on the way to all memory.
const STEP_BYTES: usize = 1 << 20;

const EFFECTS: usize = 10_000;

const DESCRIPTOR: &str = r#"{
    "name": "misbehave",
    "version": "0.1.0",
    "factory": "/core/misbehave",
    "docs": "Breaks what guests can break, when it is told to.",
    "handlers": ["handle-patch", "handle-post", "handle-stop", "handle-reply"],
    "stateSchema": {
        "type": "object",
        "properties": { "f": { "type": "number" }, "count": { "type": "integer", "minimum": 0 } }
    },
    "options": ["PERSISTENCE", "REPLICATION", "OWNER_SELECTION"]
}"#;

/// The guest.
#[derive(Debug)]
pub struct Misbehave;

impl Guest for Misbehave {
    fn describe() -> String {
        DESCRIPTOR.to_owned()
    }

    fn handle(handler: Handler, document: String, request: Request) -> Result<Outcome> {
        if handler == Handler::Stop {
            let state: Value = serde_json::from_str(&document).unwrap_or_default();
            return Ok(if state["note"] == "stop badly" {
                written(json!({ "f": "no number" }))
            } else {
                Outcome::default()
            });
        }
        ensure!(matches!(handler, Handler::Patch | Handler::Post), refused(501, "handler-missing", handler.name()));
        let body: Value = request.body.as_deref().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        let outcome = match body["do"].as_str() {
            None => counted(&document, &body),
            Some("loop") => loop_for_ever(),
            Some("slow") => slow(body["rounds"].as_u64().unwrap_or(1_000_000)),
            Some("trap") => std::process::abort(),
            Some("panic") => panic!("told to"),
            Some("recurse") => written(json!({ "depth": depth(1) })),
            Some("allocate") => allocate(),
            Some("not-json") => Outcome { document: Some("{ this is no JSON".to_owned()), ..Outcome::default() },
            Some("infinite") => written(json!({ "f": f64::INFINITY })),
            Some("negative-count") => written(json!({ "count": -1 })),
            Some("negative-expiry") => Outcome { expires_micros: Some(-5), ..counted(&document, &body) },
            Some("built-in") => written(json!({ "documentVersion": 99, "documentOwner": "evil", "count": 7 })),
            Some("not-object") => written(json!([1, 2, 3])),
            Some("huge-document") => written(json!({ "text": "x".repeat(HUGE_BYTES) })),
            Some("many-effects") => many_effects(&document),
            Some("send") => Outcome { effects: vec![effect_of(&body)], ..counted(&document, &body) },
            Some("answer") => Outcome { headers: headers_of(&body), ..counted(&document, &body) },
            Some("refuse") => {
                let status = body["status"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or_default();
                return Err(refused(status, body["code"].as_str().unwrap_or_default(), "told to"));
            }
            Some("read-clock") => written(json!({ "now": format!("{:?}", SystemTime::now()) })),
            Some(other) => return Err(invalid("do", format!("cannot do {other:?}"))),
        };
        Ok(outcome)
    }

    fn handle_reply(document: String, tag: String, answer: Answer, _: Request) -> Result<Outcome> {
        let mut state: Value = serde_json::from_str(&document).unwrap_or_else(|_| json!({}));
        state["heard"][tag] = answer.body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
        Ok(written(state))
    }
}

steward_sdk::export!(Misbehave);

fn written(document: Value) -> Outcome {
    Outcome { document: Some(document.to_string()), ..Outcome::default() }
}

fn counted(document: &str, body: &Value) -> Outcome {
    let mut state: Value = serde_json::from_str(document).unwrap_or_else(|_| json!({}));
    state["count"] = (state["count"].as_u64().unwrap_or_default() + 1).into();
    if let Some(note) = body.get("note") {
        state["note"] = note.clone();
    }
    written(state)
}

/// The effect that a body describes: `{"to": …, "action": "PUT", "headers": { … }, "body": { … }, "tag": …}`, without an action a PATCH.
fn effect_of(body: &Value) -> Effect {
    let action = match body["action"].as_str() {
        Some("GET") => Action::Get,
        Some("PUT") => Action::Put,
        _ => Action::Patch,
    };
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let sent = body.get("body").map(Value::to_string);
    Effect { headers: headers_of(body), reply_tag: text("tag"), ..Effect::new(action, text("to"), sent) }
}

fn headers_of(body: &Value) -> Vec<Header> {
    let header = |(name, value): (&String, &Value)| Header {
        name: name.clone(),
        value: value.as_str().unwrap_or_default().to_owned(),
    };
    body["headers"].as_object().into_iter().flatten().map(header).collect()
}

fn loop_for_ever() -> ! {
    let mut rounds: u64 = 0;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

fn slow(rounds: u64) -> Outcome {
    let sum = (0..rounds).fold(0_u64, |sum, round| black_box(sum.wrapping_add(round)));
    written(json!({ "sum": sum }))
}

/// Returns never, but by way of the end of the stack.
fn depth(above: u64) -> u64 {
    let frame = black_box([above; 64]);
    if black_box(above) == 0 { 0 } else { depth(above + 1) + frame[above as usize % 64] }
}

fn allocate() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; STEP_BYTES]));
    }
}

fn many_effects(document: &str) -> Outcome {
    let effect = |n: usize| Effect::new(Action::Delete, format!("/core/misbehave/none-{n}"), None);
    Outcome { document: Some(document.to_owned()), effects: (0..EFFECTS).map(effect).collect(), ..Outcome::default() }
}
