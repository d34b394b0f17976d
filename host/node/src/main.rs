//! The binary `steward`: a host of REST services, and the command line to work with one.

use std::process::ExitCode;

use steward_node::clock::Clock;
use steward_node::{cli, node};

fn main() -> ExitCode {
    cli::main(Clock::default().wall_time(), node::run)
}
