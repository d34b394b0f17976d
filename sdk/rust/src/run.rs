//! From texts to types and back, for one call. Only code that the macro `service` writes calls these functions.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::Context;
use crate::document::{self, Document};
use crate::effect::Outcome;
use crate::fault::{Result, refused};
use crate::guest::Handler;
use crate::reply::Reply;
use crate::request::Request;

pub use crate::guest::Guest;
pub use crate::reply::IntoReply;

/// When a call makes a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Always: a client asked for an update.
    Always,
    /// If the state is another one afterwards.
    IfChanged,
    /// Never.
    Never,
}

/// Runs a handler that has a state.
///
/// # Errors
/// The handler's fault, or one that names the field of the state which does not fit its schema.
pub fn call<S: Document>(
    handler: Handler,
    text: &str,
    request: Request,
    act: &mut dyn FnMut(&mut S, &mut Context) -> Result<Reply>,
) -> Result<Outcome> {
    let (mut state, writes) = match handler {
        Handler::Create => (document::read(text)?, Writes::Always),
        Handler::Post | Handler::Put | Handler::Patch | Handler::Delete => (document::restore(text)?, Writes::Always),
        Handler::Start | Handler::Stop | Handler::Maintenance => (document::restore(text)?, Writes::IfChanged),
        Handler::Get => (document::restore(text)?, Writes::Never),
    };
    let mut ctx = Context::new(request);
    if matches!(handler, Handler::Create | Handler::Put) {
        ctx.expires_micros = expiration_wanted(&ctx);
    }
    change(&mut state, writes, ctx, act)
}

/// Runs the handler of answers to effects.
///
/// # Errors
/// As [`call`].
pub fn reply<S: Document>(
    text: &str,
    request: Request,
    act: &mut dyn FnMut(&mut S, &mut Context) -> Result<Reply>,
) -> Result<Outcome> {
    let mut state = document::restore(text)?;
    change(&mut state, Writes::IfChanged, Context::new(request), act)
}

/// Runs a handler of a stateless service.
///
/// # Errors
/// The handler's fault.
pub fn call_stateless(request: Request, act: &mut dyn FnMut(&mut Context) -> Result<Reply>) -> Result<Outcome> {
    let mut ctx = Context::new(request);
    let reply = act(&mut ctx)?;
    conclude(ctx, reply, None)
}

fn change<S: Document>(
    state: &mut S,
    writes: Writes,
    mut ctx: Context,
    act: &mut dyn FnMut(&mut S, &mut Context) -> Result<Reply>,
) -> Result<Outcome> {
    let before = match writes {
        Writes::IfChanged => Some(crate::reply::text_of(state)?),
        Writes::Always | Writes::Never => None,
    };
    let reply = act(state, &mut ctx)?;
    if writes == Writes::Never || reply.unchanged {
        return conclude(ctx, reply, None);
    }
    let after = document::write(state, ctx.request().body.as_deref())?;
    let document = if before.as_ref() == Some(&after) { None } else { Some(after) };
    conclude(ctx, reply, document)
}

fn conclude(mut ctx: Context, reply: Reply, document: Option<String>) -> Result<Outcome> {
    match ctx.broken() {
        Some(fault) => Err(fault),
        None => Ok(Outcome {
            document,
            status: reply.status,
            headers: reply.headers,
            reply: reply.body,
            effects: ctx.effects,
            expires_micros: ctx.expires_micros,
        }),
    }
}

/// The fields of a body that speak to the host and to the SDK rather than to the service.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuiltIn {
    #[serde(default)]
    kind: Option<Lenient<String>>,
    #[serde(default)]
    document_expiration_time_micros: Option<Lenient<i64>>,
}

/// A value, whatever its type: a field of another type than the SDK reads must not hide the others.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Read(T),
    Other(serde::de::IgnoredAny),
}

impl<T> Lenient<T> {
    fn read(self) -> Option<T> {
        match self {
            Lenient::Read(value) => Some(value),
            Lenient::Other(_) => None,
        }
    }
}

fn built_in(ctx: &Context) -> Option<BuiltIn> {
    serde_json::from_str(ctx.request().body.as_deref()?).ok()
}

fn expiration_wanted(ctx: &Context) -> Option<i64> {
    built_in(ctx)?.document_expiration_time_micros?.read()
}

/// Returns the `kind` that the body names.
pub fn kind(ctx: &Context) -> Option<String> {
    built_in(ctx)?.kind?.read()
}

/// Refuses a body whose kind no method takes.
///
/// # Errors
/// Always a fault with status 400, which lists the kinds.
pub fn unknown_kind(ctx: &Context, known: &[&str]) -> Result<Reply> {
    let body = ctx.request().body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok());
    let found = match body.as_ref().and_then(|body| body.get("kind")) {
        None | Some(Value::Null) => "no kind".to_owned(),
        Some(Value::String(kind)) => format!("the kind {kind:?}"),
        Some(Value::Bool(_)) => "a boolean instead of a text".to_owned(),
        Some(Value::Number(_)) => "a number instead of a text".to_owned(),
        Some(Value::Array(_)) => "a list instead of a text".to_owned(),
        Some(Value::Object(_)) => "an object instead of a text".to_owned(),
    };
    let message = format!("kind must be one of {}, found {found}", known.join(", "));
    Err(crate::Fault { pointer: "/kind".to_owned(), ..refused(400, "unknown-kind", message) })
}

/// Returns the body.
///
/// # Errors
/// A fault with status 400 if there is none, or if it does not fit, then with the field's pointer.
pub fn body<T: Document>(ctx: &Context) -> Result<T> {
    match ctx.request().body.as_deref() {
        Some(text) => document::read(text),
        None => Err(refused(400, "body-missing", format!("{} needs a body, a JSON object", ctx.link()))),
    }
}

/// Returns the body, and an empty one if there is none.
///
/// # Errors
/// A fault with status 400 and the field's pointer if it does not fit.
pub fn fields<T: Document>(ctx: &Context) -> Result<T> {
    document::read(ctx.request().body.as_deref().unwrap_or("{}"))
}

/// Returns the body if there is one.
///
/// # Errors
/// A fault with status 400 and the field's pointer if it does not fit.
pub fn optional_body<T: Document>(ctx: &Context) -> Result<Option<T>> {
    ctx.request().body.as_deref().map(document::read).transpose()
}

/// Brings a state of an older version into today's shape.
///
/// # Errors
/// A fault if the old state cannot be read or the new one does not fit its schema.
pub fn migrate<Old: DeserializeOwned, S: Document>(text: &str, act: impl FnOnce(Old) -> Result<S>) -> Result<String> {
    document::write(&act(document::restore(text)?)?, None)
}

/// Joins two states.
///
/// # Errors
/// The service's fault, or one for a joined state that does not fit its schema.
pub fn merge<S: Document>(ours: &str, theirs: &str, act: impl FnOnce(S, S) -> Result<S>) -> Result<String> {
    document::write(&act(document::restore(ours)?, document::restore(theirs)?)?, None)
}

/// Refuses a call that the descriptor did not invite.
///
/// # Errors
/// Always a fault with status 501.
pub fn missing(handler: Handler) -> Result<Outcome> {
    Err(crate::guest::missing(handler.name(), "this request"))
}

/// Refuses an answer whose tag no method takes.
///
/// # Errors
/// Always a fault with status 501.
pub fn unknown_tag(tag: &str) -> Result<Reply> {
    Err(crate::guest::missing("handle-reply", &format!("the tag {tag:?}")))
}

/// Refuses a state version that no method migrates.
///
/// # Errors
/// Always a fault with status 501.
pub fn unknown_version(from: u32) -> Result<String> {
    Err(crate::guest::missing("migrate", &format!("state version {from}")))
}
