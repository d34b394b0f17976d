//! The hands of steward: sockets, threads, clocks and guests around the decisions of `protocol`.
//!
//! Storeys, each using lower ones only:
//!
//! ```text
//! 7  node                                 assembly
//! 6  http imports maintenance outbox      who starts operations: clients, guests, the clock, committed effects
//! 5  deployment operation query           what is deployed; the road of one operation; what a query finds
//! 4  partition service                    what an operation meets
//! 3  cluster                              the drivers of the system group and of who is there
//! 2  peer                                 bytes between nodes
//! 1  clock config descriptors failure outward shutdown telemetry
//! ```
//!
//! Nearly all of it is private, so that the compiler names what nobody calls; what the command line and the fuzz targets need is handed
//! on below.

mod clock;
mod cluster;
pub mod config;
mod deployment;
pub mod descriptors;
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
mod query;
mod service;
mod shutdown;
mod telemetry;

pub use cluster::inspect;
pub use http::{describe_head, fullest_body};
pub use node::run;
pub use peer::describe_peer_bytes;
pub use service::{HOST_BELOW_CORE, answers_itself};

/// Returns the time of day as this machine tells it.
pub fn wall_time() -> steward_model::Timestamp {
    clock::Clock::default().wall_time()
}
