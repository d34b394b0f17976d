//! A node for guests under test: a sandbox, imports that record what the guest calls, and calls of `handle-patch`.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use steward_model::operation::{Cause, Fault, Header, Outcome, Request};
use steward_model::{Link, Timestamp, Version};
use steward_sandbox::{Call, CallError, Config, Imports, Level, Module, Occasion, Sandbox};

use crate::guest::Guest;

/// Ceilings that tests can reach in a moment.
pub(crate) fn config() -> Config {
    Config {
        call_deadline: Duration::from_millis(100),
        memory_bytes_max: 4 << 20,
        output_bytes_max: 1 << 20,
        document_bytes_max: 64 << 10,
        instances_max: 16,
        ..Config::default()
    }
}

/// A sandbox that tests may share.
pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::new(config()).expect("a sandbox"))
}

/// Deploys a guest that is in order.
pub(crate) fn prepare(guest: &Guest) -> Arc<Module> {
    sandbox().prepare(&guest.component()).expect("a module in order")
}

/// A host that takes notes.
#[derive(Default)]
pub(crate) struct Notes {
    /// What guests logged.
    pub(crate) lines: Mutex<Vec<(Level, String, String)>>,
    /// What guests counted.
    pub(crate) stats: Mutex<Vec<(String, f64)>>,
    /// How long `read` waits.
    pub(crate) patience: Duration,
}

impl Imports for Notes {
    fn log(&self, level: Level, message: &str, fields: &str) {
        self.lines.lock().expect("no panic").push((level, message.to_owned(), fields.to_owned()));
    }

    fn stat(&self, name: &str, value: f64) {
        self.stats.lock().expect("no panic").push((name.to_owned(), value));
    }

    fn read<'a>(&'a self, link: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        Box::pin(async move {
            tokio::time::sleep(self.patience).await;
            Ok(Bytes::from(format!(r#"{{"documentSelfLink":"{link}"}}"#)))
        })
    }

    fn query<'a>(&'a self, spec: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        let fault = Fault { status: 404, code: "no-task".into(), message: spec.to_owned(), pointer: String::new() };
        Box::pin(std::future::ready(Err(fault)))
    }
}

/// Calls `handle-patch` for a host that nobody looks at.
pub(crate) async fn patch(module: &Module, document: &str) -> Result<Outcome, CallError> {
    patch_for(module, document, Arc::new(Notes::default())).await
}

/// Calls `handle-patch`.
pub(crate) async fn patch_for(module: &Module, document: &str, notes: Arc<Notes>) -> Result<Outcome, CallError> {
    let host: Arc<dyn Imports> = notes;
    let request = request();
    let call = Call { occasion: Occasion::Patch, document: document.as_bytes(), request: &request };
    module.call(call, &host).await
}

/// A PATCH with a header and a body.
pub(crate) fn request() -> Request {
    Request {
        link: Link::parse("/core/testers/one").expect("a link"),
        query: String::new(),
        headers: vec![Header { name: "accept".to_owned(), value: "*/*".to_owned() }],
        body: Some(Bytes::from_static(br#"{"by":1}"#)),
        principal: String::new(),
        cause: Cause::Client,
        now: Timestamp(1),
        seed: 2,
        version: Version(3),
        exists: true,
        expires: Timestamp(0),
    }
}
