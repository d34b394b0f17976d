//! One handler call: through the sandbox, and of the same component called bare through wasmtime.
//!
//! Bare means the bindings that wasmtime itself generates from the WIT, one store that is used again, texts prepared, no
//! deadline, no limits, nothing looked at that comes back; and without wasmtime's bookkeeping for asynchronous types, which
//! costs each call and which the sandbox does without as well. The sandbox lends an instance, arms the deadline,
//! and reads every JSON text that comes back from end to end.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, ensure};
use steward_model::operation::Request;
use steward_sandbox::{Module, Occasion};
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Config, Engine, Store};

use crate::Wish;
use crate::rounds::{in_turns, median};
use crate::service::{STATE_BYTES, Service, call, change, prepare, request_with, waited};
use crate::table::Row;

/// What wasmtime generates from the WIT.
mod generated {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

    wasmtime::component::bindgen!({ path: "../wit", world: "service-guest" });
}

use generated::ServiceGuest;
use generated::exports::steward::service::service::Request as BareRequest;
use generated::steward::service::host::{Fault, Host, Level};
use generated::steward::service::types::{self, Cause, Header};

/// Calls of one turn: long against what a timer costs.
const CALLS: u32 = 20_000;

/// Turns of each side; more than elsewhere, because they are short.
const ROUNDS: usize = 15;

/// How many times as long as a bare call one through the sandbox may take.
const RATIO_MAX: f64 = 3.0;

/// A host that hears nothing and knows nothing.
struct Deaf;

impl types::Host for Deaf {}

impl Host for Deaf {
    fn log(&mut self, _level: Level, _message: String, _fields: String) {}

    fn read(&mut self, _link: String) -> Result<String, Fault> {
        Ok(String::new())
    }

    fn query(&mut self, _spec: String) -> Result<String, Fault> {
        Ok(String::new())
    }

    fn stat(&mut self, _name: String, _value: f64) {}
}

/// A component that is called without the sandbox.
pub(crate) struct Bare {
    store: Store<Deaf>,
    guest: ServiceGuest,
    request: BareRequest,
    document: String,
}

impl Bare {
    /// Returns the component, ready to be called again and again with this document and request.
    ///
    /// # Errors
    /// If it imports something else than our own interface.
    pub(crate) fn new(component: &[u8], document: String, request: &Request) -> anyhow::Result<Bare> {
        let request = translated(request)?;
        Bare::made(component, document, request).map_err(told)
    }

    fn made(component: &[u8], document: String, request: BareRequest) -> wasmtime::Result<Bare> {
        let mut config = Config::new();
        config.concurrency_support(false);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::new(&engine);
        ServiceGuest::add_to_linker::<_, HasSelf<_>>(&mut linker, |deaf: &mut Deaf| deaf)?;
        let mut store = Store::new(&engine, Deaf);
        let guest = ServiceGuest::instantiate(&mut store, &component, &linker)?;
        Ok(Bare { store, guest, request, document })
    }

    /// Calls `handle-patch`.
    ///
    /// # Errors
    /// If the guest refuses, breaks or changes nothing.
    pub(crate) fn call(&mut self) -> anyhow::Result<()> {
        let service = self.guest.steward_service_service();
        let decided = service.call_handle_patch(&mut self.store, &self.document, &self.request).map_err(told)?;
        let outcome = decided.map_err(|fault| anyhow::anyhow!("the guest refuses: {}", fault.message))?;
        ensure!(black_box(outcome).document.is_some(), "the guest changes nothing");
        Ok(())
    }
}

/// Takes an error of wasmtime, whose type is its own, for what it says.
fn told(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("wasmtime: {error:#}")
}

fn translated(request: &Request) -> anyhow::Result<BareRequest> {
    let body = request.body.as_ref().map(|body| std::str::from_utf8(body).map(str::to_owned)).transpose()?;
    let header =
        |header: &steward_model::operation::Header| Header { name: header.name.clone(), value: header.value.clone() };
    Ok(BareRequest {
        link: request.link.as_str().to_owned(),
        query: request.query.clone(),
        headers: request.headers.iter().map(header).collect(),
        body,
        principal: request.principal.clone(),
        cause: Cause::Client,
        now_micros: request.now.0,
        seed: request.seed,
        version: request.version.0,
        exists: request.exists,
        expires_micros: request.expires.0,
    })
}

/// Returns how many microseconds a call takes.
fn timed(mut call: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let began = Instant::now();
    for _ in 0..CALLS {
        call()?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS))
}

async fn through_sandbox(module: &Module, document: &[u8], request: &Request) -> anyhow::Result<()> {
    let outcome = call(module, Occasion::Patch, document, request).await?;
    ensure!(black_box(outcome).document.is_some(), "the guest changes nothing");
    Ok(())
}

/// Returns how many microseconds a bare call of the counter takes: what other machines can be told apart by.
///
/// # Errors
/// If the guest cannot be built or called.
pub(crate) fn bare_micros() -> anyhow::Result<f64> {
    let service = Service::build()?;
    let document = std::str::from_utf8(&service.state).context("a state is text")?;
    let mut bare = Bare::new(&service.component, document.to_owned(), &request_with(change(1))?)?;
    let rounds = (0..ROUNDS).map(|_| timed(|| bare.call())).collect::<anyhow::Result<Vec<f64>>>()?;
    Ok(median(&rounds, |micros| *micros))
}

/// Measures one call of `handle-patch`.
///
/// # Errors
/// If the guest cannot be built or called.
pub(crate) fn measure(_wish: &Wish) -> anyhow::Result<Vec<Row>> {
    let service = Service::build()?;
    let module = prepare(&service.component)?;
    let request = request_with(change(1))?;
    let document = std::str::from_utf8(&service.state).context("a state is text")?;
    let mut bare = Bare::new(&service.component, document.to_owned(), &request)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ours = || timed(|| runtime.block_on(through_sandbox(&module, &service.state, &request)));
    let (ours, theirs) = in_turns(ROUNDS, ours, || timed(|| bare.call()))?;
    let (ours, theirs) = (median(&ours, |micros| *micros), median(&theirs, |micros| *micros));
    let state = waited(call(&module, Occasion::Patch, &service.state, &request))??.document.unwrap_or_default();
    ensure!(state.len() == STATE_BYTES, "the new state has {} bytes", state.len());
    let fibre = if module.waits() { ", on a fibre" } else { "" };
    let what =
        format!("one handler call, {STATE_BYTES} B of JSON state in and out, instance reused, one thread{fibre}");
    Ok(vec![Row {
        what,
        reached: format!("{ours:.2} µs"),
        baseline: format!("{theirs:.2} µs, the same component bare through wasmtime"),
        ratio: format!("{:.2} ×", ours / theirs),
        wanted: format!("≤ {RATIO_MAX} ×"),
        met: Some(ours <= theirs * RATIO_MAX),
        ..Row::default()
    }])
}
