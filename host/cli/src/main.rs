//! The binary `steward`: a host of REST services, and the command line to work with one.

use std::process::ExitCode;

/// Documents come and go on every thread at once. The allocator of the C library is slower at that by a quarter of all the
/// processor time, and keeps most of what was freed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    steward_cli::main()
}
