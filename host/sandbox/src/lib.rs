//! The guests of steward: WebAssembly components that decide what happens to documents.
//!
//! A guest is somebody else's code that runs in the node's own process. This crate promises:
//!
//! - *Refused early.* If a module is no service, wants an import that is not offered, or speaks an unknown version of
//!   the world, it is refused when it is deployed, with a sentence that says how to mend it ([`PrepareError`]).
//! - *Harmless.* A guest that loops, traps, recurses, hoards memory or returns nonsense fails one call ([`CallError`])
//!   and nothing else. It sees no file, no socket, no environment and no other guest. Of WASI 0.2 only clocks and
//!   randomness do anything; the rest is empty or denied.
//! - *Fair.* A guest that computes or waits for long gives way at each deadline tick, and gets no more than its
//!   module's share of instances and threads. Callers of other modules hardly notice it.
//! - *Quick.* A call on a warm instance costs microseconds: no compilation, no instantiation, no other thread, and no
//!   copy of a text that could be borrowed.
//!
//! ```text
//!  bytes ── intake ── inspect ── encode ── compile ── link ── describe ──▶ Module
//!            limits    names,     core      or cache   once   descriptor      │ call
//!                      sections   modules                                     ▼
//!                                                       Pool ── lease ── Instance ── imports ──▶ the node
//! ```
//!
//! Left out, and not known here: connections, other nodes, partitions, and when a handler has to run. The node offers what
//! guests import through the trait [`Imports`], and says with a [`Call`] which handler to run on what.

mod bindings;
mod classify;
mod config;
mod convert;
mod engine;
mod error;
mod exchange;
mod exports;
mod imports;
mod instance;
mod module;
mod script;
mod ticker;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use module::Known;
use steward_model::Link;
use steward_model::service::Descriptor;

pub use config::{Config, ModuleLimits};
pub use error::{CallError, Error, Part, PrepareError};
pub use exchange::{Answer, Broken, Stream};
pub use exports::{Call, Occasion};
pub use imports::{Imports, Level, Silent};
pub use instance::pool::Usage;
pub use instance::turn::may_block_in_place;
pub use module::Module;
pub use module::compiler::serve_as_compiler;
pub use module::inspect::{Inspection, Kind, Producer, Section, inspect};
pub use module::workshop::THREADS as WORKSHOP_THREADS;
pub use script::{Language, Mixed, Script, ScriptFile};

/// Who waits in a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Calls that wait for an instance or a worker.
    pub calls: usize,
    /// Modules that wait to be compiled or inspected.
    pub modules: usize,
}

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

    /// Returns who waits now.
    pub fn waiting(&self) -> Waiting {
        Waiting { calls: self.engine.waiting.load(Ordering::Relaxed), modules: self.engine.workshop.waiting() }
    }

    /// Makes a module ready to be called: checks it, compiles it or finds its compiled code, and asks for its
    /// descriptor.
    ///
    /// Blocks for as long as compilation takes, a tenth of a second per 100 KB and core, and modules before it; call it where
    /// that is allowed.
    ///
    /// # Errors
    /// [`PrepareError`] says what is wrong with the module and how to mend it, or that it may be tried again later.
    pub fn prepare(&self, bytes: &[u8]) -> Result<Arc<Module>, PrepareError> {
        self.make(bytes, Known::Path(None))
    }

    /// As [`Sandbox::prepare`], for a module that is to answer at `path`: one that says nothing about itself gets its name from there.
    ///
    /// # Errors
    /// As [`Sandbox::prepare`].
    pub fn prepare_for(&self, bytes: &[u8], path: Option<Link>) -> Result<Arc<Module>, PrepareError> {
        self.make(bytes, Known::Path(path))
    }

    /// As [`Sandbox::prepare`], for a module that has described itself when it was taken in: it is held to that, whatever it
    /// would say now.
    ///
    /// # Errors
    /// As [`Sandbox::prepare`].
    pub fn prepare_as(&self, bytes: &[u8], described: Descriptor) -> Result<Arc<Module>, PrepareError> {
        self.make(bytes, Known::Descriptor(Box::new(described)))
    }

    /// Returns the files of a script as JavaScript: those in TypeScript without their types, each line where it was.
    ///
    /// Blocks, as [`Sandbox::prepare`] does.
    ///
    /// # Errors
    /// [`PrepareError::Script`] if one is no TypeScript, with its place.
    pub fn javascript(&self, script: &Script) -> Result<Vec<ScriptFile>, PrepareError> {
        let (engine, script) = (Arc::clone(&self.engine), script.clone());
        let work = move || module::javascript(&engine, &script);
        self.engine.workshop.run(self.engine.config.modules.deadline, work)
    }

    fn make(&self, bytes: &[u8], known: Known) -> Result<Arc<Module>, PrepareError> {
        let (engine, bytes) = (Arc::clone(&self.engine), bytes.to_vec());
        let work = move || Module::prepare(&engine, &bytes, known).map(Arc::new);
        self.engine.workshop.run(self.engine.config.modules.deadline, work)
    }
}
