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
//! An instance that broke is never used again, so the next call finds what a fresh module would give it. One that
//! returned in order may keep what it likes in its memory until it is retired: promises to authors say nothing of it.
//!
//! Two ways to call: on the caller's thread, for guests that import nothing that waits; on a fibre otherwise. The first
//! is interrupted by a trap when its deadline has passed. The second gives way to other tasks at every deadline tick,
//! and is dropped where it stands when the deadline has passed, be it in its own code or in a wait.

pub(crate) mod limits;
mod pace;
pub(crate) mod pool;
pub(crate) mod state;

use std::sync::Arc;

use wasmtime::{Store, StoreContextMut};

use crate::error::{CallError, Circumstances, classify};
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
}

impl Instance {
    fn new(mut store: Store<State>, instance: wasmtime::component::Instance, exports: Arc<Exports>) -> Instance {
        store.data_mut().limits.settle();
        Instance { store, instance, exports, functions: Functions::default(), calls: 0 }
    }

    /// Takes the instance apart for a look-up of functions: those known, where to look, and by which table.
    pub(crate) fn parts(
        &mut self,
    ) -> (&mut Functions, wasmtime::component::Instance, StoreContextMut<'_, State>, &Exports) {
        use wasmtime::AsContextMut;
        (&mut self.functions, self.instance, self.store.as_context_mut(), &self.exports)
    }
}

/// What a call may use up; the same for all calls of a module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLimits {
    pub(crate) deadline: std::time::Duration,
    pub(crate) deadline_ticks: u64,
    pub(crate) memory_bytes: usize,
    pub(crate) stack_bytes: usize,
    pub(crate) output_bytes: usize,
}

impl CallLimits {
    fn deadline_passed(&self) -> CallError {
        CallError::Deadline { limit: self.deadline }
    }

    /// Names the reason why a call in `store` failed.
    fn blame(&self, error: &wasmtime::Error, store: &Store<State>) -> CallError {
        let circumstances = Circumstances {
            deadline: self.deadline,
            stack_bytes: self.stack_bytes,
            output_bytes: self.output_bytes,
            memory_bytes: self.memory_bytes,
            memory_denied: store.data().limits.denied_bytes(),
        };
        classify(error, circumstances)
    }

    /// Makes a store ready for one call.
    fn begin(&self, store: &mut Store<State>, host: &Arc<dyn Imports>, ticks: u64) {
        store.data_mut().begin(host);
        store.set_epoch_deadline(ticks);
    }
}
