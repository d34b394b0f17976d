//! What the node decides about its guests: upper limits, deadlines, and where compiled code is kept.

use std::path::PathBuf;
use std::time::Duration;

/// Ceilings and deadlines for every guest of one [`crate::Sandbox`].
///
/// A descriptor may ask for less than a ceiling, never for more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Folder of compiled code, made if it does not exist; none: every start of the node compiles again.
    ///
    /// Machine code is loaded from there, so nobody but the node's user may write to it.
    pub cache_folder: Option<PathBuf>,
    /// Most bytes of that folder; what was not loaded for longest goes first.
    pub cache_bytes_max: u64,
    /// What a module may be like.
    pub modules: ModuleLimits,
    /// A program that calls [`crate::serve_as_compiler`] before anything else: modules are compiled in processes of it, which may not take
    /// more than [`ModuleLimits`] says. None: in this process, and nothing bounds them but their size.
    pub compiler: Option<PathBuf>,
    /// Longest time of one call when the descriptor does not ask for another.
    pub call_deadline: Duration,
    /// Longest time of one call that a descriptor may ask for.
    pub call_deadline_max: Duration,
    /// How often running guests are interrupted to let others go on: a call that has been quick so far may hold the thread of
    /// its caller for two ticks at the most.
    pub tick: Duration,
    /// Most memory of one instance, all its linear memories together.
    pub memory_bytes_max: usize,
    /// Most elements of one table of an instance.
    pub table_elements_max: usize,
    /// Most stack that a guest may use in one call.
    pub stack_bytes_max: usize,
    /// Most bytes that a guest may hand to the host at once: one outcome, or the arguments of one import.
    pub output_bytes_max: usize,
    /// Largest state of one document.
    pub document_bytes_max: usize,
    /// Most effects of one outcome.
    pub effects_max: usize,
    /// Most log lines, and most statistics, of one call; what exceeds them is dropped.
    pub lines_max: u32,
    /// Most instances in memory at one time, of all modules together. Each reserves 4 GiB of address space, and
    /// memory only for what the guest touches.
    pub instances_max: u32,
    /// How many hundredths of the instances and of the workers one module may have, at least one of each.
    pub share_percent: u8,
    /// Most calls of all modules that compute at the same time for longer than a quick call does: threads, beside those of
    /// the callers.
    pub workers_max: u32,
    /// Most calls of one module that wait for an instance or a worker.
    pub queue_max: usize,
    /// How long a call waits for an instance or a worker at the most.
    pub queue_patience: Duration,
    /// Most instances of one module that are kept for the next call.
    pub idle_instances_max: usize,
    /// How many calls an instance serves before it is retired.
    pub calls_per_instance_max: u32,
    /// How far the memory of an instance may grow before it is retired.
    pub growth_bytes_max: usize,
}

/// What a module may be like, so that compiling it ends in bounded time and memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleLimits {
    /// Largest module, in bytes, before it is looked at.
    pub bytes_max: usize,
    /// Most functions, those of all nested modules together.
    pub functions_max: u32,
    /// Largest code of one function: compilers take a function as a whole, in time and memory beyond its size.
    pub function_bytes_max: usize,
    /// Most variables of one function, without its parameters: compilers take time by the square of them.
    pub locals_max: u32,
    /// Most memory of the process that compiles a module, in bytes. Where the system does not tell how much a process has (it does on
    /// Linux), the deadline alone bounds it.
    pub memory_bytes_max: usize,
    /// Longest time from taking a module in until it is ready, other modules before it included.
    pub deadline: Duration,
}

impl Default for ModuleLimits {
    fn default() -> ModuleLimits {
        ModuleLimits {
            bytes_max: 64 << 20,
            functions_max: 50_000,
            function_bytes_max: 512 << 10,
            locals_max: 5000,
            memory_bytes_max: 2 << 30,
            deadline: Duration::from_secs(120),
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            cache_folder: None,
            cache_bytes_max: 512 << 20,
            modules: ModuleLimits::default(),
            compiler: None,
            call_deadline: Duration::from_secs(1),
            call_deadline_max: Duration::from_secs(10),
            tick: Duration::from_millis(4),
            memory_bytes_max: 64 << 20,
            table_elements_max: 20_000,
            stack_bytes_max: 512 << 10,
            output_bytes_max: 4 << 20,
            document_bytes_max: 1 << 20,
            effects_max: 64,
            lines_max: 1000,
            instances_max: 256,
            share_percent: 25,
            workers_max: workers(),
            queue_max: 1024,
            queue_patience: Duration::from_secs(5),
            idle_instances_max: 32,
            calls_per_instance_max: 10_000,
            growth_bytes_max: 16 << 20,
        }
    }
}

/// Twice the processors, and enough for four services at once.
fn workers() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(processors).unwrap_or(u32::MAX).saturating_mul(2).max(4)
}
