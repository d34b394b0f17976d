//! The records of `wit/types.wit` as Rust types: what crosses the border between host and guest.
//!
//! What the host hands over is borrowed (`…Ref`), so a call copies each text only once, into the memory of the guest.
//! What a guest hands over is owned, because the memory of the guest may change or go when the call returns.
//!
//! The types are written by hand and not generated: `bindgen!` demands every export of the world and copies what it
//! hands over. Two checks keep them equal to the world. Wasmtime compares them with the type of every function that a
//! component exports or imports; the tests do the same with a component made from `wit/` itself.

use wasmtime::component::{ComponentType, Lift, Lower};

/// The interface that every guest exports, up to its version.
pub(crate) const SERVICE: &str = "steward:service/service";
/// The interface that every guest exports, under the name by which components are asked for it; a later 0.1 answers too.
pub(crate) const SERVICE_0_1: &str = "steward:service/service@0.1.0";
/// The interface that guests may import, up to its version.
pub(crate) const HOST: &str = "steward:service/host";
/// The interface that guests may import, as this host offers it; a component may ask for any other 0.1.
pub(crate) const HOST_0_1: &str = "steward:service/host@0.1.0";

/// Arguments of `handle-create` and of all handlers of its shape.
pub(crate) type HandlerArguments<'a> = (&'a str, RequestRef<'a>);
/// Arguments of `handle-reply`.
pub(crate) type ReplyArguments<'a> = (&'a str, &'a str, ReplyRef<'a>, RequestRef<'a>);
/// What a handler returns.
pub(crate) type HandlerResult = (Result<Outcome, Fault>,);
/// What `migrate` and `merge`, and the imports `read` and `query`, return.
pub(crate) type JsonResult = (Result<String, Fault>,);

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct HeaderRef<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Cause {
    #[component(name = "client")]
    Client,
    #[component(name = "effect")]
    Effect,
    #[component(name = "start")]
    Start,
    #[component(name = "maintenance")]
    Maintenance,
    #[component(name = "reply")]
    Reply,
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by wasmtime, out of the number of a case")]
pub(crate) enum Action {
    #[component(name = "get")]
    Get,
    #[component(name = "post")]
    Post,
    #[component(name = "put")]
    Put,
    #[component(name = "patch")]
    Patch,
    #[component(name = "delete")]
    Delete,
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct RequestRef<'a> {
    pub(crate) link: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a [HeaderRef<'a>],
    pub(crate) body: Option<&'a str>,
    pub(crate) principal: &'a str,
    pub(crate) cause: Cause,
    #[component(name = "now-micros")]
    pub(crate) now_micros: i64,
    pub(crate) seed: u64,
    pub(crate) version: u64,
    pub(crate) exists: bool,
    #[component(name = "expires-micros")]
    pub(crate) expires_micros: i64,
}

#[derive(Clone, Copy, ComponentType, Lower)]
#[component(record)]
pub(crate) struct ReplyRef<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a [HeaderRef<'a>],
    pub(crate) body: Option<&'a str>,
    pub(crate) from: &'a str,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Effect {
    pub(crate) to: String,
    pub(crate) action: Action,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Option<String>,
    #[component(name = "delay-millis")]
    pub(crate) delay_millis: i64,
    #[component(name = "reply-tag")]
    pub(crate) reply_tag: String,
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct Outcome {
    pub(crate) document: Option<String>,
    pub(crate) status: u16,
    pub(crate) headers: Vec<Header>,
    pub(crate) reply: Option<String>,
    pub(crate) effects: Vec<Effect>,
    #[component(name = "expires-micros")]
    pub(crate) expires_micros: Option<i64>,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct Fault {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) pointer: String,
}
