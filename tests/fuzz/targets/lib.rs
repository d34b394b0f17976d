//! Fuzz targets: what must hold for any bytes that a stranger, a disk or an older build may hand to the host.
//!
//! Problem: tests hold examples that somebody thought of, and readers of bytes fail at those nobody did. Promise: each
//! target is a function of bytes that panics where a promise is broken, and of nothing else: no clock, no file, no network.
//! So an input that was found once fails again everywhere.
//!
//! ```text
//!  corpus/<target>/ ──┬── cargo test       every kept input, once, without a fuzzer
//!                     └── cargo fuzz-all   libFuzzer begins with them, changes them, and follows what reaches new code
//! ```
//!
//! A new target is a file here, a line in [`TARGETS`] and a folder of examples. Left out: what only a whole host can show,
//! which `tests/rest` asks, and compiled guests, which `host/sandbox/tests` holds to their limits.

mod descriptors;
mod documents;
mod filters;
mod frames;
mod input;
mod keys;
mod links;
mod modules;
mod peer_frames;
mod query_specs;
mod request_heads;

/// Names the target of the fuzz engine in its environment; the runner, which is compiled before all this, says it too.
pub const TARGET_VARIABLE: &str = "STEWARD_FUZZ_TARGET";

/// One promise about bytes.
#[derive(Debug)]
pub struct Target {
    /// Its name: the module that has it, and the folder of its kept inputs, from which the runner knows it.
    pub name: &'static str,
    /// Panics if the promise is broken for these bytes.
    pub check: fn(&[u8]),
}

/// Every target, in the order of the road that bytes take.
pub const TARGETS: [Target; 9] = [
    Target { name: "request_heads", check: request_heads::check },
    Target { name: "peer_frames", check: peer_frames::check },
    Target { name: "links", check: links::check },
    Target { name: "filters", check: filters::check },
    Target { name: "query_specs", check: query_specs::check },
    Target { name: "keys", check: keys::check },
    Target { name: "frames", check: frames::check },
    Target { name: "descriptors", check: descriptors::check },
    Target { name: "modules", check: modules::check },
];

/// Returns the target called `name`.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
