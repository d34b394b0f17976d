//! The hands of steward: sockets, threads, clocks and guests around the decisions of `protocol`, and the command line.
//!
//! Storeys, each using lower ones only:
//!
//! ```text
//! 7  cli node                             people; assembly
//! 6  http imports maintenance outbox      who starts operations: clients, guests, the clock, committed effects
//! 5  deployment operation query           what is deployed; the road of one operation; what a query finds
//! 4  partition project service            what an operation meets; what an author writes
//! 3  cluster                              the drivers of the system group and of who is there
//! 2  peer                                 bytes between nodes
//! 1  clock config descriptors failure outward shutdown telemetry
//! ```
//!
//! All of it is private, so that the compiler names what nobody calls; what the binary and the fuzz targets need is handed on below.

mod cli;
mod clock;
mod cluster;
mod config;
mod deployment;
mod descriptors;
mod failure;
mod http;
mod imports;
mod maintenance;
mod node;
mod operation;
mod outbox;
mod outward;
mod partition;
mod peer;
mod project;
mod query;
mod service;
mod shutdown;
mod telemetry;

pub use http::describe_head;
pub use peer::describe_peer_bytes;

/// Runs the command line of this process.
pub fn main() -> std::process::ExitCode {
    // A process that compiles a module for a host is no command line, and has to begin in milliseconds.
    if let Some(ended) = steward_sandbox::serve_as_compiler(std::env::args_os()) {
        return ended;
    }
    cli::main(clock::Clock::default().wall_time(), node::run)
}
