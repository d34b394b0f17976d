//! What a guest may call: the trait that the node offers, and one file per capability that joins it to the world.
//!
//! `log` and `stat` return at once. `read` and `query` wait for other documents; meanwhile the fibre of the call stands
//! still, and holds neither a thread nor a worker. See [`crate::instance`].

mod answer;
mod host;
mod line;
mod log;
mod query;
mod read;
mod script;
mod stat;
mod surroundings;

use wasmtime::component::Linker;

use crate::bindings::HOST_0_1;
use crate::instance::state::State;

pub use host::{Imports, Level, Silent};
pub(crate) use line::{LINE_BYTES_MAX, head};

/// The interface by which a runner of scripts gets the texts.
const SCRIPT: &str = "steward:script/script@0.1.0";

/// The interface by which the runner of Python says which request it begins with.
const SURROUNDINGS: &str = "steward:script/surroundings@0.1.0";

/// The interface by which it gets random bytes, in the very version that it asks for: it is found before that of WASI, which has another.
pub(crate) const RANDOM: &str = "wasi:random/random@0.2.9";

/// Names of the imported functions that wait.
pub(crate) const WAITING: [&str; 2] = ["read", "query"];

/// Adds the capabilities that return at once.
pub(crate) fn link_immediate(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut host = linker.instance(HOST_0_1)?;
    host.func_wrap("log", log::log)?;
    host.func_wrap("stat", stat::stat)
}

/// Adds what every runner of scripts asks for, and no other guest may.
pub(crate) fn link_script(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(SCRIPT)?.func_wrap("sources", script::sources)
}

/// Adds what the runner of Python asks for besides.
pub(crate) fn link_surroundings(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(SURROUNDINGS)?.func_wrap("set", surroundings::set)?;
    let mut random = linker.instance(RANDOM)?;
    random.func_wrap("get-random-bytes", surroundings::random_bytes)?;
    random.func_wrap("get-random-u64", surroundings::random_number)
}

/// Adds the capabilities that wait.
pub(crate) fn link_waiting(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut host = linker.instance(HOST_0_1)?;
    host.func_wrap_async("read", read::read)?;
    host.func_wrap_async("query", query::query)
}
