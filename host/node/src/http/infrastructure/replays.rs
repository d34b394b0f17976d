//! `/core/replays`: runs the request once more that made a version of a document, and shows both outcomes.
//!
//! Nothing is committed and nothing is sent, so whoever may read the document may ask.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use steward_model::module::Digest;
use steward_model::operation::{Effect, EffectReply, Header};
use steward_model::recording::{RecordedAction, RecordedEffects, RecordedRequest};
use steward_model::update::RememberedBody;
use steward_model::{Link, Version};

use super::differences::differences;
use super::shapes::body;
use crate::http::Http;
use crate::http::encode::{self, Answer};
use crate::http::error::Error;
use crate::http::host_request::HostRequest;
use crate::http::methods::Methods;
use crate::operation::{Decided, Ended, LogLine, Outcome, Replayed, Replaying, Runner};

pub(super) const METHODS: Methods<()> = Methods(&[("POST", ())]);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    document_self_link: String,
    version: u64,
    #[serde(default)]
    module: Option<String>,
}

/// Runs a recorded request once more.
///
/// # Errors
/// [`Error`] if the request is not recorded, what it needs is not kept, or the module is not to be had.
pub(super) async fn answer(http: &Arc<Http>, asked: HostRequest) -> Result<Answer, Error> {
    let _under_way = http.under_way()?;
    let Request { document_self_link, version, module } = body(http, asked).await?;
    let wanted =
        Replaying { link: Link::parse(&document_self_link)?, version: Version(version), runner: runner(module)? };
    let replayed = http.operations().replay(&http.parts.modules, wanted.clone()).await?;
    Ok(encode::json(StatusCode::OK, &shown(http, &wanted, *replayed)))
}

fn runner(module: Option<String>) -> Result<Runner, Error> {
    match module.as_deref() {
        None | Some("mounted") => Ok(Runner::Mounted),
        Some("recorded") => Ok(Runner::Recorded),
        Some(digest) => Digest::parse(digest).map(Runner::Module).map_err(|error| Error::Field {
            pointer: "/module".to_owned(),
            reason: format!("is refused: {error}; write mounted, recorded, or the digest of an installed module"),
        }),
    }
}

fn shown(http: &Http, wanted: &Replaying, replayed: Replayed) -> Value {
    let Replayed { request, cause, principal, before, recorded, replayed, log, read } = replayed;
    let (recorded_shown, replayed_shown) = (ended(&recorded.ended), ended(&replayed.ended));
    let differ = match replayed.ended {
        Ended::Decided(_) => differences(&recorded_shown, &replayed_shown),
        // There is nothing to compare.
        Ended::Failed(_) => vec!["/problem".to_owned()],
    };
    let mut request = request_shown(request);
    request["cause"] = cause.as_str().into();
    request["principal"] = principal.into();
    let mut recorded = side(http, &recorded, recorded_shown);
    recorded["unknown"]["/log"] = "log lines are not recorded".into();
    let mut replayed = side(http, &replayed, replayed_shown);
    replayed["log"] = log.iter().map(line).collect();
    replayed["readNow"] = read.into();
    json!({
        "documentSelfLink": wanted.link,
        "version": wanted.version.0,
        "request": request,
        "before": before.map(|before| json!({ "state": raw(&before.body), "stateVersion": before.state_version })),
        "recorded": recorded,
        "replayed": replayed,
        "differences": differ,
    })
}

fn request_shown(request: RecordedRequest) -> Value {
    let RecordedRequest { asked, query, headers, body, now, seed } = request;
    let mut shown = json!({
        "asked": asked.as_str(),
        "query": query,
        "headers": headers_shown(&headers),
        "body": body.as_ref().map(raw),
        "nowMicros": now.0,
        // More digits than a number of JavaScript has.
        "seed": seed.to_string(),
    });
    if let RecordedAction::Hear { tag, reply } = asked {
        let EffectReply { status, headers, body, from } = reply;
        shown["answer"] = json!({
            "tag": tag, "from": from, "status": status, "headers": headers_shown(&headers), "body": body.as_ref().map(raw),
        });
    }
    shown
}

/// Returns one outcome with its module, and what is not known of it.
fn side(http: &Http, outcome: &Outcome, ended: Map<String, Value>) -> Value {
    let state = http.parts.control.state();
    let module = state.module(&outcome.module);
    let mut side = json!({
        "module": {
            "digest": outcome.module,
            "name": module.map(|module| module.name.as_str()),
            "version": module.map(|module| module.version.as_str()),
        },
        "unknown": unknown(&outcome.ended),
    });
    if let Value::Object(side) = &mut side {
        side.extend(ended);
    }
    side
}

/// Returns what can be compared of an outcome.
fn ended(ended: &Ended) -> Map<String, Value> {
    let decided = match ended {
        Ended::Failed(failed) => return Map::from_iter([("problem".to_owned(), failed.document().into())]),
        Ended::Decided(decided) => decided,
    };
    let Decided { makes_version, action, state, state_version, expires, status, reply, effects } = &**decided;
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    put("makesVersion", (*makes_version).into());
    put("action", action.as_str().into());
    put("status", (*status).into());
    put("state", raw(state));
    put("stateVersion", (*state_version).into());
    put("expirationTimeMicros", expires.0.into());
    match reply {
        RememberedBody::State => put("replyIsState", true.into()),
        RememberedBody::Json(json) => put("reply", raw(json)),
        RememberedBody::Empty => put("reply", Value::Null),
        RememberedBody::TooLarge { .. } => {}
    }
    match effects {
        RecordedEffects::Whole(effects) => put("effects", effects.iter().map(effect).collect()),
        RecordedEffects::TooLarge { .. } => {}
    }
    shown
}

/// Returns what is not known of an outcome, by pointer, and why.
fn unknown(ended: &Ended) -> Value {
    let mut unknown = Map::new();
    if let Ended::Decided(decided) = ended {
        if let RememberedBody::TooLarge { bytes } = decided.reply {
            unknown.insert("/reply".to_owned(), format!("it has {bytes} bytes, more than is kept").into());
        }
        if let RecordedEffects::TooLarge { count, bytes } = decided.effects {
            let reason = format!("there are {count} with {bytes} bytes together, more than is kept");
            unknown.insert("/effects".to_owned(), reason.into());
        }
    }
    unknown.into()
}

fn effect(effect: &Effect) -> Value {
    json!({
        "to": effect.to,
        "action": effect.action.as_str(),
        "headers": headers_shown(&effect.headers),
        "body": effect.body.as_ref().map(raw),
        "delayMillis": effect.delay_millis,
        "replyTag": effect.reply_tag,
    })
}

fn headers_shown(headers: &[Header]) -> Value {
    headers.iter().map(|header| json!({ "name": header.name, "value": header.value })).collect()
}

fn line(line: &LogLine) -> Value {
    let fields = serde_json::from_str(&line.fields).unwrap_or(Value::Null);
    json!({ "level": line.level, "message": line.message, "fields": fields })
}

/// Returns bytes as the JSON that they are; what cannot be read as such as a text.
fn raw(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
}
