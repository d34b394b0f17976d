//! The guests of steward: WebAssembly components that decide what happens to documents.
//!
//! A guest is code of somebody else that runs in the node's own process. This crate promises:
//!
//! - *Refused early.* A module that is no service, wants something foreign, or speaks an unknown version of the world is
//!   refused when it is deployed, with a sentence that says how to mend it ([`PrepareError`]).
//! - *Harmless.* A guest that loops, traps, recurses, hoards memory or returns nonsense fails one call
//!   ([`CallError`]) and nothing else. It sees no file, no socket, no environment, and no other guest.
//! - *Quick.* A call on a warm instance costs microseconds: no compilation, no instantiation, no fibre unless the guest
//!   imports something that waits, and no copy of a text that could be borrowed.
//!
//! ```text
//!  bytes ── inspect ── encode ── compile ── link ── describe ──▶ Module
//!            names,     core      or cache   once   descriptor      │ call
//!            sections   modules                                     ▼
//!                                             Pool ── lease ── Instance ── imports ──▶ the node
//! ```
//!
//! Left out, and not known here: HTTP, other nodes, partitions, when a handler has to run. The node offers what guests
//! import by the trait [`Imports`], and says by [`Call`] what it wants done.

mod bindings;
mod config;
mod convert;
mod engine;
mod error;
mod exports;
mod imports;
mod instance;
mod module;

use std::sync::Arc;

pub use config::Config;
pub use error::{CallError, Error, Part, PrepareError};
pub use exports::{Call, Occasion};
pub use imports::{Imports, Level, Silent};
pub use instance::pool::Usage;
pub use module::Module;
pub use module::inspect::{Inspection, Kind, Producer, Section, inspect};

/// Where guests live: compiler, memory and clock tick that all modules of a node share.
///
/// Cheap to clone. Its thread ends when the last clone and the last module are gone.
#[derive(Clone)]
pub struct Sandbox {
    engine: Arc<engine::Engine>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sandbox").field(&self.engine.config).finish()
    }
}

impl Sandbox {
    /// Reserves memory for instances and starts the thread that interrupts guests.
    ///
    /// # Errors
    /// [`Error`] if the operating system refuses address space, thread or cache folder.
    pub fn new(config: Config) -> Result<Sandbox, Error> {
        Ok(Sandbox { engine: Arc::new(engine::Engine::new(config)?) })
    }

    /// Ends all calls, those that begin later too: each fails within a tick as if its deadline had passed. For a node that
    /// stops; there is no way back.
    pub fn end_calls(&self) {
        self.engine.end_calls();
    }

    /// Makes a module ready to be called: checks it, compiles it or finds its compiled code, and asks for its
    /// descriptor.
    ///
    /// Blocks for as long as compilation takes, a tenth of a second per 100 KB and core; call it where that is allowed.
    ///
    /// # Errors
    /// [`PrepareError`] says what is wrong with the module and how to mend it.
    pub fn prepare(&self, bytes: &[u8]) -> Result<Arc<Module>, PrepareError> {
        Module::prepare(&self.engine, bytes).map(Arc::new)
    }
}
