//! What a guest may call: the trait that the node offers, and one file per capability that joins it to the world.
//!
//! `log` and `stat` return at once. `read` and `query` wait for other documents, so a guest that imports one of them
//! runs on a fibre; see [`crate::instance`].

mod log;
mod query;
mod read;
mod stat;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use steward_model::operation::Fault;
use wasmtime::component::Linker;

use crate::bindings::{HOST_0_1, JsonResult};
use crate::convert;
use crate::instance::state::State;

pub use log::Level;

/// Names of the imported functions that wait.
pub(crate) const WAITING: [&str; 2] = ["read", "query"];

/// What the node offers to the guest during one call.
///
/// Texts come from the guest: they are bounded (`Config::output_bytes_max`) and otherwise unchecked.
pub trait Imports: Send + Sync {
    /// Takes one line for the log. `fields` is meant to be a JSON object, or is empty.
    fn log(&self, level: Level, message: &str, fields: &str);

    /// Adds `value`, a finite number, to the statistic `name` of the document.
    fn stat(&self, name: &str, value: f64);

    /// Returns the committed state of another document, JSON in UTF-8.
    fn read<'a>(&'a self, link: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>>;

    /// Runs a direct query and returns the finished task, JSON in UTF-8.
    fn query<'a>(&'a self, spec: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>>;
}

/// Adds the capabilities that return at once.
pub(crate) fn link_immediate(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut host = linker.instance(HOST_0_1)?;
    host.func_wrap("log", log::log)?;
    host.func_wrap("stat", stat::stat)
}

/// Adds the capabilities that wait.
pub(crate) fn link_waiting(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut host = linker.instance(HOST_0_1)?;
    host.func_wrap_async("read", read::read)?;
    host.func_wrap_async("query", query::query)
}

/// What a capability that waits gives to wasmtime.
type Answer<'a> = Box<dyn Future<Output = wasmtime::Result<JsonResult>> + Send + 'a>;

/// Turns the node's answer to `read` or `query` into what the guest gets.
fn answer(answer: Result<Bytes, Fault>) -> JsonResult {
    let text = answer.and_then(|json| {
        String::from_utf8(json.into()).map_err(|_| Fault {
            status: 500,
            code: "not-text".to_owned(),
            message: "the host's answer is no UTF-8 text".to_owned(),
            pointer: String::new(),
        })
    });
    (text.map_err(convert::fault_to_guest),)
}

/// A host that hears nothing and knows nothing: for calls that must not depend on the world, such as `describe`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Silent {
    fn refusal() -> Fault {
        Fault {
            status: 400,
            code: "not-available".to_owned(),
            message: "other documents cannot be read in this call".to_owned(),
            pointer: String::new(),
        }
    }
}

impl Imports for Silent {
    fn log(&self, _level: Level, _message: &str, _fields: &str) {}

    fn stat(&self, _name: &str, _value: f64) {}

    fn read<'a>(&'a self, _link: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        Box::pin(std::future::ready(Err(Silent::refusal())))
    }

    fn query<'a>(&'a self, _spec: &'a str) -> BoxFuture<'a, Result<Bytes, Fault>> {
        Box::pin(std::future::ready(Err(Silent::refusal())))
    }
}
