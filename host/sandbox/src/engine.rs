//! The one engine for all guests of a node: the compiler, the pool of memories, and the thread that interrupts guests.
//!
//! There is one configuration, so there is one set of compiled code on disk. Components differ only in the linker that
//! they get, which depends on what they import. All calls run on fibres, and give way at deadline ticks wherever they
//! are.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmtime::component::Linker;
use wasmtime::{InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use crate::config::Config;
use crate::error::Error;
use crate::imports;
use crate::instance::idle::Idle;
use crate::instance::places::Places;
use crate::instance::state::State;
use crate::module::cache::Cache;
use crate::module::workshop::Workshop;
use crate::script::{Interpreter, Runners};
use crate::ticker::Ticker;

/// Core instances that one component may consist of: most have a handful, Python a dozen and more.
const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
/// Tables that one component may have; most have one or two.
const TABLES_PER_COMPONENT: u32 = 8;
/// Linear memories that one component may have; nearly all have one.
const MEMORIES_PER_COMPONENT: u32 = 4;
/// Stack of a fibre beyond what the guest may use: for functions of the host that the guest calls.
const HOST_STACK_BYTES: usize = 1536 << 10;

/// What the modules of one sandbox share.
pub(crate) struct Engine {
    pub(crate) config: Config,
    pub(crate) wasm: wasmtime::Engine,
    pub(crate) cache: Option<Cache>,
    pub(crate) workshop: Arc<Workshop>,
    /// The workers of all modules.
    pub(crate) workers: Places,
    /// Calls that wait for an instance or a worker.
    pub(crate) waiting: Arc<AtomicUsize>,
    linkers: Linkers,
    pub(crate) runners: Runners,
    idle: Mutex<Vec<Weak<Idle>>>,
    /// True once no call may go on.
    pub(crate) ending: AtomicBool,
    pub(crate) ticker: Ticker,
}

/// What components may be linked with.
struct Linkers {
    /// Nothing that waits.
    immediate: Linker<State>,
    /// All of our own interface.
    waiting: Linker<State>,
    /// And WASI 0.2.
    wasi: Linker<State>,
    /// WASI 0.2 with `wasi:http`, and nothing of our own.
    http: Linker<State>,
    /// All of our own interface, and the texts of scripts.
    script: Linker<State>,
    /// And WASI 0.2, with clocks and randomness that are the request's.
    python: Linker<State>,
}

/// What a component imports, as far as it matters for what it is linked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing that waits.
    Nothing,
    /// `read` or `query`.
    Waiting,
    /// WASI 0.2, whose functions may wait, and perhaps `read` or `query`.
    Wasi,
    /// WASI 0.2 with `wasi:http`: it answers requests of HTTP itself.
    Http,
    /// `read`, `query`, the texts of a script, and what its interpreter wants.
    Script(Interpreter),
}

impl Engine {
    pub(crate) fn new(config: Config) -> Result<Engine, Error> {
        let refused = |error: wasmtime::Error| Error::Engine(format!("{error:#}"));
        let wasm = wasmtime::Engine::new(&settings(&config)).map_err(refused)?;
        let cache = config
            .cache_folder
            .as_ref()
            .map(|folder| Cache::open(folder, config.cache_bytes_max, &wasm))
            .transpose()?;
        let linkers = Linkers::new(&wasm).map_err(refused)?;
        let ticked = wasm.clone();
        let ticker = Ticker::start(config.tick, move || ticked.increment_epoch()).map_err(Error::Ticker)?;
        let (workers_max, patience, waiting) = (config.workers_max as usize, config.queue_patience, Arc::default());
        let workers = Places::new("workers for guests", workers_max, usize::MAX, patience, &waiting);
        let workshop = Arc::new(Workshop::default());
        Ok(Engine {
            config,
            wasm,
            cache,
            workshop,
            workers,
            waiting,
            linkers,
            runners: Runners::default(),
            idle: Mutex::new(Vec::new()),
            ending: AtomicBool::new(false),
            ticker,
        })
    }

    /// Lets the deadline of every call pass at the next tick: of those under way, and of those that begin later.
    pub(crate) fn end_calls(&self) {
        self.ending.store(true, Ordering::Release);
    }

    /// Returns the linker for a component with these needs.
    pub(crate) fn linker(&self, needs: Needs) -> &Linker<State> {
        match needs {
            Needs::Nothing => &self.linkers.immediate,
            Needs::Waiting => &self.linkers.waiting,
            Needs::Wasi => &self.linkers.wasi,
            Needs::Http => &self.linkers.http,
            Needs::Script(Interpreter::QuickJs) => &self.linkers.script,
            Needs::Script(Interpreter::CPython) => &self.linkers.python,
        }
    }

    /// Takes note of a stack of idle instances, so that another module may have their memory.
    pub(crate) fn watch(&self, idle: &Arc<Idle>) {
        let mut watched = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|known| known.strong_count() > 0);
        watched.push(Arc::downgrade(idle));
    }

    /// Drops all idle instances of all modules.
    pub(crate) fn shed(&self) {
        let watched: Vec<Arc<Idle>> =
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
        watched.iter().for_each(|idle| idle.clear());
    }
}

/// Returns an engine that makes the code which that of a host takes, and runs nothing.
///
/// # Errors
/// Those of the engine.
pub(crate) fn to_compile(config: &Config) -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&code_settings(config))
}

fn settings(config: &Config) -> wasmtime::Config {
    let instances = config.instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances);
    pool.total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT));
    pool.total_memories(instances.saturating_mul(MEMORIES_PER_COMPONENT));
    pool.total_tables(instances.saturating_mul(TABLES_PER_COMPONENT));
    pool.total_stacks(instances);
    pool.max_memory_size(config.memory_bytes_max);
    pool.table_elements(config.table_elements_max);
    pool.max_tables_per_module(TABLES_PER_COMPONENT);
    pool.max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT);
    pool.max_tables_per_component(TABLES_PER_COMPONENT);
    pool.max_memories_per_component(MEMORIES_PER_COMPONENT);
    let mut settings = code_settings(config);
    settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    settings
}

/// What decides about the code that is made, besides the version of the engine.
fn code_settings(config: &Config) -> wasmtime::Config {
    let mut settings = wasmtime::Config::new();
    settings.memory_init_cow(true);
    settings.epoch_interruption(true);
    // Names of functions come from the module itself; nothing else is read, the environment least of all.
    settings.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    settings.max_wasm_stack(config.stack_bytes_max);
    settings.async_stack_size(config.stack_bytes_max.saturating_add(HOST_STACK_BYTES));
    // Our world has no asynchronous types, and the bookkeeping for them costs every call.
    settings.concurrency_support(false);
    settings
}

impl Linkers {
    fn new(wasm: &wasmtime::Engine) -> wasmtime::Result<Linkers> {
        let mut immediate = Linker::new(wasm);
        imports::link_immediate(&mut immediate)?;
        let mut waiting = immediate.clone();
        imports::link_waiting(&mut waiting)?;
        let mut wasi = waiting.clone();
        wasmtime_wasi::p2::add_to_linker_async(&mut wasi)?;
        let mut http = Linker::new(wasm);
        wasmtime_wasi::p2::add_to_linker_async(&mut http)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut http)?;
        let mut script = waiting.clone();
        imports::link_script(&mut script)?;
        let mut python = wasi.clone();
        imports::link_script(&mut python)?;
        imports::link_surroundings(&mut python)?;
        Ok(Linkers { immediate, waiting, wasi, http, script, python })
    }
}
