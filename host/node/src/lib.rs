//! The hands of steward: sockets, threads, clocks and guests around the decisions of `protocol`, and the command line.
//!
//! Storeys, each using lower ones only:
//!
//! ```text
//! 7  cli node                             people; assembly
//! 6  http imports maintenance outbox      who starts operations: clients, guests, the clock, committed effects
//! 5  deployment operation query           what is deployed; the road of one operation; what a query finds
//! 4  partition service                    what an operation meets
//! 3  cluster                              the driver of the system group
//! 1  clock config descriptors failure shutdown telemetry
//! ```

pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod deployment;
pub mod descriptors;
pub mod failure;
pub mod http;
pub mod imports;
pub mod maintenance;
pub mod node;
pub mod operation;
pub mod outbox;
pub mod partition;
pub mod query;
pub mod service;
pub mod shutdown;
pub mod telemetry;
