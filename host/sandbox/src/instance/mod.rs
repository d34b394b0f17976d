//! Instances: a guest in memory, ready to be called.
//!
//! Instances belong to a module, never to a document. A call leases one, has it alone, and gives it back:
//!
//! ```text
//!            ┌── idle ──┐   lease    ┌──────────┐  returned or refused
//!  create ──▶│ newest on│──────────▶ │ one call │──────────────┬───────────▶ idle again
//!            │   top    │            └──────────┘              └─ old, grown, ─▶ dropped
//!            └──────────┘                 │ trap, deadline,       or per-call
//!                                         └ too much memory ─────────────────▶ dropped
//! ```
//!
//! An instance that broke is never used again, so the next call finds what a fresh module would give it. An instance
//! that returned in order may keep things in its memory until it is retired; the host promises authors nothing about
//! that.
//!
//! Every call is a fibre, so it can give way wherever it is: to other tasks when it computes for long, see [`turn`],
//! and to the documents that it waits for. When its deadline has passed it is dropped where it stands, in its own code
//! or in a wait.

pub(crate) mod idle;
mod latency;
pub(crate) mod limits;
mod output;
pub(crate) mod places;
pub(crate) mod pool;
pub(crate) mod state;
pub(crate) mod turn;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use crate::classify::{Circumstances, classify};
use crate::error::CallError;
use crate::exchange::{HandleArguments, HandleFunction, Sender, Stream};
use crate::exports::{Exports, Functions};
use crate::imports::Imports;
use crate::instance::state::State;

/// A guest in memory.
pub(crate) struct Instance {
    store: Store<State>,
    instance: wasmtime::component::Instance,
    exports: Arc<Exports>,
    functions: Functions,
    calls: u32,
    /// Set when a deadline tick has interrupted the guest.
    interrupted: Arc<AtomicBool>,
}

impl Instance {
    fn new(
        mut store: Store<State>,
        instance: wasmtime::component::Instance,
        exports: Arc<Exports>,
        interrupted: Arc<AtomicBool>,
    ) -> Instance {
        store.data_mut().limits.settle();
        Instance { store, instance, exports, functions: Functions::default(), calls: 0, interrupted }
    }

    /// Takes the instance apart for a look-up of functions: those known, where to look, and by which table.
    pub(crate) fn parts(
        &mut self,
    ) -> (&mut Functions, wasmtime::component::Instance, StoreContextMut<'_, State>, &Exports) {
        use wasmtime::AsContextMut;
        (&mut self.functions, self.instance, self.store.as_context_mut(), &self.exports)
    }

    /// Returns the function of an HTTP component, and what it is called with.
    fn prepare(
        &mut self,
        request: http::Request<Stream>,
        sender: Sender,
    ) -> wasmtime::Result<(HandleFunction, HandleArguments)> {
        let Instance { store, instance, exports, .. } = self;
        let function = exports.handle(&mut *store, *instance)?;
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request)?;
        Ok((function, (request, http.new_response_outparam(sender)?)))
    }
}

/// What a call may use up; the same for all calls of a module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLimits {
    pub(crate) deadline: std::time::Duration,
    pub(crate) memory_bytes: usize,
    pub(crate) stack_bytes: usize,
    pub(crate) output_bytes: usize,
}

impl CallLimits {
    /// Names the reason why a call in `store` failed.
    fn blame(&self, error: &wasmtime::Error, store: &mut Store<State>) -> CallError {
        let circumstances = Circumstances {
            deadline: self.deadline,
            stack_bytes: self.stack_bytes,
            output_bytes: self.output_bytes,
            memory_bytes: self.memory_bytes,
            memory_denied: store.data().limits.denied_bytes(),
            last_words: store.data_mut().last_words(),
        };
        classify(error, circumstances)
    }

    /// Makes a store ready for one call.
    fn begin(&self, store: &mut Store<State>, host: &Arc<dyn Imports>) {
        store.data_mut().begin(host);
        store.set_epoch_deadline(FIRST_SLICE_TICKS);
    }
}

/// Deadline ticks of the first slice of a call. The first may come at once, so it takes two to give a quick call its time.
const FIRST_SLICE_TICKS: u64 = 2;
